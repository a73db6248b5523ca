"""The HTTP API on this workspace: keys as segue.yaml has them now, plans and bundles from its files, gateways beside it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from segue.cli.desk import Desk
from segue.cli.flipping import state_folder
from segue.cli.route_views import confirmed_as_json
from segue.cli.screen import error_console
from segue.cli.upgrade_opening import Wanted, open_wanted, wall_clock
from segue.controller.api import UpgradeApi
from segue.controller.api_desk import ApiDesk
from segue.controller.api_keys import ControllerKeys
from segue.controller.api_listener import ApiListener
from segue.controller.grounds_workspace import CurrentWorkspace
from segue.errors import SegueError
from segue.gateway.telemetry.failing import trail_of

if TYPE_CHECKING:
    from segue.controller.actions import Admission
    from segue.controller.api_bodies import OpenBody
    from segue.model.controlling import ControllerKey
    from segue.model.route import RouteRevision
    from segue.store.base import Store
    from segue.upgrade.log import Upgrade
    from segue.workspace import Workspace


async def serve_api(
    workspace: Workspace,
    store: Callable[[], Store],
    environment: str,
    where: tuple[str, int],
    passing: Sequence[ControllerKey],
    ring: Callable[[], None],
) -> tuple[ApiListener, int]:
    """Listen; `ring` is called after each answer to a request that may have changed something. Gives listener and port."""
    current = CurrentWorkspace(workspace.root, workspace.environ)
    keys = Keys(current, workspace, passing)

    def report(error: BaseException) -> None:
        error_console().print(f"A request to the API went wrong inside Segue: {trail_of(error)}", style="yellow", markup=False)

    def confirm(store: Store, revision: RouteRevision) -> list[Any]:
        from segue.gateway.control import confirm_flip, socket_folder

        folder = socket_folder(state_folder(workspace.root))
        return [confirmed_as_json(one) for one in confirm_flip(store, folder, revision)]

    desk = ApiDesk(store, WorkspaceOpenings(current), confirm, wall_clock, environment)
    api = UpgradeApi(desk, keys.now, report, ring)
    listener = ApiListener(api)
    return listener, await listener.listen(*where)


class Keys:
    """The keys that are valid now: segue.yaml may be edited meanwhile. One with a fault leaves those before it valid."""

    def __init__(self, current: CurrentWorkspace, workspace: Workspace, passing: Sequence[ControllerKey]) -> None:
        self._current, self._passing = current, passing
        self._config = workspace.config.controller
        self._ring = ControllerKeys((*self._config.keys, *passing))

    def now(self) -> ControllerKeys:
        """As they are at this request."""
        with suppress(SegueError):
            found = self._current.read().config.controller
            if found != self._config:
                self._config, self._ring = found, ControllerKeys((*found.keys, *self._passing))
        return self._ring


class WorkspaceOpenings:
    """Opens upgrades as `segue upgrade` does."""

    def __init__(self, current: CurrentWorkspace) -> None:
        self._current = current

    def open(
        self, store: Store, asked: OpenBody, *, environment: str, at: float, key: str, secret: str
    ) -> tuple[Upgrade, list[str]]:
        """From the workspace as it is now."""
        desk = Desk(self._current.read(), store, asked.by)
        wanted = Wanted(asked.workflow, asked.candidate, asked.plan, asked.reason, environment, tuple(asked.despite))
        opened = open_wanted(desk, wanted, by=asked.by, at=at, key=key, secret=secret)
        return opened.upgrade, [*opened.remarks, *opened.warnings]

    def admission(self, store: Store) -> Admission:
        """By the workspace as it is now."""
        from segue.controller.admission import WorkspaceAdmission

        return WorkspaceAdmission(self._current.read(), store)
