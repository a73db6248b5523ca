"""Symptoms: mechanical reasons for failing that no repair of the text undoes. Each is a question about one pair. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from segue.drift.calls import count_calls
from segue.drift.fingerprint import FormatFingerprint, fingerprint
from segue.drift.output import output_text
from segue.drift.pairs import JudgedPair
from segue.model import Exchange


@dataclass(frozen=True, slots=True)
class View:
    """One arm's answer of a pair and its fingerprint, None where the provider gave no reply."""

    exchange: Exchange
    print: FormatFingerprint | None


@dataclass(frozen=True, slots=True)
class Symptom:
    """`is_shown` says whether the new answer has it where the old one had not."""

    name: str
    sentence: str
    is_shown: Callable[[View, View], bool]


def view_pair(pair: JudgedPair) -> tuple[View, View]:
    """Both arms of a pair, fingerprinted."""
    return _view(pair.old), _view(pair.new)


def _view(exchange: Exchange) -> View:
    return View(exchange, fingerprint(exchange.reply) if exchange.reply is not None else None)


def _newly(has: Callable[[FormatFingerprint], bool]) -> Callable[[View, View], bool]:
    def is_shown(old: View, new: View) -> bool:
        return new.print is not None and has(new.print) and not (old.print is not None and has(old.print))

    return is_shown


def _is_filtered(view: View) -> bool:
    return view.exchange.reply is not None and view.exchange.reply.finish_reason == "content_filter"


def _n_calls(view: View) -> int:
    reply = view.exchange.reply
    return 0 if reply is None else len(reply.tool_calls) or count_calls(output_text(reply))


def _is_other_language(old: View, new: View) -> bool:
    if old.print is None or new.print is None:
        return False
    if old.print.language and new.print.language:
        return old.print.language != new.print.language
    scripts = (old.print.script, new.print.script)
    return None not in scripts and scripts[0] != scripts[1] and new.print.shape.words > 1


SYMPTOMS: tuple[Symptom, ...] = (
    Symptom("provider", "the provider gave no answer", lambda old, new: new.print is None and old.print is not None),
    Symptom(
        "content_filter",
        "the provider's filter stopped the answer",
        lambda old, new: _is_filtered(new) and not _is_filtered(old),
    ),
    Symptom("empty", "an empty output", _newly(lambda one: one.is_empty)),
    Symptom("refusal", "a refusal", _newly(lambda one: one.is_refusal)),
    Symptom(
        "non_answer", "a non-answer (subjective, depends on the person, cannot be known)", _newly(lambda one: one.is_non_answer)
    ),
    Symptom("truncated", "an output that is cut off", _newly(lambda one: one.is_truncated)),
    Symptom("other_language", "an answer in another language", _is_other_language),
    Symptom("calls_broken", "calls that cannot be read", _newly(lambda one: one.calls == "broken")),
    Symptom("json_malformed", "JSON that cannot be parsed", _newly(lambda one: one.json == "malformed")),
    Symptom("called_tool", "a tool call where the old answer made none", lambda old, new: _n_calls(new) > 0 == _n_calls(old)),
    Symptom(
        "answered_in_text",
        "an answer in text where the old one called a tool",
        lambda old, new: _n_calls(old) > 0 == _n_calls(new) and new.print is not None and not new.print.is_empty,
    ),
    Symptom("fewer_calls", "fewer tool calls than the old answer made", lambda old, new: 0 < _n_calls(new) < _n_calls(old)),
)
"""All symptoms, the most telling first: ties in the report keep this order."""
