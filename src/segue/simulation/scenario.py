"""What may be wrong with a candidate: scenarios to try a plan on, as they are typed and as they come by default.

    slice=refund quality -8pts            on one slice
    errors +50%                           relative to the incumbent's own rate
    quality -5pts from day 9              later on; `from soak` counts from full traffic
    quality -3pts, errors +1pt            several at once

A sign is in the metric's own direction. Text comes in, a frozen value goes out; what it does to outcomes is `outcomes`'s.
Trouble with the comparison itself is typed in `trouble_text`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

import numpy as np

from segue.evidence.sequential.betting import Array
from segue.model.plan_text import days_text
from segue.simulation.setting import GateSetting, Reach, Setting, reach_of
from segue.simulation.trouble import PLACES, Trouble

SOAK = -1.0
"""In place of a day: with full traffic."""
MOST_SLICES = 3
AMOUNT = re.compile(r"([+\-−])(\d+(?:\.\d+)?)(%|pp|pts?|points?)", re.ASCII)
_BEYOND = 1.5
"""By how much the default scenarios go beyond the rollback limit."""


@dataclass(frozen=True, slots=True)
class Shift:
    """The candidate's badness of one stream moves by `amount` on a cell (0: everywhere), from a day on."""

    stream: int
    cell: int
    amount: float
    since: float = 0.0


@dataclass(frozen=True, slots=True)
class Scenario:
    """A name and what is wrong: shifts are the candidate's, troubles are of the comparison itself; nothing, without both."""

    name: str
    shifts: tuple[Shift, ...] = ()
    troubles: tuple[Trouble, ...] = ()

    @property
    def is_late(self) -> bool:
        """Whether it all begins with the soak."""
        return bool(self.shifts) and all(shift.since == SOAK for shift in self.shifts)


class ScenarioError(ValueError):
    """A scenario that cannot be read: what is wrong, what was likely meant, and what to write."""

    def __init__(self, what: str, fix: str, likely: str | None = None) -> None:
        super().__init__(what)
        self.what, self.fix, self.likely = what, fix, likely


def read_scenario(text: str, setting: Setting) -> Scenario:
    """One scenario as typed. `ScenarioError` names the word that cannot be read."""
    shifts = tuple(_read_part(part, setting) for part in text.split(","))
    if len({shift.cell for shift in shifts if shift.cell}) > MOST_SLICES:
        raise ScenarioError(f"More than {MOST_SLICES} slices in one scenario.", "Split it into several --regression.")
    for shift in shifts:
        if shift.since >= setting.longest_days:
            what = f"'from day {shift.since:g}' is after the end of the plan: {length_words(setting)}."
            raise ScenarioError(what, "Write an earlier day, or 'from soak'.")
        rate = setting.streams[shift.stream].rate
        if not 0 <= rate + shift.amount <= 1:
            stream = setting.streams[shift.stream]
            own = 1 - rate if stream.better == "higher" else rate
            what = f"'{text.strip()}' takes {stream.metric} out of 0 to 100 %: the incumbent is at {own * 100:.3g} %."
            raise ScenarioError(what, "Write a smaller change.")
    return Scenario(" ".join(text.replace("−", "-").split()), shifts)


def late_remark(setting: Setting, scenario: Scenario) -> str | None:
    """That a scenario begins when most runs are over: those that nothing has extended never meet it."""
    days = (*(one.since for one in scenario.shifts), *(one.since for one in scenario.troubles))
    latest = max(days, default=0.0)
    if latest < (setting.canary_days if scenario.troubles else setting.planned_days):
        return None
    return f"'{scenario.name}' begins when only extended runs are still under way: {length_words(setting)}."


def length_words(setting: Setting) -> str:
    """How long the plan lasts, as planned and at most."""
    planned, longest = days_text(setting.planned_days), days_text(setting.longest_days)
    return f"with its soak it lasts {planned}" + (f", {longest} if every step is extended" if longest != planned else "")


def _read_part(part: str, setting: Setting) -> Shift:
    words = part.replace("−", "-").split()
    cell, since = 0, 0.0
    if not words:
        raise ScenarioError("The scenario is empty.", _example(setting))
    if "=" in words[0]:
        cell = _read_slice(words.pop(0), setting)
    if len(words) >= 2 and "from" in words:
        place = words.index("from")
        since = read_since(words[place + 1 :])
        words = words[:place]
    names = [stream.metric for stream in setting.streams]
    if len(words) > 1 and words[-2] in PLACES and words[-2] not in names:
        what = f"'{part.strip()}' is trouble with the comparison, not a change of the candidate."
        raise ScenarioError(what, f"Write it as --trouble '{part.strip()}'.")
    if len(words) != 2:
        near = near_name(" ".join(words[:-1]), names) if len(words) > 2 and AMOUNT.fullmatch(words[-1]) else None
        raise ScenarioError(
            f"'{part.strip()}' is not a metric and a change of it" + (f": {len(words)} words are left." if words else "."),
            _example(setting),
            near,
        )
    metric, amount = words
    found = AMOUNT.fullmatch(amount)
    if found is None:
        if AMOUNT.fullmatch(metric):
            raise ScenarioError(f"'{metric}' stands before the metric.", _example(setting), f"'{amount} {metric}'")
        raise ScenarioError(
            f"'{amount}' is not a change: it needs a sign, a number and a unit.",
            "Write -8pts for points, or +20% of the rate.",
            near_change(words),
        )
    if metric not in names:
        raise ScenarioError(
            f"The plan has no gate on '{metric}'.", f"Its gates are on {', '.join(names)}.", near_name(metric, names)
        )
    row = names.index(metric)
    value = (1 if found[1] == "+" else -1) * float(found[2]) / 100
    return Shift(row, cell, setting.streams[row].badness(value, is_relative=found[3] == "%"), since)


def _read_slice(word: str, setting: Setting) -> int:
    """`task=refund`, or `slice=refund` where one slice alone has that value."""
    name, _, value = word.partition("=")
    names = setting.slices[1:]
    if name == "slice":
        fitting = [one for one in names if value in (one, one.partition("=")[2])]
        if len(fitting) > 1:
            raise ScenarioError(f"'{word}' is one of several slices.", f"Write one of {', '.join(fitting)}.")
        word = fitting[0] if fitting else value
    if word not in names:
        known = f"It has {', '.join(names[:12])}." if names else "Write its slices with their shares into the plan: `slices:`."
        raise ScenarioError(f"The plan has no slice '{word}'.", known, near_name(word, names))
    return setting.slices.index(word)


def read_since(words: list[str], *, has_soak: bool = True) -> float:
    """The day of `day 9`; `SOAK` of `soak`, where that is a beginning."""
    if words == ["soak"] and has_soak:
        return SOAK
    if len(words) == 2 and words[0] == "day" and re.fullmatch(r"\d+(?:\.\d+)?", words[1]):
        return float(words[1])
    fix = "Write 'from day 9', or 'from soak'." if has_soak else "Write 'from day 9': days count from the first step."
    raise ScenarioError(f"'from {' '.join(words)}' is no beginning.", fix)


def near_change(words: Sequence[str]) -> str | None:
    """A change with a sign that lacks its unit alone: points are what people mean first."""
    return f"'{' '.join(words)}pts'" if len(words) > 1 and re.fullmatch(r"[+\-]\d+(?:\.\d+)?", words[-1]) else None


def near_name(word: str, names: Sequence[str]) -> str | None:
    """What was likely meant: the whole name, for a slice its value alone, or the one name that has a part like it."""
    folded = {_folded(one): one for one in names}
    wanted = _folded(word)
    if near := get_close_matches(wanted, list(folded), n=1):
        return f"'{folded[near[0]]}'"
    tails = {_folded(one.partition("=")[2]): one for one in names if "=" in one}
    if near := get_close_matches(_folded(word.partition("=")[2] or word), list(tails), n=1):
        return f"'{tails[near[0]]}'"
    # `topic` for `right_topic`, `thumbs_down_rate` for `thumbs_down`: a part is enough where it points to one name alone.
    parts = [whole for name, whole in folded.items() if _shares_a_part(wanted, name)]
    return f"'{parts[0]}'" if len(parts) == 1 else None


def _folded(name: str) -> str:
    """Case and the signs between words are what people get wrong first."""
    return re.sub(r"[\s_\-.]+", "_", name.casefold())


def _shares_a_part(word: str, name: str) -> bool:
    return bool(word) and any(get_close_matches(one, name.split("_"), n=1, cutoff=0.8) for one in word.split("_"))


def _example(setting: Setting) -> str:
    stream = setting.streams[0]
    sign = "-" if stream.better == "higher" else "+"
    place = f"{setting.slices[1]} " if len(setting.slices) > 1 else ""
    return f"Write it as '{place}{stream.metric} {sign}5pts'."


def default_scenarios(setting: Setting) -> Iterator[Scenario]:
    """No change; each gate at its hold limit, and beyond its rollback limit; a critical slice; a change that comes late."""
    yield Scenario("no change")
    for gate in setting.gates:
        cell = gate.watched[0]
        for factor, is_rollback in ((1.0, False), (_BEYOND, True)):
            shift = _at_limit(setting, gate, cell, factor, is_rollback=is_rollback)
            words = "at its hold limit" if not is_rollback else f"{_BEYOND:g} × its rollback limit"
            yield Scenario(f"{gate.title} {words} ({_points(shift.amount)})", (shift,))
    for cell in setting.critical[:1]:
        gate = next((one for one in setting.gates if cell in one.watched), setting.gates[0])
        shift = _at_limit(setting, gate, cell, 2.0, is_rollback=True)
        yield Scenario(f"{setting.slices[cell]} {gate.title} 2 × its rollback limit ({_points(shift.amount)})", (shift,))
    if setting.plan.soak:
        gate = setting.gates[0]
        shift = _at_limit(setting, gate, gate.watched[0], 2.0, is_rollback=True, since=SOAK)
        yield Scenario(f"{gate.title} 2 × its rollback limit from soak ({_points(shift.amount)})", (shift,))


def _at_limit(setting: Setting, gate: GateSetting, cell: int, factor: float, *, is_rollback: bool, since: float = 0.0) -> Shift:
    stream = setting.streams[gate.stream]
    null = gate.rule.rollback if is_rollback else gate.rule.hold
    amount = factor * ((null.ratio - 1) * stream.rate + null.margin)
    return Shift(gate.stream, cell, min(amount, 0.99 - stream.rate), since)


def _points(amount: float) -> str:
    return f"{amount * 100:.2g} points worse"


def true_shifts(setting: Setting, scenario: Scenario) -> Array:
    """How much worse the candidate is at last, in badness, by stream and cell; a slice's share counts for the others."""
    table = np.zeros((len(setting.streams), len(setting.slices)))
    for shift in scenario.shifts:
        if not shift.cell:
            table[shift.stream] += shift.amount
            continue
        own = dimension(setting.slices[shift.cell])
        for cell, name in enumerate(setting.slices):
            if cell == shift.cell:
                table[shift.stream, cell] += shift.amount
            elif not cell or dimension(name) != own:
                table[shift.stream, cell] += shift.amount * setting.shares[shift.cell]
    return table


def dimension(name: str) -> str:
    """`task` of `task=refund`."""
    return name.partition("=")[0]


def reach(setting: Setting, scenario: Scenario) -> Reach:
    """Beyond which limit the candidate truly is in this scenario."""
    return reach_of(setting, true_shifts(setting, scenario))
