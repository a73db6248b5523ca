"""A first `workflow.yaml` for imported results: it scores by the labels that came along, and says what it gates on, and why.

Text only; nothing is read or written here. People read the result and make it their own, so its comments say what they have to
decide: who labelled, and what a label is worth.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from textwrap import wrap

from segue.imports.summary import ImportSummary, LabelerSummary
from segue.scoring.label_roles import LabelRole, role_of

ALL_OUTPUTS = 0.95
"""From this share on a labeler is taken to have labelled all outputs; a gate by default allows as many gaps."""

_INSPECT_VALUES = {"C": 1.0, "P": 0.5, "I": 0.0, "N": 0.0}
"""What Inspect's own letters are worth (its `value_to_float`): correct, partial, incorrect, no answer."""
_YES = frozenset({"yes", "y", "true", "pass", "passed", "right", "correct", "good", "ok", "accepted", "approved"})
_NO = frozenset({"no", "n", "false", "fail", "failed", "wrong", "incorrect", "bad", "not ok", "rejected", "refused"})
_RANKS: Mapping[LabelRole | None, int] = {"human": 0, "rule": 1, None: 2, "judge": 3}
_WORDS: Mapping[LabelRole | None, str] = {"human": "people", "rule": "a rule", "judge": "a judge model"}


@dataclass(frozen=True, slots=True)
class FirstWorkflow:
    """The text of the file, and what there is to say of it: what it gates on and why, and what is left to decide."""

    text: str
    remarks: tuple[str, ...]


def first_workflow(workflow: str, suite: str, summary: ImportSummary) -> FirstWorkflow:
    """A workflow that reads all labels of an import, and gates on the labeler to be trusted most."""
    ranked = sorted(summary.labelers, key=lambda one: (_rank(one, summary), one.labeler))
    lines = [f"description: Imported results of {workflow}."]
    lines += [f"suite: {json.dumps(suite)}"] if suite != "main" else []
    lines.append("scorers:")
    names: dict[str, str] = {}
    for one in summary.labelers:
        names[one.labeler] = _metric_name(one.labeler, tuple(names.values()))
        lines += _scorer(names[one.labeler], one, ranked)
    if not ranked:
        lines += [
            "  # No labels came along. Choose a scorer (docs/scorers.md), for example:",
            "  - name: correct",
            "    type: exact",
            "gate:",
            "  primary: [correct]",
        ]
        remark = "No labels came along: it compares outputs with the references, word by word. Choose a scorer that fits."
        return FirstWorkflow("\n".join([*lines, ""]), (remark,))
    tied = [one for one in ranked if _rank(one, summary) == _rank(ranked[0], summary)]
    chosen = ranked[:1] if ranked[0].role == "judge" else tied
    why = _why(ranked, chosen, summary)
    primary = ", ".join(names[one.labeler] for one in chosen)
    lines += ["gate:", *wrap(why, 110, initial_indent="  # ", subsequent_indent="  # ", break_long_words=False)]
    lines += [f"  primary: [{primary}]", ""]
    remarks = [f"It gates on {primary.replace(', ', ' and ')}. {why}"]
    for one in chosen:
        remarks += _remarks(one, summary)
    return FirstWorkflow("\n".join(lines), tuple(remarks))


def _remarks(chosen: LabelerSummary, summary: ImportSummary) -> Iterator[str]:
    """What is left to decide of a labeler that the gate reads."""
    if bare := [one.release for one in summary.releases if not one.labels.get(chosen.labeler)]:
        yield f"{chosen.labeler} labelled no output of {', '.join(bare)}: by this labeler it cannot be compared."
    if words := _plain_words(chosen):
        read = ", ".join(f"'{word}' as {value:g}" for word, value in words.items())
        yield f"The labels of {chosen.labeler} are words: {read}. Correct the map where they mean something else."
    elif not _values(chosen):
        known = ", ".join(json.dumps(value, ensure_ascii=False) for value in chosen.values) + (", …" if chosen.has_more else "")
        yield f"The labels of {chosen.labeler} are words ({known}): say in the file what each is worth, under map."


def _rank(one: LabelerSummary, summary: ImportSummary) -> tuple[bool, bool, int, bool, int]:
    """A judge comes last, since it may not gate before it is calibrated; then whoever labelled all outputs, people first."""
    count = sum(release.labels.get(one.labeler, 0) for release in summary.releases)
    is_final = one.labeler.lower().endswith("final")
    return one.role == "judge", not _labelled_all(one, summary), _RANKS[one.role], not is_final, -count


_RANK_WORDS = (
    "",  # judges have a sentence of their own
    "it labelled all outputs, the others a part of them",
    "people's word comes before a rule's, and a rule's before one that nobody has vouched for",
    "by its name it is the final word",
    "it labelled the most outputs",
)
"""Why a labeler comes before the next one, by the place of the rank in which they differ first."""


def _labelled_all(one: LabelerSummary, summary: ImportSummary) -> bool:
    """A label without a repeat holds for all of them, so there are as many as there are cases."""
    return all(
        release.labels.get(one.labeler, 0) >= ALL_OUTPUTS * min(release.exchanges - release.failures, summary.suite.n_cases)
        for release in summary.releases
    )


def _why(ranked: Sequence[LabelerSummary], tied: Sequence[LabelerSummary], summary: ImportSummary) -> str:
    """Why the gate reads the first of these labelers, with those `tied` with it, and none of the others."""
    chosen = ranked[0]
    who = f" ({_WORDS[chosen.role]})" if chosen.role is not None else ""
    if chosen.role == "judge":
        names = ", ".join(one.labeler for one in ranked)
        return (
            f"Only judges labelled these outputs ({names}). "
            "A judge may not gate before it is calibrated against people's labels (docs/judges.md)."
        )
    if len(ranked) == 1:
        return f"{chosen.labeler}{who} is the only labeler."
    rest = [one for one in ranked[len(tied) :] if one.role != "judge"]
    reasons = ["nothing says which of them counts, so a loss by either stops; take out what does not"] if len(tied) > 1 else []
    if rest:
        mine, next_best = _rank(chosen, summary), _rank(rest[0], summary)
        place = next(index for index, (one, other) in enumerate(zip(mine, next_best, strict=True)) if one != other)
        reasons.append(_RANK_WORDS[place])
    if judges := [one.labeler for one in ranked if one.role == "judge"]:
        reasons.append(f"{' and '.join(judges)} may gate only once calibrated against people (docs/judges.md)")
    if len(tied) > 1:
        together = " and ".join(one.labeler for one in tied)
        return f"Of {len(ranked)} labelers {together}{who} decide: {'; '.join(reasons)}."
    return f"Of {len(ranked)} labelers {chosen.labeler}{who} decides: {'; '.join(reasons)}."


def _scorer(name: str, one: LabelerSummary, ranked: Sequence[LabelerSummary]) -> list[str]:
    lines = [f"  - name: {name}", "    type: recorded_label", f"    labeler: {json.dumps(one.labeler)}"]
    if one.role != role_of(one.labeler):
        lines.append(f"    role: {one.role}")
    elif one.role is None:
        lines.append("    # Who is it? role: human, rule or judge. A judge gates nothing until it is calibrated.")
    values = _values(one)
    if not values:
        lines.append(f"    # Say what each label is worth, from 0 to 1:  map: {{{_to_fill(one)}}}")
    elif words := _plain_words(one):
        lines.append("    # Read from the words; correct it where they mean something else.")
        lines.append(f"    map: {{{', '.join(f'{json.dumps(word)}: {value:g}' for word, value in words.items())}}}")
    elif "C" in values:
        lines.append(f"    map: {{{', '.join(f'{label}: {value:g}' for label, value in values.items())}}}")
    elif any(value not in (0, 1) for value in values.values()):
        lines.append("    unit: score")
    if one.role == "judge":
        people = next((other for other in ranked if other.role == "human"), None)
        if people is not None:
            read = ", ".join(f"{json.dumps(word)}: {value:g}" for word, value in _plain_words(people).items())
            worth = read or ('"1": 1, "0": 0' if _values(people) else _to_fill(people))
            lines.append(f"    # To calibrate it:  calibrate: {{against: {json.dumps(people.labeler)}, map: {{{worth}}}}}")
    return lines


def _to_fill(one: LabelerSummary) -> str:
    """The labels that were seen, as a map whose values are still to be written."""
    seen = ", ".join(f"{json.dumps(value, ensure_ascii=False)}: ?" for value in one.values)
    return f"{seen}, …" if one.has_more else seen


def _values(one: LabelerSummary) -> Mapping[str, float]:
    """What the labels are worth as they stand: numbers from 0 to 1, or Inspect's letters. Empty where that is not known."""
    if one.labeler.startswith("inspect:") and not one.has_more and set(one.values) <= set(_INSPECT_VALUES):
        # Without a partial answer the metric is a proportion, which the exact tests take.
        return {label: value for label, value in _INSPECT_VALUES.items() if label != "P" or "P" in one.values}
    if words := _plain_words(one):
        return words
    values: dict[str, float] = {}
    for label in one.values:
        try:
            values[label] = float(label)
        except ValueError:
            return {}
    return values if all(0 <= value <= 1 for value in values.values()) else {}


def _plain_words(one: LabelerSummary) -> dict[str, float]:
    """Words that mean yes or no in anybody's mouth; empty where one of them does not."""
    folded = {label: label.strip().casefold() for label in one.values}
    if one.has_more or not folded or not all(word in _YES or word in _NO for word in folded.values()):
        return {}
    return {label: float(word in _YES) for label, word in folded.items()}


def _metric_name(labeler: str, taken: Sequence[str]) -> str:
    """A labeler as the name of its metric: lower-case letters, digits and `_`, like no other."""
    name = re.sub(r"[^a-z0-9]+", "_", labeler.lower()).strip("_") or "label"
    name = name if name[0].isalpha() else f"label_{name}"
    alike = sum(one == name or one.startswith(f"{name}_") for one in taken)
    return f"{name}_{alike + 1}" if name in taken else name
