"""The upgrade that a word on the command line means."""

from __future__ import annotations

from typing import TYPE_CHECKING

from segue.cli.desk import Desk
from segue.errors import NotFoundError

if TYPE_CHECKING:
    from segue.upgrade.log import Upgrade


def find_named(desk: Desk, ref: str, environment: str) -> Upgrade:
    """A workflow's latest, or the one of that name. `NotFoundError` says whether it is the workflow or its upgrade that is not
    there, and what there is."""
    from segue.controller.reading import read_ref

    try:
        return read_ref(desk.store, ref, environment)
    except NotFoundError:
        if ref not in desk.workspace.workflows:
            if not desk.store.list_upgrades(environment=environment, most=1):
                desk.workspace.load_workflow(ref)  # says which workflows there are
            raise
        elsewhere = sorted({one.environment for one in desk.store.list_upgrades(ref)})
        fix = f"Open one: segue upgrade {ref} --candidate BUNDLE"
        if elsewhere:
            fix += f". It has had one in {' and '.join(elsewhere)}: --environment {elsewhere[0]}"
        raise NotFoundError(f"'{ref}' has had no upgrade in {environment}.", fix=fix) from None
