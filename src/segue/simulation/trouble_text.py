"""Troubles with the comparison as they are typed, and those that are tried by default.

    share +20%                    the candidate gets a fifth more of the traffic than each step says
    share -1pt from day 3         one point less, later on
    answers -10pts                its users answer less often, whatever they are asked
    thumbs answers -50%           half as often, on one metric
    share +5%, answers -2pts      both at once

Text comes in, a frozen `Scenario` goes out; changes and beginnings are written as in `scenario`.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from segue.simulation.scenario import AMOUNT, Scenario, ScenarioError, length_words, near_change, near_name, read_since
from segue.simulation.setting import Setting
from segue.simulation.trouble import PLACES, Trouble

_EXAMPLE = "Write it as 'share +20%' for the candidate's share, or 'answers -10pts' for how often its users answer."


def read_trouble(text: str, setting: Setting) -> Scenario:
    """One trouble as typed: a scenario in which nothing is wrong with the candidate itself."""
    troubles = tuple(_read_part(part, setting) for part in text.split(","))
    for one in troubles:
        _check_beginning(one, setting)
        planned = _planned(one, setting)
        changed = one.unclipped(planned)
        if one.place == "share" and not ((changed >= 0) & (changed < 1)).all():
            place = int(np.argmax((changed < 0) | (changed >= 1)))
            what = f"'{text.strip()}' takes the candidate's share in step {place + 1} from {planned[place] * 100:.3g} %"
            fix = "Write a smaller change" + ("." if one.is_relative else ", or one in % of each step's share.")
            raise ScenarioError(f"{what} to {changed[place] * 100:.3g} %.", fix)
        if one.place == "answers" and not ((changed >= 0) & (changed <= 1)).all():
            stream = setting.streams[one.streams[int(np.argmax((changed < 0) | (changed > 1)))]]
            what = f"'{text.strip()}' takes the answers of {stream.metric} out of 0 to 100 %"
            raise ScenarioError(f"{what}: {stream.answered * 100:.3g} % are planned.", "Write a smaller change.")
    return Scenario("trouble: " + " ".join(text.replace("−", "-").split()), troubles=troubles)


def default_troubles(setting: Setting) -> Iterator[Scenario]:
    """A fifth more than the share; and where people are asked, a fifth fewer of the candidate's who answer."""
    if all(step.share * 1.2 < 1 for step in setting.steps):
        yield read_trouble("share +20%", setting)
    if any(0 < stream.answered < 1 for stream in setting.streams):
        yield read_trouble("answers -20%", setting)


def _read_part(part: str, setting: Setting) -> Trouble:
    words = part.replace("−", "-").split()
    since = 0.0
    if "from" in words:
        place = words.index("from")
        words, since = words[:place], read_since(words[place + 1 :], has_soak=False)
    if not words:
        raise ScenarioError("The trouble is empty.", _EXAMPLE)
    if any("=" in word for word in words):
        raise ScenarioError(f"'{part.strip()}' names a slice; a trouble is everyone's.", _EXAMPLE)
    if any(word in ("->", "→") for word in words):
        raise ScenarioError(f"'{part.strip()}' is two shares, not a change.", _EXAMPLE, _as_change(words))
    amount = AMOUNT.fullmatch(words[-1])
    if amount is None:
        likely = f"'{' '.join([*words[1:], words[0]])}'" if AMOUNT.fullmatch(words[0]) and len(words) > 1 else None
        what = f"'{words[-1]}' is not a change: it needs a sign, a number and a unit."
        raise ScenarioError(what, _EXAMPLE, likely or near_change(words))
    *names, kind = words[:-1] or [""]
    if kind not in PLACES and kind in [stream.metric for stream in setting.streams]:
        what = f"'{part.strip()}' is a change of the candidate; a trouble is of the comparison."
        raise ScenarioError(what, f"Write it as --regression '{part.strip()}'.")
    if kind not in PLACES:
        raise ScenarioError(f"'{part.strip()}' says neither share nor answers.", _EXAMPLE, near_name(kind, PLACES))
    value = (1 if amount[1] == "+" else -1) * float(amount[2]) / 100
    if kind == "share" and names:
        raise ScenarioError(f"'{' '.join(names)}' stands before share; the share is that of all traffic.", _EXAMPLE)
    streams = _streams(names, setting) if kind == "answers" else ()
    return Trouble("share" if kind == "share" else "answers", value, amount[3] == "%", streams, since)


def _streams(names: list[str], setting: Setting) -> tuple[int, ...]:
    """The metric that is named; without one, all that people are asked for, or all if no answer is ever missing."""
    metrics = [stream.metric for stream in setting.streams]
    if not names:
        asked = tuple(row for row, stream in enumerate(setting.streams) if stream.answered < 1)
        return asked or tuple(range(len(metrics)))
    name = " ".join(names)
    if name not in metrics:
        what = f"The plan has no gate on '{name}'."
        raise ScenarioError(what, f"Its gates are on {', '.join(metrics)}.", near_name(name, metrics))
    return (metrics.index(name),)


def _planned(one: Trouble, setting: Setting) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    if one.place == "share":
        return np.array([step.share for step in setting.steps])
    return np.array([setting.streams[row].answered for row in one.streams])


def _check_beginning(one: Trouble, setting: Setting) -> None:
    end = sum(step.longest for step in setting.steps)
    if one.since >= end:
        what = f"'from day {one.since:g}' is after the last step, and nothing is compared then: {length_words(setting)}."
        raise ScenarioError(what, "Write an earlier day.")


def _as_change(words: list[str]) -> str | None:
    """`share 5% -> 6%` as the change it is."""
    numbers = [float(word.rstrip("%")) for word in words if word.rstrip("%").replace(".", "", 1).isdigit()]
    if len(numbers) != 2 or not numbers[0] or numbers[0] == numbers[1]:
        return None
    return f"'share {100 * (numbers[1] / numbers[0] - 1):+.3g}%'"
