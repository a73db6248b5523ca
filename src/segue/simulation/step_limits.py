"""Limits that a plan sets for some of its steps alone: questions of their own, which count in those steps and say nothing else.

Each has its own evidence from the canary's first block on, and its own part of the weight that its gate has, so that alpha
holds over all of them. A plan without such limits is left as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from segue.model.plan import Limit
from segue.simulation.setting import GateSetting, Setting, null_of


def for_canary(setting: Setting) -> Setting:
    """The setting with a gate added for each pair of limits that only some steps have; after the others, in their order."""
    gates, added, sources = [], [], []
    for row, gate in enumerate(setting.gates):
        own = _of_steps(setting, row)
        named = {step for _, steps in own for step in steps}
        gates.append(replace(gate, steps=frozenset(range(len(setting.steps))) - named) if own else gate)
        added += [_gate(setting, gate, limits, steps) for limits, steps in own]
        sources += [row] * len(own)
    if not added:
        return setting
    steps = tuple(
        replace(
            one,
            nulls=(*one.nulls, *(one.nulls[row] for row in sources)),
            limits=(*one.limits, *(one.limits[row] for row in sources)),
        )
        for one in setting.steps
    )
    parts = np.array([1 + sources.count(row) for row in range(len(setting.gates))])
    shared = setting.weights / parts[:, None]
    return replace(setting, gates=(*gates, *added), steps=steps, weights=np.concatenate([shared, shared[sources]]))


def idle_gates(setting: Setting) -> NDArray[np.bool_]:
    """By step and gate, whether its limits are not those of the step. Shape (steps, gates)."""
    return np.array(
        [[gate.steps is not None and step not in gate.steps for gate in setting.gates] for step in range(len(setting.steps))]
    )


def _of_steps(setting: Setting, row: int) -> list[tuple[tuple[Limit, Limit], list[int]]]:
    """The pairs of limits that are not the gate's own, with the steps that have them."""
    plan, found = setting.plan, list[tuple[tuple[Limit, Limit], list[int]]]()
    own = plan.limits_of(plan.gates[row])
    for step in range(len(plan.canary)):
        limits = plan.limits_of(plan.gates[row], step)
        if limits == own:
            continue
        known = next((steps for one, steps in found if one == limits), None)
        if known is None:
            found.append((limits, [step]))
        else:
            known.append(step)
    return found


def _gate(setting: Setting, gate: GateSetting, limits: tuple[Limit, Limit], steps: Sequence[int]) -> GateSetting:
    """It can hold and roll back, and keeps nothing waiting: what has to be excluded is asked of the gate itself."""
    hold, rollback = limits
    stream = setting.streams[gate.stream]
    title = f"{gate.title} in step {' and '.join(str(step + 1) for step in steps)}"
    rule = replace(gate.rule, metric=title, rollback=null_of(rollback, stream, "harm"), hold=null_of(hold, stream, "harm"))
    return replace(
        gate, title=title, rule=rule, hold=hold, rollback=rollback, required=(), min_exposed=0, steps=frozenset(steps)
    )
