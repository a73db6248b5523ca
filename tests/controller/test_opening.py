"""Opening an upgrade: what is refused at the door, with what to do about it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from segue.controller.opening import Proposal, name_of, open_upgrade
from segue.controller.reading import read_ref, read_upgrade
from segue.errors import ConflictError, InputError, NotFoundError, SegueError
from segue.model.route import Route
from segue.upgrade.log import Upgrade
from tests.controller.pretend import PLAN, WORKFLOW, Stage


def proposed(stage: Stage, **changes: object) -> Proposal:
    """The candidate by the plan of the tests."""
    return replace(Proposal(WORKFLOW, stage.new, PLAN, "careful", ("task=refund",)), **changes)  # type: ignore[arg-type]


def opened(stage: Stage, proposal: Proposal | None = None, reason: str = "cheaper", **named: object) -> Upgrade:
    """Open it now."""
    at = stage.pretend.now
    name = name_of(WORKFLOW, at, "3f2a")
    return open_upgrade(
        stage.store,
        proposal or proposed(stage),
        name=name,
        by="ada",
        reason=reason,
        at=at,
        **named,  # type: ignore[arg-type]
    )


def test_what_was_opened_is_read_again_as_it_was() -> None:
    """With plan, author, reason and what was gone on with in spite of."""
    stage = Stage()
    made = opened(stage, proposed(stage, despite=("short-canary",)))
    assert read_upgrade(stage.store, WORKFLOW) == made
    assert made.opening.incumbent == stage.old
    assert (made.opening.by, made.opening.reason, made.opening.despite) == ("ada", "cheaper", ("short-canary",))
    assert made.opening.plan == PLAN
    assert (made.state.stage, made.state.number) == ("decide", 0)


def test_a_second_upgrade_of_a_workflow_is_told_of_the_first() -> None:
    """By name, with where it stands and who opened it."""
    stage = Stage()
    first = opened(stage)
    with pytest.raises(ConflictError) as refused:
        opened(stage)
    assert first.opening.upgrade in refused.value.what
    assert "in decide, opened by ada" in refused.value.what
    assert "segue upgrade abort w" in refused.value.fix


@pytest.mark.parametrize(
    ("case", "kind", "told"),
    [
        ("no route", NotFoundError, "has no route in staging"),
        ("same bundle", InputError, "serves 'w' in production already"),
        ("no bundle", NotFoundError, "bundle"),
        ("shared", ConflictError, "has a candidate in production already"),
        ("no reason", InputError, "needs a reason"),
    ],
    ids=lambda value: value if isinstance(value, str) and " " not in value else None,
)
def test_what_cannot_begin_is_refused_with_a_remedy(case: str, kind: type[SegueError], told: str) -> None:
    """And nothing is written."""
    stage = Stage()
    proposal, reason = proposed(stage), "cheaper"
    if case == "no route":
        proposal = replace(proposal, environment="staging")
    elif case == "same bundle":
        proposal = replace(proposal, candidate=stage.old)
    elif case == "no bundle":
        proposal = replace(proposal, candidate="f" * 64)
    elif case == "shared":
        route = Route(workflow=WORKFLOW, incumbent=stage.old, candidate=stage.new, share=0.1)
        stage.store.flip_route(route, follows=1, author="bo", reason="by hand", at=stage.at)
    else:
        proposal, reason = replace(proposal, despite=("no-suite",)), " "
    with pytest.raises(kind, match=told) as refused:
        opened(stage, proposal, reason)
    assert refused.value.fix or "There are:" in refused.value.what
    assert stage.store.list_upgrades() == []


def test_a_word_means_a_workflow_or_one_upgrade_and_never_anothers() -> None:
    """`w` is no abbreviation of an upgrade of `w-other`, whose name begins so."""
    stage = Stage()
    opening = opened(stage).opening
    other = opening.model_copy(update={"upgrade": "w-other-1", "workflow": "w-other"})
    stage.store.open_upgrade("w-other-1", "w-other", "staging", other.model_dump(mode="json"), author="ada", at=stage.at)
    assert read_ref(stage.store, WORKFLOW).opening == opening
    assert read_ref(stage.store, opening.upgrade[:-2]).opening == opening
    with pytest.raises(NotFoundError):
        read_ref(stage.store, "w-oth")
    with pytest.raises(NotFoundError, match="no upgrade in production of 'v'"):
        read_ref(stage.store, "v")
