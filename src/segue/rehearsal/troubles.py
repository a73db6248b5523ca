"""What goes wrong in a rehearsal, as it is typed; and when. Text in, frozen values out. What it does: `answers`, `serving`.

    task=refund right_action -10pts from day 9     the candidate's outputs in one slice become worse
    fence +20%                                     a fifth more of its answers come wrapped in a fence; refuse, cut
    slow x10 for 5%                                a slow tail; without `for`, all of it
    cost x2                                        it costs twice as much
    outage day 5 for 2h                            its provider does not answer
    share +20%                                     it gets a fifth more of the units than the route says
    negative_feedback +3pts from soak              users complain more often
    answers -20%                                   of those who are asked, fewer say something

Each is the candidate's; `incumbent` in front makes it the incumbent's, `both` both arms'. It begins `from day 9` (days from
the beginning of the rehearsal), `from shadow`, `from canary`, `from soak`, or `from 25%`: as the candidate reaches it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from segue.errors import Fault, InputError
from segue.rehearsal.clock import DAY_S
from segue.simulation.scenario import AMOUNT, near_name

Kind = Literal["metric", "outcome", "fence", "refuse", "cut", "slow", "cost", "outage", "share", "answers"]
ArmName = Literal["incumbent", "candidate"]
FORMS: tuple[Kind, ...] = ("fence", "refuse", "cut")
_WORDS = ("fence", "refuse", "cut", "slow", "cost", "outage", "share", "answers")
_TIMES = re.compile(r"[x×](\d+(?:\.\d+)?)", re.ASCII)
_PART = re.compile(r"(\d+(?:\.\d+)?)%", re.ASCII)
_LENGTH = re.compile(r"(\d+(?:\.\d+)?)\s*(m|h|d|w)", re.ASCII)
_SECONDS = {"m": 60.0, "h": 3_600.0, "d": DAY_S, "w": 7 * DAY_S}
_EXAMPLE = "Write it as 'task=refund right_action -10pts from day 9', 'fence +20%', 'slow x10 for 5%' or 'outage day 5 for 2h'."


@dataclass(frozen=True, slots=True)
class Since:
    """When it begins: on a day of the rehearsal, or with a stage, or with a share of the candidate."""

    day: float | None = 0.0
    mark: str = ""

    def at(self, begin: float, marks: Mapping[str, float]) -> float | None:
        """The moment; `None` while the stage or share has not come. `marks` are the moments of those that have."""
        return begin + self.day * DAY_S if self.day is not None else marks.get(self.mark)


@dataclass(frozen=True, slots=True)
class Trouble:
    """One thing that is wrong with the outputs, costs, times or shares of `arms`.

    `amount` is a change of a rate (of the own rate where `is_relative`), `factor` multiplies, `part` is the share of requests
    that it befalls, `lasts_s` how long.
    """

    text: str
    kind: Kind
    arms: tuple[ArmName, ...] = ("candidate",)
    where: str = ""
    metric: str = ""
    amount: float = 0.0
    is_relative: bool = False
    factor: float = 1.0
    part: float = 1.0
    since: Since = Since()
    lasts_s: float | None = None

    def is_on(self, now: float, begin: float, marks: Mapping[str, float]) -> bool:
        """Whether it befalls requests at this moment."""
        at = self.since.at(begin, marks)
        return at is not None and at <= now and (self.lasts_s is None or now < at + self.lasts_s)

    def meets(self, attributes: Mapping[str, str]) -> bool:
        """Whether a request with these attributes is in its slice."""
        name, _, value = self.where.partition("=")
        return not self.where or attributes.get(name) == value


@dataclass(frozen=True, slots=True)
class Known:
    """What troubles may name: metrics that scorers give, outcomes that the plan gates on, slices of the cases."""

    metrics: Sequence[str]
    outcomes: Sequence[str]
    slices: Sequence[str]


class _WrittenError(ValueError):
    def __init__(self, what: str, fix: str = _EXAMPLE, likely: str | None = None) -> None:
        super().__init__(what)
        self.what, self.fix, self.likely = what, fix, likely


def read_troubles(texts: Sequence[str], known: Known) -> tuple[Trouble, ...]:
    """All that was typed, commas between. `InputError` with every fault."""
    found, faults = [], []
    for number, text in enumerate(texts, 1):
        for part in text.split(","):
            try:
                found.append(_read(part, known))
            except _WrittenError as error:
                faults.append(Fault(error.what, error.fix, path=f"--trouble {number}", likely=error.likely))
    if faults:
        raise InputError.from_faults(faults, subject="the troubles")
    return tuple(found)


def _read(text: str, known: Known) -> Trouble:
    words = text.replace("−", "-").split()
    if not words:
        raise _WrittenError("The trouble is empty.")
    arms: tuple[ArmName, ...] = ("candidate",)
    if words[0] in ("incumbent", "candidate", "both"):
        first = words.pop(0)
        arms = ("incumbent", "candidate") if first == "both" else ("incumbent",) if first == "incumbent" else ("candidate",)
    where = _slice(words.pop(0), known) if words and "=" in words[0] else ""
    if not words:
        raise _WrittenError(f"'{text.strip()}' says what, but not how: a metric and a change of it are missing.")
    if words[0] == "outage":
        return _outage(text, words[1:], arms, where)
    since = Since()
    if "from" in words:
        place = words.index("from")
        since, words = _since(words[place + 1 :]), words[:place]
    if words[0] in ("slow", "cost") and words[0] not in known.metrics:
        return _factor(text, words, arms, where, since)
    name, amount = " ".join(words[:-1]), AMOUNT.fullmatch(words[-1])
    if not name or amount is None:
        likely = f"'{name} {words[-1]}pts'" if name and re.fullmatch(r"[+\-]\d+(\.\d+)?", words[-1]) else None
        raise _WrittenError(f"'{words[-1]}' is not a change: it needs a sign, a number and a unit.", likely=likely)
    value = (1 if amount[1] == "+" else -1) * float(amount[2]) / 100
    is_relative = amount[3] == "%"
    kind = _kind(name, known)
    if kind in FORMS and value <= 0:
        raise _WrittenError(f"'{text.strip()}' takes something away that only comes: {name} grows.", f"Write {name} +20%.")
    if kind == "share" and where:
        raise _WrittenError("The share is that of all traffic; it has no slice.", "Leave the slice out.")
    return Trouble(" ".join(text.split()), kind, arms, where, name, value, is_relative and kind not in FORMS, since=since)


def _kind(name: str, known: Known) -> Kind:
    if name in known.metrics:
        return "metric"
    if name in known.outcomes:
        return "outcome"
    plain: tuple[Kind, ...] = (*FORMS, "share", "answers")
    for kind in plain:
        if name == kind:
            return kind
    names = (*known.metrics, *known.outcomes, *_WORDS)
    what = f"There is no metric, outcome or trouble '{name}'."
    raise _WrittenError(what, f"There are {', '.join(names)}.", near_name(name, names))


def _factor(text: str, words: list[str], arms: tuple[ArmName, ...], where: str, since: Since) -> Trouble:
    kind: Kind = "slow" if words[0] == "slow" else "cost"
    times = _TIMES.fullmatch(words[1]) if len(words) > 1 else None
    if times is None or not 0 < float(times[1]) <= 10_000:
        raise _WrittenError(f"'{text.strip()}' says {kind}, and not how many times.", f"Write {kind} x3.")
    part = 1.0
    if len(words) > 2:
        found = _PART.fullmatch(words[3]) if len(words) == 4 and words[2] == "for" else None
        if found is None or not 0 < float(found[1]) <= 100:
            raise _WrittenError(f"'{' '.join(words[2:])}' is no part of the requests.", f"Write {kind} {words[1]} for 5%.")
        part = float(found[1]) / 100
    return Trouble(" ".join(text.split()), kind, arms, where, factor=float(times[1]), part=part, since=since)


def _outage(text: str, words: list[str], arms: tuple[ArmName, ...], where: str) -> Trouble:
    lasts = None
    if "for" in words:
        place = words.index("for")
        found = _LENGTH.fullmatch(" ".join(words[place + 1 :]))
        if found is None:
            raise _WrittenError(f"'{' '.join(words[place + 1 :])}' is no length of time.", "Write outage day 5 for 2h.")
        lasts, words = float(found[1]) * _SECONDS[found[2]], words[:place]
    since = _since(words[1:] if words[:1] == ["from"] else words) if words else Since()
    return Trouble(" ".join(text.split()), "outage", arms, where, since=since, lasts_s=lasts)


def _since(words: list[str]) -> Since:
    if words and words[0] in ("shadow", "canary", "soak") and len(words) == 1:
        return Since(None, words[0])
    if len(words) == 2 and words[0] == "day" and re.fullmatch(r"\d+(\.\d+)?", words[1]):
        return Since(float(words[1]))
    if len(words) == 1 and (part := _PART.fullmatch(words[0])) and 0 < float(part[1]) <= 100:
        return Since(None, share_mark(float(part[1]) / 100))
    fix = "Write 'from day 9', 'from canary', 'from soak' or 'from 25%'."
    raise _WrittenError(f"'{' '.join(words)}' is no beginning.", fix, near_name(" ".join(words), ("shadow", "canary", "soak")))


def share_mark(share: float) -> str:
    """The name of a share among the marks of time."""
    return f"{share:.9g}"


def _slice(word: str, known: Known) -> str:
    """`task=refund`, or `slice=refund` where one slice alone has that value."""
    name, _, value = word.partition("=")
    if name == "slice":
        fitting = [one for one in known.slices if value in (one, one.partition("=")[2])]
        if len(fitting) > 1:
            raise _WrittenError(f"'{word}' is one of several slices.", f"Write one of {', '.join(fitting)}.")
        word = fitting[0] if fitting else value
    if word not in known.slices:
        shown = f"There are {', '.join(known.slices[:12])}." if known.slices else "The cases have none."
        raise _WrittenError(f"No case is in a slice '{word}'.", shown, near_name(word, known.slices))
    return word
