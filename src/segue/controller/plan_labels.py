"""What a plan gates on and no gateway would ever measure: such a plan would wait for labels that never come. Pure.

None of the eight ways, and refused like them: silence passes no gate, so an upgrade by it could only stand still. What the
gateway scores of live answers is `segue.gateway.live_scorers`; what the log keeps, the workflow's `serving`.
"""

from __future__ import annotations

from collections.abc import Iterator

from segue.errors import Fault
from segue.gateway.live_scorers import is_live
from segue.model import Workflow
from segue.model.plan import Plan, PlanGate
from segue.workspace.document import listed
from segue.workspace.known_parts import metrics_of

OF_A_BODY = frozenset({"refusal", "contract_broken", "cost"})
"""Served metrics that are read from the answer itself: its words, or the tokens it says it took."""


def unmeasured(plan: Plan, workflow: Workflow) -> Iterator[Fault]:
    """Every gate whose labels would never come, and what the log would leave out; paths are those of the plan."""
    yield from _thinned(workflow)
    live = tuple(one for one in workflow.scorers if is_live(one))
    known = tuple(one.name for one in metrics_of(workflow.model_copy(update={"scorers": live})) if one.is_bounded)
    for index, gate in enumerate(plan.gates):
        yield from _of_gate(gate, f"gates[{index}]", workflow, known)


def _of_gate(gate: PlanGate, path: str, workflow: Workflow, live: tuple[str, ...]) -> Iterator[Fault]:
    if gate.sampled < 1:
        what = f"'{gate.title}' asks {gate.sampled * 100:.3g} % of what is served for a label, and nothing draws whom:"
        what += " the log would have no probability for it, so no label would count."
        fix = "Delete `sampled`. Where few answer, write `answered` and `required: false`; thumbs are best gated as"
        fix += " `negative_feedback`, where nothing is missing."
        yield Fault(what, fix, path=f"{path}.sampled")
    if gate.source == "scorer" and gate.metric not in live:
        what = f"'{gate.metric}' is known of the suite's cases alone (it needs a reference, a judge or a program):"
        what += " no live answer would ever be scored by it."
        fix = f"The eval judges it all the same. Gate live traffic on {listed(live)}," if live else "Gate live traffic on"
        fix += " on what people say (`source: outcome`)," if live else " what people say (`source: outcome`),"
        fix += " or on what is served (`source: served`)."
        yield Fault(what, fix, path=f"{path}.metric")
    keep = workflow.serving.keep
    if keep != "full" and (gate.source == "scorer" or (gate.source == "served" and gate.metric in OF_A_BODY)):
        what = f"'{gate.metric}' is read from the answers, and '{workflow.name}' keeps none (`serving: {{keep: {keep}}}`)."
        fix = f"Write `keep: full` in workflows/{workflow.name}/workflow.yaml; `keep_bodies_share: 0` drops them once scored."
        yield Fault(what, fix, path=f"{path}.metric")


def _thinned(workflow: Workflow) -> Iterator[Fault]:
    share = workflow.serving.keep_share
    if share < 1:
        what = f"The exchange log of '{workflow.name}' keeps {share * 100:.3g} % of its exchanges (`serving: keep_share`):"
        what += " what users met, what they said of it and what it cost would be counted too low."
        fix = f"Write `keep_share: 1` in workflows/{workflow.name}/workflow.yaml for as long as the upgrade lasts;"
        fix += " `keep_bodies_share` may stay."
        yield Fault(what, fix, path="gates")
