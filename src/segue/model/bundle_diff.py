"""Says in words what differs between two bundles: the parts in the order of `PARTS`, prompts with their line diff.

Where to go next: `schema_diff` for tool parameters and contracts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import unified_diff

from segue.model.base import Json
from segue.model.bundle import PARTS, Bundle, Parameters
from segue.model.contract import Contract, CountRule
from segue.model.conversation import ToolSpec
from segue.model.digest import canonical_json, short_id
from segue.model.schema_diff import diff_schemas, diff_values, show_value


@dataclass(frozen=True, slots=True)
class PartChange:
    """What changed in one part: sentences without a full stop, and unified diff lines where the part is text."""

    part: str
    sentences: tuple[str, ...]
    diff_lines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class BundleDiff:
    """The difference of two bundles. `same_behaviour`: the model is shown the same, so stored results hold for both."""

    old: str
    new: str
    same_behaviour: bool
    changes: tuple[PartChange, ...] = ()

    @property
    def is_identical(self) -> bool:
        """Whether the two are one bundle."""
        return self.old == self.new

    def sentences(self) -> tuple[str, ...]:
        """All of it in words; for two identical bundles, the one sentence that says so."""
        if self.is_identical:
            return ("The two bundles are identical.",)
        return tuple(sentence for change in self.changes for sentence in change.sentences)


def diff_bundles(old: Bundle, new: Bundle) -> BundleDiff:
    """Compare two bundles part by part."""
    before, after = old.part_digests(), new.part_digests()
    changes = tuple(_CHANGES[part](old, new) for part in PARTS if before[part] != after[part])
    if old.workflow != new.workflow:
        moved = PartChange("workflow", (f"workflow {old.workflow} → {new.workflow}",))
        changes = (moved, *changes)
    return BundleDiff(old.digest, new.digest, old.behaviour == new.behaviour, changes)


def _model(old: Bundle, new: Bundle) -> PartChange:
    before, after = old.model, new.model
    sentences = []
    if before.provider != after.provider:
        sentences.append(f"provider {before.provider} → {after.provider}")
    if before.snapshot != after.snapshot:
        sentences.append(f"model snapshot {before.snapshot} → {after.snapshot}")
    if before.recording != after.recording:
        sentences.append(f"recording {before.recording or 'none'} → {after.recording or 'none'}")
    return PartChange("model", tuple(sentences))


def _prompt(old: Bundle, new: Bundle) -> PartChange:
    sentences: list[str] = []
    lines: list[str] = []
    texts = (
        ("system instructions", old.prompt.system, new.prompt.system),
        ("prompt template", old.prompt.template, new.prompt.template),
    )
    for name, before, after in texts:
        if before != after:
            sentences.append(f"{name}: {_text_change(before, after)}")
            lines += unified_diff(before.split("\n"), after.split("\n"), f"old {name}", f"new {name}", lineterm="")
    return PartChange("prompt", tuple(sentences), tuple(lines))


def _text_change(before: str, after: str) -> str:
    if not before:
        return f"added, {_lines(after.count(chr(10)) + 1)}"
    if not after:
        return f"removed, {_lines(before.count(chr(10)) + 1)}"
    changed = list(unified_diff(before.split("\n"), after.split("\n"), n=0, lineterm=""))[2:]
    added = sum(line.startswith("+") for line in changed)
    removed = sum(line.startswith("-") for line in changed)
    words = [f"{_lines(added)} added"] if added else []
    if removed:
        words.append(f"{removed} removed" if added else f"{_lines(removed)} removed")
    only_space = " (only white space differs)" if before.split() == after.split() else ""
    return ", ".join(words) + only_space


def _lines(count: int) -> str:
    return "1 line" if count == 1 else f"{count} lines"


_DIALS = {
    "temperature": "temperature",
    "top_p": "top_p",
    "max_output_tokens": "maximum of output tokens",
    "stop": "stop sequences",
    "seed": "seed",
    "frequency_penalty": "frequency penalty",
    "presence_penalty": "presence penalty",
    "reasoning_effort": "reasoning effort",
    "thinking_budget_tokens": "thinking budget in tokens",
    "logprobs": "logprobs",
    "top_logprobs": "top logprobs",
    "tool_choice": "tool choice",
    "structured_output": "structured output",
}


def _parameters(old: Bundle, new: Bundle) -> PartChange:
    sentences = []
    for name in Parameters.model_fields:
        before, after = getattr(old.parameters, name), getattr(new.parameters, name)
        if name != "extra" and before != after:
            sentences.append(f"{_DIALS.get(name, name)} {_dial(before)} → {_dial(after)}")
    extra = diff_values(old.parameters.extra, new.parameters.extra)
    return PartChange("parameters", (*sentences, *(f"extra parameter {one}" for one in extra)))


def _dial(value: Json) -> str:
    return "not set" if value in (None, ()) else show_value(value)


def _tools(old: Bundle, new: Bundle) -> PartChange:
    before = {tool.name: tool for tool in old.tools}
    after = {tool.name: tool for tool in new.tools}
    gone = [name for name in before if name not in after]
    fresh = [name for name in after if name not in before]
    sentences: list[str] = []
    for name in list(gone):
        same = [one for one in fresh if _content(before[name]) == _content(after[one])]
        if same:
            sentences.append(f"tool {name} renamed to {same[0]}")
            gone.remove(name)
            fresh.remove(same[0])
    sentences += [f"tool {name} removed" for name in gone]
    sentences += [f"tool {name} added" for name in fresh]
    for name in (name for name in before if name in after):
        sentences += [f"tool {name}: {one}" for one in _tool(before[name], after[name])]
    if not sentences:
        sentences.append("the tools stand in another order, or one of them twice")
    return PartChange("tools", tuple(sentences))


def _content(tool: ToolSpec) -> bytes:
    return canonical_json([tool.description, tool.parameters, tool.effects])


def _tool(old: ToolSpec, new: ToolSpec) -> Iterator[str]:
    if old.description != new.description:
        yield f"description: {_text_change(old.description, new.description)}"
    if old.effects != new.effects:
        yield "now marked as having effects" if new.effects else "no longer marked as having effects"
    yield from diff_schemas(old.parameters, new.parameters, noun="parameter")


def _retrieval(old: Bundle, new: Bundle) -> PartChange:
    return PartChange("retrieval", tuple(f"retrieval {one}" for one in diff_values(old.retrieval, new.retrieval)))


def _contract(old: Bundle, new: Bundle) -> PartChange:
    if old.contract is None or new.contract is None:
        return PartChange("contract", ("output contract added" if old.contract is None else "output contract removed",))
    return PartChange("contract", tuple(f"contract: {one}" for one in _contract_words(old.contract, new.contract)))


def _contract_words(old: Contract, new: Contract) -> Iterator[str]:
    if old.json_schema is None or new.json_schema is None:
        if old.json_schema is not new.json_schema:
            yield "JSON Schema added" if old.json_schema is None else "JSON Schema removed"
    else:
        yield from diff_schemas(old.json_schema, new.json_schema, noun="field")
    for name in ("required", "closing", "banned"):
        yield from _phrases(f"{name} phrase", getattr(old, name), getattr(new, name))
    before, after = {rule.of: rule for rule in old.counts}, {rule.of: rule for rule in new.counts}
    for of in dict.fromkeys((*before, *after)):
        if before.get(of) != after.get(of):
            yield f"number of {of.replace('_', ' ')}: {_count(before.get(of))} → {_count(after.get(of))}"
    if old.command != new.command:
        yield "test command " + ("added" if old.command is None else "removed" if new.command is None else "changed")
    if old.ignore_case != new.ignore_case:
        yield "upper and lower case " + ("no longer matter" if new.ignore_case else "matter now")
    if old.counts != new.counts and before == after:
        yield "the counts are written differently (order, or one of them twice)"


def _phrases(noun: str, before: Sequence[str], after: Sequence[str]) -> Iterator[str]:
    for phrase in after:
        if phrase not in before:
            yield f"{noun} {show_value(phrase)} added"
    for phrase in before:
        if phrase not in after:
            yield f"{noun} {show_value(phrase)} removed"
    if before != after and set(before) == set(after):
        yield f"{noun}s in another order, or one of them twice"


def _count(rule: CountRule | None) -> str:
    if rule is None:
        return "any"
    if rule.exactly is not None:
        return f"exactly {rule.exactly}"
    bounds = [f"at least {rule.at_least}"] if rule.at_least is not None else []
    bounds += [f"at most {rule.at_most}"] if rule.at_most is not None else []
    return " and ".join(bounds)


def _suite(old: Bundle, new: Bundle) -> PartChange:
    return PartChange("suite", (f"suite {_short(old.suite)} → {_short(new.suite)}",))


def _fallback(old: Bundle, new: Bundle) -> PartChange:
    return PartChange("fallback", (f"fallback {_short(old.fallback)} → {_short(new.fallback)}",))


def _short(digest: str | None) -> str:
    return short_id(digest) if digest is not None else "none"


_CHANGES = {
    "model": _model,
    "prompt": _prompt,
    "parameters": _parameters,
    "tools": _tools,
    "retrieval": _retrieval,
    "contract": _contract,
    "suite": _suite,
    "fallback": _fallback,
}
