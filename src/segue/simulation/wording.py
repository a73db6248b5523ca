"""What a simulation means, in sentences for those who wrote the plan. Numbers come from the figures alone."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import TYPE_CHECKING

from segue.model.plan_text import days_text, share_text
from segue.simulation.blindness import NEARLY, Sight
from segue.simulation.guards import promised_alpha
from segue.simulation.setting import Setting

if TYPE_CHECKING:
    from segue.simulation.result import ScenarioResult

WANTED = 0.8
"""A scenario beyond a rollback limit that is rolled back less often than this is told."""

DRIFTS = "without a holdback, drift looks like harm; `holdback: 5%` keeps a live comparison"


def sentences_of(
    setting: Setting, per_day: float, sights: Sequence[Sight], results: Sequence[ScenarioResult]
) -> tuple[str, ...]:
    """What is wrong with the plan first, then what it does."""
    return (*blind_sentences(setting, per_day, sights), *result_sentences(setting, results))


def blind_sentences(setting: Setting, per_day: float, sights: Sequence[Sight]) -> tuple[str, ...]:
    """Per gate: where it is blind to its own limit and what would see it, and which step waits longest for what."""
    found = []
    for gate in setting.gates:
        own = [one for one in sights if one.gate == gate.title]
        totals = [one for one in own if not one.slice] or own[:: max(1, len(own) // max(len(setting.steps), 1))]
        # A gate that is only watched has nothing to exclude.
        if gate.required:
            found += _limit_sentence(per_day, totals, "drop" if setting.streams[gate.stream].better == "higher" else "rise")
        never = [one for one in own if one.asked is not None and one.asked_days is None]
        late = [one for one in own if one.is_blind and one.asked_days is not None]
        if never:
            one = never[0]
            found.append(_never(setting, one))
        elif late:
            found.append(_late(setting, max(late, key=lambda one: (one.asked_days or 0) - one.days)))
    return tuple(found)


def _limit_sentence(per_day: float, totals: Sequence[Sight], worse: str) -> list[str]:
    """ "At 400 requests a day this plan cannot see a 2-point drop at 1 %; it needs 5 % for 9 days"."""
    blind = [one for one in totals if one.excludes is None or one.excludes > NEARLY * one.limit]
    if not blind:
        return []
    one = blind[-1]
    shares = either(list(dict.fromkeys(share_text(each.share) for each in blind)))
    what = f"a {change_text(one.limit)} {worse} of {one.metric}{on_slice(one)}"
    head = f"At {per_day:,.0f} requests a day this plan cannot see {what} at {shares}"
    if one.better_share is None or one.better_days is None:
        return [f"{head}, and no share would show it: too few labels, or too many that do not come."]
    needs = f"it needs {share_text(one.better_share)} for {days_text(one.better_days)}"
    sees = "" if one.excludes is None else f" (what it has excluded by then is harm beyond {points(one.excludes)})"
    return [f"{head}{sees}; {needs}."]


def _never(setting: Setting, one: Sight) -> str:
    stream = next(each for each in setting.streams if each.metric == one.metric)
    why = f"{one.outcomes:,.0f} outcomes come by its end"
    if stream.answered < 1:
        why = f"{share_text(1 - stream.answered)} of the labels do not come, and at their worst they hide more than that"
        why += "; `required: false` lets the gate stop an upgrade and not keep it waiting"
    return f"Step {one.step + 1} can never exclude {points(one.asked)} of {one.metric}{on_slice(one)}: {why}."


def _late(setting: Setting, one: Sight) -> str:
    step = setting.steps[one.step]
    days = ceil((one.asked_days or 0.0) - 1e-9)
    planned = f"Step {one.step + 1} ({share_text(one.share)}) is planned for {days_text(one.days)}"
    takes = f"to exclude {points(one.asked)} of {one.metric}{on_slice(one)} it takes about {days_text(days)}"
    if days > step.longest:
        return f"{planned}; {takes}, longer than the {days_text(step.longest)} it may last: a person would have to decide."
    return f"{planned}; {takes}: it will extend."


def result_sentences(setting: Setting, results: Sequence[ScenarioResult]) -> tuple[str, ...]:
    """Per scenario, what most runs come to."""
    found = []
    for one in results:
        share = one.rolled_back.share
        if share is None:
            continue
        back = f"was rolled back in {share_text(share)} of the runs"
        if one.is_false and share > setting.plan.alpha + 2 * (one.rolled_back.error or 0.0):
            found.append(f"'{one.name}' {back} though it is within the rollback limits{_why_false(setting, one, share)}.")
        found += _guard_sentences(setting, one)
        if not one.is_false and share < WANTED:
            found.append(f"'{one.name}' is beyond a rollback limit and {back}; most others {_rest(one)}.")
    calm = next((one for one in results if one.name == "no change" and one.runs), None)
    if calm is not None and (calm.completed.share or 0.0) < 0.5:
        step = max(range(len(calm.stuck_by_step)), key=lambda index: calm.stuck_by_step[index])
        where = _stuck_in_soak(setting, calm)
        if step < len(setting.steps):
            where = f"at step {step + 1} ({share_text(setting.steps[step].share)})"
        found.append(
            f"With no change at all, {share_text(calm.completed.share or 0.0)} of the runs complete by themselves; "
            f"{share_text(calm.stuck_by_step[step])} wait for a person {where}."
        )
    return tuple(found)


def _stuck_in_soak(setting: Setting, one: ScenarioResult) -> str:
    """Held there, or at its end with too little seen: whichever is more."""
    if 2 * (one.held_in_soak.share or 0.0) < one.stuck_by_step[-1]:
        return "at the end of the soak: too few of its own outcomes came of age"
    if setting.plan.holdback:
        return "in soak, held for harm beyond a hold limit"
    return f"in soak, held for harm beyond a hold limit: {DRIFTS}"


def _guard_sentences(setting: Setting, one: ScenarioResult) -> list[str]:
    """A trouble that the guards did not notice, or guards that are noisier than they promise."""
    share = one.invalid.share or 0.0
    if one.is_troubled and share < WANTED:
        passed = f"{share_text(one.completed.share)} completed with it" if one.completed.share else "none completed"
        return [
            f"'{one.name}' makes the comparison worth nothing, and the guards said so in {share_text(share)} of the runs; "
            f"of the others most were {_rest(one, but='invalid')}, and {passed}."
        ]
    promised = promised_alpha(setting)
    if not one.is_troubled and share > promised + 2 * (one.invalid.error or 0.0):
        said = f"'{one.name}' ended as invalid in {share_text(share)} of the runs though nothing is wrong with the comparison"
        return [f"{said}: the guards promise at most {share_text(promised)}."]
    return []


def _why_false(setting: Setting, one: ScenarioResult, share: float) -> str:
    """Soak without a holdback has nothing beside it that drifts alike."""
    if setting.plan.holdback or 2 * (one.in_soak.share or 0.0) < share:
        return ""
    return f", most of them in soak: {DRIFTS}"


def _rest(one: ScenarioResult, *, but: str = "rolled back") -> str:
    """What became of most runs that did not end in one way."""
    ends = {"held for people": one.held.share, "left to a person": one.unsettled.share, "completed": one.completed.share}
    ends |= {"invalid": one.invalid.share, "rolled back": one.rolled_back.share}
    return max((name for name in ends if name != but), key=lambda name: ends[name] or 0.0)


def on_slice(one: Sight) -> str:
    """` on task=refund`, or nothing for the total."""
    return f" on {one.slice}" if one.slice else ""


def points(amount: float | None) -> str:
    """`2 points`; what is not known is `–`."""
    if amount is None:
        return "–"
    shown = f"{amount * 100:.2g}" if amount < 0.1 else f"{amount * 100:.0f}"
    return f"{shown} {'point' if shown == '1' else 'points'}"


def either(names: Sequence[str]) -> str:
    """`a, b or c`."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"


def change_text(amount: float) -> str:
    """`2-point`."""
    return f"{amount * 100:.2g}-point"
