"""Feedback as it is sent: the body of `POST /v1/feedback`, or a header on the next request, read into outcomes.

All faults of a body at once, by field and never by content. What is said twice in the same words is one and the same: whoever
sends no id of its own gets one made of what it says. Pure; who keeps outcomes is `feedback.py`, what becomes of them
`segue.exchanges.feedback`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from hashlib import blake2b
from math import isfinite
from typing import Any
from urllib.parse import unquote

import msgspec

from segue.errors import Fault, InputError
from segue.exchanges.outcome import Outcome
from segue.exchanges.record import Keep, keep_body

MOST = 100
"""Items of one body."""
LARGEST = 256 << 10
"""Bytes of one body: it is read between the requests of users."""
MOST_SCORES = 16
"""Of one item."""
LONGEST = 512
"""Characters of a name, an id or a ticket."""
HEADER = b"segue-feedback"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EXCHANGE = re.compile(r"[A-Za-z0-9_-]{1,64}")
_SCORE = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}")
_RESERVED = frozenset({"rating", "thumbs", "correction", "ticket", "comment"})
_THUMBS = {"up": 1.0, "down": 0.0}
_FIELDS = ("exchange", "thumbs", "rating", "scale", "scores", "correction", "ticket", "comment", "author", "at", "workflow")
_READABLE = "Send UTF-8 with double quotes and finite numbers, nested less deep."
_KNOWN = (*_FIELDS, "feedback_id")
_decode_any = msgspec.json.Decoder().decode
_Item = dict[str, msgspec.Raw]


@dataclass(frozen=True, slots=True)
class Teller:
    """Who tells. `scope`: the workflows its key may tell of, none for all. `find_keep` says what is kept of a workflow's texts
    (of all the key may tell of, where none is named), or what is wrong with the workflow that is named."""

    name: str
    scope: tuple[str, ...]
    at_ns: int
    find_keep: Callable[[str | None], Keep | Fault]


@dataclass(frozen=True, slots=True)
class Said:
    """One thing that is said of an exchange."""

    kind: str
    value: float | None = None
    label: str | None = None
    lowest: float | None = None
    highest: float | None = None
    text: bytes | None = None


@dataclass(frozen=True, slots=True)
class Feedback:
    """One item: what was said of one exchange, under one id."""

    id: str
    exchange: str
    outcomes: tuple[tuple[Outcome, bytes], ...]


class _Faults:
    """Collects what is wrong with one item, with the place in front."""

    def __init__(self, place: str) -> None:
        self.place = place
        self.found: list[Fault] = []

    def add(self, path: str, what: str, fix: str, likely: str | None = None) -> None:
        where = path if not self.place else f"{self.place}.{path}" if path else self.place
        self.found.append(Fault(what=what, fix=fix, path=where or None, likely=likely))


@dataclass(slots=True)
class _Read:
    """The fields of one item, as Python has them; those that cannot be read are faults already."""

    given: dict[str, Any]
    raw: Mapping[str, bytes]
    faults: _Faults
    said: list[Said] = field(default_factory=list)


def read_feedback(body: bytes, teller: Teller, key: str | None = None) -> tuple[bool, list[Feedback]]:
    """Whether the body was a list, and what it says. `key` is the request's own idempotency key.

    Raises `InputError` with every fault: all of a body is taken, or nothing of it.
    """
    is_list = body.lstrip()[:1] == b"["
    items = _items(body, is_list)
    found: list[Feedback] = []
    faults: list[Fault] = []
    for number, item in enumerate(items):
        told = _Faults(f"[{number}]" if is_list else "")
        read = _Read({}, {name: bytes(value) for name, value in item.items()}, told)
        for name, value in item.items():
            try:
                read.given[name] = _decode_any(value)
            except (msgspec.DecodeError, UnicodeError, RecursionError):
                told.add(_clipped(name), "This is no JSON that can be read.", _READABLE)
        own = None if key is None else f"{key}.{number}" if is_list else key
        one = _feedback(read, teller, own)
        faults += told.found
        if one is not None:
            found.append(one)
    if faults:
        raise InputError.from_faults(faults, subject="the feedback")
    return is_list, found


def read_header(raw: bytes, teller: Teller) -> tuple[list[Feedback], list[Fault]]:
    """`EXCHANGE; thumbs=up; score.tone=0.3; rating=4/5`, several with commas between; values percent-encoded."""
    found: list[Feedback] = []
    faults: list[Fault] = []
    parts = [part for part in raw.decode("utf-8", "replace").split(",") if part.strip()]
    if not parts or len(parts) > MOST:
        fix = f"Write EXCHANGE; thumbs=up, for at most {MOST} exchanges."
        return [], [Fault(what=f"The header {HEADER.decode()} is empty or too long.", fix=fix, path=HEADER.decode())]
    for part in parts:
        told = _Faults(HEADER.decode())
        one = _feedback(_header_item(part, told), teller, None)
        faults += told.found
        if one is not None:
            found.append(one)
    return found, faults


def _items(body: bytes, is_list: bool) -> list[_Item]:
    if not body.strip():
        raise _refused("The body is empty.", 'Send {"exchange": "…", "thumbs": "up"}, or a list of such.')
    try:
        items = msgspec.json.decode(body, type=list[_Item]) if is_list else [msgspec.json.decode(body, type=_Item)]
    except msgspec.ValidationError as error:
        raise _refused(f"{error}.", "An item is an object with the exchange and what is said of it.") from None
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        raise _refused("The body is not JSON that can be read.", _READABLE) from None
    if not 1 <= len(items) <= MOST:
        raise _refused(f"The list has {len(items)} items.", f"Send between 1 and {MOST} at once.")
    return items


def _header_item(part: str, faults: _Faults) -> _Read:
    """An item from one part of the header, in the words of the body."""
    exchange, *pairs = (one.strip() for one in part.split(";"))
    given: dict[str, Any] = {"exchange": unquote(exchange)}
    for pair in filter(None, pairs):
        name, equals, value = pair.partition("=")
        name, text = name.strip(), unquote(value.strip())
        if not equals or name in given or name in ("exchange", "scale", "scores"):
            faults.add("", "A part of it is no name=value, or stands there twice.", "Write EXCHANGE; thumbs=up; rating=4/5.")
        elif name == "rating":
            value, slash, scale = text.partition("/")
            ends = [_number_of(end) for end in scale.split("..")]
            given |= {"rating": _number_of(value), "scale": None if not slash else ends if len(ends) > 1 else ends[0]}
        elif name.startswith("score."):
            given.setdefault("scores", {})[name.removeprefix("score.")] = _number_of(text)
        else:
            given["feedback_id" if name == "id" else name] = text
    return _Read(given, {}, faults)


def _number_of(text: str) -> float | str:
    """A number that was written in a header; what is none stays what it is, and is told later."""
    try:
        return float(text)
    except ValueError:
        return text


def _feedback(read: _Read, teller: Teller, key: str | None) -> Feedback | None:
    """One item; `None` where something is wrong with it."""
    faults, given = read.faults, read.given
    for name in sorted(given.keys() - set(_KNOWN)):
        near = get_close_matches(name, _KNOWN, n=1, cutoff=0.6)
        told = f"It takes: {', '.join(_KNOWN)}."
        faults.add(_clipped(name), "There is no such field, and no such kind of feedback.", told, near[0] if near else None)
    exchange = given.get("exchange")
    if not isinstance(exchange, str) or not _EXCHANGE.fullmatch(exchange):
        fix = "Send what the answer's header segue-exchange said: letters, digits, '-' and '_'."
        faults.add("exchange", "This is no identifier of an exchange.", fix)
    for say in (_thumbs, _rating, _scores, _texts):
        say(read)
    author, at = _short(read, "author"), _at(read, teller.at_ns)
    own, workflow = _short(read, "feedback_id"), _short(read, "workflow")
    if not read.said and not faults.found:
        faults.add(
            "", "Nothing is said of the exchange.", "Say thumbs, rating with scale, scores, correction, ticket or comment."
        )
    keep = teller.find_keep(workflow)
    if isinstance(keep, Fault):
        faults.add("workflow", keep.what, keep.fix, keep.likely)
    if faults.found or isinstance(keep, Fault):
        return None
    assert isinstance(exchange, str), "told above"
    base = Outcome(
        exchange,
        "",
        teller.name,
        "",
        teller.at_ns,
        workflow=workflow or (teller.scope[0] if len(teller.scope) == 1 else None),
        happened_ns=at,
        author=author,
        scope=teller.scope,
    )
    identifier = own or key or _content_id(exchange, read.said, author, at, workflow)
    return Feedback(identifier, exchange, tuple(_outcomes(base, identifier, read.said, keep)))


def _outcomes(base: Outcome, key: str, said: list[Said], keep: Keep) -> Iterator[tuple[Outcome, bytes]]:
    for one in said:
        note, text = keep_body(one.text, keep)
        yield (
            msgspec.structs.replace(
                base,
                kind=one.kind,
                key=key,
                value=one.value,
                label=one.label,
                lowest=one.lowest,
                highest=one.highest,
                text=note,
            ),
            text,
        )


def _content_id(exchange: str, said: list[Said], *rest: str | int | None) -> str:
    """The same words of the same exchange have the same id, so that sending them again changes nothing."""
    parts = (exchange, [(one.kind, one.value, one.label, one.lowest, one.highest, one.text) for one in said], rest)
    return blake2b(msgspec.msgpack.encode(parts), digest_size=12).hexdigest()


def _thumbs(read: _Read) -> None:
    thumbs = read.given.get("thumbs")
    if thumbs is None:
        return
    if isinstance(thumbs, str) and thumbs in _THUMBS:
        read.said.append(Said("thumbs", _THUMBS[thumbs], thumbs))
    else:
        read.faults.add("thumbs", "Thumbs are up or down.", 'Send "up" or "down".')


def _rating(read: _Read) -> None:
    rating, scale = read.given.get("rating"), read.given.get("scale")
    if rating is None:
        if scale is not None:
            read.faults.add("scale", "This is a scale without a rating.", "Send the rating too.")
        return
    value = _number(rating)
    ends = scale if isinstance(scale, list) else [1, scale]
    low, high = (_number(one) for one in ends) if len(ends) == 2 else (None, None)
    if scale is None or low is None or high is None or not low < high:
        fix = 'Send "scale": 5 for 1 to 5, or both ends: [0, 10]. In a header: rating=4/5, rating=7/0..10.'
        read.faults.add("scale", "A rating says nothing without its scale, a lower and a higher end.", fix)
    elif value is None or not low <= value <= high:
        fix = "Send a number within the scale; [0, 10] says that it begins at 0."
        read.faults.add("rating", f"The rating is no number from {low:g} to {high:g}.", fix)
    else:
        read.said.append(Said("rating", value, lowest=low, highest=high))


def _scores(read: _Read) -> None:
    scores = read.given.get("scores")
    if scores is None:
        return
    if not isinstance(scores, dict):
        read.faults.add("scores", "Scores are an object of names and numbers.", 'Send {"helpful": 0.8}.')
        return
    if len(scores) > MOST_SCORES:
        read.faults.add("scores", f"There are {len(scores)} scores.", f"Send at most {MOST_SCORES} with an item.")
        return
    for name, raw in scores.items():
        value = _number(raw)
        if not _SCORE.fullmatch(name) or name in _RESERVED:
            fix = f"A letter, then letters, digits, '_', '.', '-'; not one of {', '.join(sorted(_RESERVED))}."
            read.faults.add(f"scores.{_clipped(name)}", "This is no name of a score.", fix)
        elif value is None:
            read.faults.add(f"scores.{name}", "A score is a finite number.", "Leave it out where it is unknown.")
        else:
            read.said.append(Said(name, value))


def _texts(read: _Read) -> None:
    ticket = _short(read, "ticket")
    if ticket is not None:
        read.said.append(Said("ticket", label=ticket))
    comment = read.given.get("comment")
    if isinstance(comment, str) and comment:
        read.said.append(Said("comment", text=comment.encode()))
    elif comment is not None:
        read.faults.add("comment", "A comment is a text with something in it.", "Leave it out where there is none.")
    correction = read.given.get("correction")
    if isinstance(correction, str):
        read.said.append(Said("correction", label="text", text=correction.encode()))
    elif correction is not None:
        read.said.append(Said("correction", label="json", text=read.raw["correction"].strip()))


def _short(read: _Read, name: str) -> str | None:
    text = read.given.get(name)
    if text is None:
        return None
    if isinstance(text, str) and 0 < len(text.strip()) <= LONGEST:
        return text.strip()
    read.faults.add(name, f"This is no text of 1 to {LONGEST} characters.", "Leave it out where there is none.")
    return None


def _at(read: _Read, now_ns: int) -> int | None:
    """When it came about; a time without its zone could mean two, and one that is to come means a wrong clock."""
    text = read.given.get("at")
    if text is None:
        return None
    try:
        when = datetime.fromisoformat(text) if isinstance(text, str) else None
        at_ns = -1 if when is None or when.tzinfo is None else (when - _EPOCH) // timedelta(microseconds=1) * 1000
    except (ValueError, OverflowError):
        at_ns = -1
    if at_ns < 0:
        read.faults.add("at", "This is no time with its zone.", "Write it as 2026-11-21T09:30:00Z.")
    elif at_ns > now_ns + 86_400 * 1_000_000_000:
        read.faults.add("at", "This time is more than a day ahead.", "Check the clock it comes from, or leave it out.")
    else:
        return at_ns
    return None


def _number(value: Any) -> float | None:
    """A finite number; true and false are none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if isfinite(number) else None


def _clipped(name: str) -> str:
    return name if len(name) <= 60 else f"{name[:59]}…"


def _refused(what: str, fix: str) -> InputError:
    return InputError.from_faults([Fault(what=what, fix=fix)], subject="the feedback")
