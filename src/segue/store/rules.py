"""What holds in every store: which writes contradict what is recorded, and how that is said.

Pure; shared by the memory fake and the databases, so that they refuse the same things in the same words.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from segue.errors import ConflictError, Fault, NotFoundError
from segue.model import Case, Exchange, short_id
from segue.model.route import Route
from segue.store.base import ArmRow, CaseRow, RecordedLabel
from segue.store.chain import NOUNS

PRODUCTION = "production"
SHOWN = 20
"""How many faults of one write are told one by one."""


def no_bundle(digest: str, workflow: str | None = None) -> NotFoundError:
    """There is no bundle of this digest (in this workflow)."""
    place = f" of workflow '{workflow}'" if workflow else ""
    return NotFoundError(f"There is no bundle {short_id(digest)}{place}.", fix="`segue bundle list` shows what is stored.")


def no_route(workflow: str, environment: str, known: Sequence[tuple[str, str]]) -> NotFoundError:
    """No route of this workflow was ever set in this environment."""
    others = [one for name, one in known if name == workflow]
    if others:
        return NotFoundError(
            f"Workflow '{workflow}' has no route in {environment}; it has one in {', '.join(sorted(others))}.",
            fix=f"Set one: segue route set {workflow} BUNDLE --environment {environment}",
        )
    fix = f"Put what serves today in force: segue route set {workflow[:120]} BUNDLE"
    fix += "" if environment == PRODUCTION else f" --environment {environment}"
    if not known:
        return NotFoundError(f"Workflow '{workflow[:120]}' has no route in {environment}, nor has any other.", fix=fix)
    return NotFoundError.naming("route of workflow", workflow, sorted({name for name, _ in known}), fix=fix)


def check_route(route: Route, last: int | None, follows: int | None, workflows: Mapping[str, str | None]) -> int:
    """The number of the next revision; `workflows` says of each bundle it names which workflow's it is, `None` if unknown."""
    for digest, workflow in workflows.items():
        if workflow != route.workflow:
            raise no_bundle(digest, route.workflow)
    if follows != last:
        seen = "no route" if follows is None else f"revision {follows}"
        now = "none is" if last is None else f"revision {last} is"
        raise ConflictError(
            f"The route of {route.workflow} in {route.environment} was changed meanwhile: {seen} was seen, {now} in force.",
            fix=f"Look again: segue route show {route.workflow}",
        )
    return (last or 0) + 1


def is_taken_back(route: Route) -> bool:
    """Whether the incumbent serves everyone already, and there is no candidate to let in again."""
    return not (route.candidate or route.shadow or route.share or any(rule.share for rule in route.segments))


def no_suite(digest: str) -> NotFoundError:
    """There is no suite of this digest."""
    return NotFoundError(f"There is no suite {short_id(digest)} in the store.", fix="Add it first; `segue check` reads suites.")


def no_run(run: str, known: Sequence[str]) -> NotFoundError:
    """There is no run of this name."""
    return NotFoundError.naming("run", run, known)


def duplicate_cases(suite: str, case_ids: Sequence[str]) -> ConflictError:
    """Cases of one suite share a `case_id`."""
    names = sorted(set(case_ids))
    faults = [
        Fault(what=f"case_id '{name}' is used more than once.", fix="Give every case its own.", path=name)
        for name in names[:SHOWN]
    ]
    shown = ", ".join(f"'{name}'" for name in names[:3])
    return ConflictError(
        f"{len(names)} case_id{'s are' if len(names) > 1 else ' is'} used more than once in suite '{suite}': {shown}"
        f"{' and others' if len(names) > 3 else ''}.",
        fix="Give every case its own case_id.",
        faults=faults,
    )


def label_conflict(clashes: Sequence[RecordedLabel]) -> ConflictError:
    """Recorded labels contradict the ones stored before. The labels themselves are content and are not shown."""
    faults = [
        Fault(
            what=f"'{one.labeler}' gave case '{one.case_id}'{_repeat(one)} another label before.",
            fix="Keep one of the two, or give the new labels under another labeler.",
            path=one.case_id,
        )
        for one in clashes[:SHOWN]
    ]
    return ConflictError(
        f"{len(clashes)} recorded label{'s contradict' if len(clashes) > 1 else ' contradicts'} what is stored. "
        f"The first: {faults[0].what}",
        fix=faults[0].fix,
        faults=faults,
    )


def _repeat(label: RecordedLabel) -> str:
    return "" if label.repeat is None else f" (repeat {label.repeat})"


def record_conflict(kind: str, name: str) -> ConflictError:
    """A run, its end or a verdict is stored already, with other content."""
    return ConflictError(
        f"The {NOUNS[kind]} '{name}' is recorded already, with other content; records are never changed.",
        fix="Record it under another name.",
    )


def check_log_kind(kind: str) -> None:
    """`ConflictError` for a kind of entry that only the store itself writes, with the record it vouches for."""
    if kind in NOUNS:
        raise ConflictError(
            f"Log entries of kind '{kind}' are written with the {NOUNS[kind]} they vouch for.", fix="Choose another kind."
        )


def case_row(case: Case) -> CaseRow:
    """The light form of a case."""
    return CaseRow(
        case_id=case.case_id,
        input_digest=case.input_digest,
        task=case.task,
        slices=dict(case.slices),
        kind=case.kind,
        critical=case.critical,
        cluster=case.cluster,
    )


def arm_row(exchange: Exchange, scores: Mapping[str, float | None]) -> ArmRow:
    """The light form of an exchange."""
    return ArmRow(
        case_id=exchange.case_id,
        input_digest=exchange.input_digest,
        repeat=exchange.repeat,
        status="reply" if exchange.reply is not None else "failure",
        failure_kind=exchange.failure.kind if exchange.failure else None,
        latency_ms=exchange.latency_ms,
        ttft_ms=exchange.ttft_ms,
        cost_microusd=exchange.cost_microusd,
        input_tokens=exchange.usage.input_tokens,
        output_tokens=exchange.usage.output_tokens,
        reasoning_tokens=exchange.usage.reasoning_tokens,
        scores=scores,
    )
