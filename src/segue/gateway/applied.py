"""A bundle applied to a request of its own dialect: the fields it owns are written, all others pass as the bytes they are.

Everything that does not depend on the request is worked out once, when the bundle is loaded, by the same encoder that an eval
sends with: what was measured is what is served. Pure; needs no network and knows no route.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import msgspec

from segue.errors import Fault, InputError
from segue.model import Bundle
from segue.model.request import ModelRequest
from segue.model.serving import Serving
from segue.providers.dialects import DIALECTS
from segue.providers.rendering import INPUT, prompt_variables, substitute
from segue.wire.fields.responses import NEVER_SERVED, RESPONSES
from segue.wire.neutral.conversation import Dialect
from segue.wire.neutral.refusal import Refusals
from segue.wire.passing import may_hold_reasoning
from segue.wire.profiles import WireProfile

Raw = msgspec.Raw
Fields = dict[str, Raw]

OWN_FIELD = "segue"
"""A field of the request's body that is Segue's and goes no further: `{"variables": {…}}`."""

_WHOM = frozenset({"model", "stream", "metadata", OWN_FIELD})
_OPENAI = _WHOM | {"stream_options", "user", "safety_identifier"}
CONVERSATION: Mapping[Dialect, frozenset[str]] = {
    "openai_chat": _OPENAI | {"messages"},
    "openai_responses": _OPENAI | {"input", "instructions", "include", "store"},
    "anthropic_messages": _WHOM | {"messages", "system"},
}
"""What a request is made of whoever decides the behaviour: the conversation, whom it is with, and how it is delivered."""
BROUGHT_ANYWAY: Mapping[Dialect, frozenset[str]] = {"anthropic_messages": frozenset({"max_tokens"})}
"""Fields that a dialect's clients cannot leave out. The bundle's value holds."""

BETAS = "anthropic-beta"
"""A header of the request that `may_set` may name, and no field of its body. See `betas`."""
_SYNONYMS: Mapping[str, tuple[frozenset[str], ...]] = {"openai": (frozenset({"max_tokens", "max_completion_tokens"}),)}
"""Fields of a dialect that say the same: whoever sets one sets them all."""

CODEC_OF: Mapping[str, Dialect] = {
    "openai": "openai_chat",
    "openai_responses": "openai_responses",
    "anthropic": "anthropic_messages",
}
"""The dialect of a provider, by the name that its entry gives it (`dialect`)."""
TURNS: Mapping[Dialect, str] = {"openai_chat": "messages", "openai_responses": "input", "anthropic_messages": "messages"}
"""The field that holds the conversation."""
_TEXT_PARTS: Mapping[Dialect, str] = {"openai_chat": "text", "openai_responses": "input_text", "anthropic_messages": "text"}
"""What a part of a user's message that is text is called."""

_encode = msgspec.json.Encoder().encode
decode_fields = msgspec.json.Decoder(dict[str, Raw]).decode
_decode_any = msgspec.json.Decoder()


def read_fields(body: bytes) -> Fields:
    """The top-level fields of a body, nested bytes untouched. Raises `InputError` where it is no JSON object.

    Of a key that is given twice the last one counts, as in every JSON reader an upstream may have.
    """
    try:
        return decode_fields(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _refused([_fault("The body is not a JSON object.", "Send the request as JSON, as the SDKs do.")]) from error


@dataclass(frozen=True, slots=True)
class AppliedBundle:
    """A bundle made ready for requests of one dialect."""

    bundle: Bundle
    dialect: str
    path: str
    headers: Mapping[str, str]
    owned: Mapping[str, Raw]
    may_set: frozenset[str]
    refuses_others: bool
    variables: frozenset[str]
    system: bytes | None
    asks_usage: bool = False
    """Its streams tell tokens only if they are asked for, and may be."""
    plainly: frozenset[str] = frozenset()
    """A request of Chat Completions with no other fields than these has nothing that has to be looked at, besides its turns."""
    lead: bytes = b""
    """Its turns begin with these bytes then, and go on with the client's own; empty where its list stays as it is."""
    overruled: frozenset[str] = frozenset()
    """Fields that say what one of the bundle's own says: the application's go no further."""

    @classmethod
    def of(cls, bundle: Bundle, dialect: str, profile: WireProfile, serving: Serving) -> AppliedBundle:
        """Raises `InputError` naming everything of the bundle that this dialect cannot be told."""
        prompt, parameters = bundle.prompt, bundle.parameters
        schema = None if bundle.contract is None else bundle.contract.json_schema
        request = ModelRequest(
            snapshot=bundle.model.snapshot,
            messages=(),
            system="",
            parameters=parameters,
            tools=bundle.tools,
            idempotency_key="",
            response_schema=schema if parameters.structured_output and isinstance(schema, dict) else None,
        )
        wire = DIALECTS[dialect].encode(request, profile=profile, stream=False)
        owned = {name: Raw(_encode(value)) for name, value in wire.body.items() if name != TURNS[CODEC_OF[dialect]]}
        variables = frozenset(prompt_variables(prompt.system) | prompt_variables(prompt.template))
        system = None
        if prompt.system and not prompt_variables(prompt.system):
            system = _encode(substitute(prompt.system, {}))
        overruled = frozenset().union(*(same - owned.keys() for same in _SYNONYMS.get(dialect, ()) if same & owned.keys()))
        may_set = frozenset(serving.may_set)
        plainly: frozenset[str] = frozenset()
        if dialect == "openai" and not variables and not prompt.template:
            plainly = _allowed("openai_chat", may_set) - overruled - {OWN_FIELD, "stream", "stream_options"}
        return cls(
            bundle=bundle,
            dialect=dialect,
            path=wire.path,
            headers=wire.headers,
            owned=owned,
            may_set=may_set,
            refuses_others=serving.otherwise == "refuse",
            variables=variables,
            system=system,
            asks_usage=dialect == "openai" and profile.stream_usage,
            plainly=plainly,
            lead=b"" if system is None else b"[" + _system_turn(system),
            overruled=overruled,
        )

    def has_thinking_budget(self, fields: Fields) -> bool:
        """Whether thinking is asked for in the way that refuses to go on after calls without the thinking before them."""
        given = self.owned.get("thinking") or fields.get("thinking") if self.dialect == "anthropic" else None
        thinking = None if given is None else _decode_any.decode(given)
        return isinstance(thinking, dict) and thinking.get("type") == "enabled"

    def allow(self, fields: Fields, client: Dialect) -> Fields:
        """The fields that the application may bring. Raises `InputError` naming the others, unless they are to be ignored."""
        mine = _allowed(client, self.may_set)
        if client == "openai_responses" and "tools" not in mine and b'"additional_tools"' in bytes(fields.get("input", b"")):
            fields = {**fields, "input": self._without_tools(fields["input"])}
        if mine.issuperset(fields):
            return fields
        others = fields.keys() - mine
        faults: list[Fault] = []
        if client == "openai_responses" and (kept_there := others & NEVER_SERVED):
            faults += _kept_there({name: fields[name] for name in sorted(kept_there)})
            others -= kept_there
        if self.refuses_others:
            faults += [_other(name) for name in sorted(others)]
        if faults:
            raise _refused(faults)
        return {name: value for name, value in fields.items() if name in mine}

    def _without_tools(self, given: Raw) -> Raw:
        """The input without items that bring tools, which are the bundle's to set wherever they stand."""
        items = _decode_any.decode(given)
        if not isinstance(items, list):
            return given
        bring = [at for at, one in enumerate(items) if isinstance(one, dict) and one.get("type") == "additional_tools"]
        if bring and self.refuses_others:
            raise _refused([_other("tools", f"input[{at}]") for at in bring])
        return Raw(_encode([one for at, one in enumerate(items) if at not in bring])) if bring else given

    def apply(self, fields: Fields) -> bytes:
        """The body for the upstream, of a request in its own dialect. Raises `InputError` with every fault of the request."""
        return self.dress(self.allow(fields, CODEC_OF[self.dialect]))

    def dress_plainly(self, fields: Fields, said: bytes | None) -> bytes | None:
        """The same as `prepare_own` makes, for what most requests are; `None` for others, whether they can be served or not.

        `said` are the request's `plain_turns`.
        """
        if said is None or not self.plainly.issuperset(fields):
            return None
        whole = {**fields, **self.owned}
        if self.lead:
            whole["messages"] = Raw(b"%b,%b" % (self.lead, said[1:]))
        return _encode(whole)

    def dress(self, fields: Fields, changed: Mapping[str, Raw] | None = None) -> bytes:
        """Fields of the bundle's dialect, with those it owns written over them and its texts put in place.

        `changed` are fields it would set otherwise. Raises `InputError`, by field and never by content.
        """
        whole: dict[str, Raw] = {**fields, **self.owned}
        whole.pop(OWN_FIELD, None)
        for name in self.overruled:
            whole.pop(name, None)
        if changed:
            whole.update(changed)
        codec = CODEC_OF[self.dialect]
        messages = _turns(fields, TURNS[codec])
        if codec == "openai_responses":
            whole["include"] = _included(fields.get("include"), self.owned["include"])
        prompt = self.bundle.prompt
        system = self.system
        if self.variables:
            values = self._values(fields, messages)
            if prompt.system and system is None:
                system = _encode(substitute(prompt.system, values))
            if prompt.template:
                messages = _place(messages, substitute(prompt.template, values), _TEXT_PARTS[codec])
        elif prompt.template:
            messages = _place(messages, substitute(prompt.template, {}), _TEXT_PARTS[codec])
        if system is not None:
            _SYSTEM[self.dialect](whole, messages, system)
        else:
            whole[TURNS[codec]] = messages
        return _encode(whole)

    def _values(self, fields: Fields, messages: Raw) -> Mapping[str, str]:
        """The variables the bundle's texts ask for; a missing one is a fault, and nothing is guessed."""
        given = _own_variables(fields)
        if INPUT in self.variables and INPUT not in given:
            text = _last_user_text(messages)
            given = given if text is None else {**given, INPUT: text}
        missing = sorted(self.variables - given.keys())
        if missing:
            raise _refused(
                [
                    _fault(
                        f"The prompt of bundle {self.bundle.short} asks for the variable '{name}', and the request has none.",
                        f'Send it in the body: "{OWN_FIELD}": {{"variables": {{"{name}": "…"}}}} (in the SDKs: extra_body).',
                        f"{OWN_FIELD}.variables.{name}",
                    )
                    for name in missing
                ]
            )
        return given


def plain_turns(fields: Fields) -> bytes | None:
    """The turns of a request in Chat Completions, where there are some and none holds anything sealed."""
    said = bytes(fields["messages"]) if "messages" in fields else b""
    return None if not said.startswith(b"[{") or (b"_" in said and may_hold_reasoning("openai_chat", said)) else said


@lru_cache(maxsize=256)
def _allowed(client: Dialect, may_set: frozenset[str]) -> frozenset[str]:
    mine = CONVERSATION[client] | BROUGHT_ANYWAY.get(client, frozenset()) | (may_set - {BETAS})
    return mine - NEVER_SERVED if client == "openai_responses" else mine


def _kept_there(fields: Fields) -> list[Fault]:
    """What would have the provider keep the conversation, told as where a request is translated. No leave helps: with bundles
    of several providers a conversation is at home with none, and the gateway has nothing stored."""
    refusals = Refusals("openai_responses")
    RESPONSES.check("request", {name: _decode_any.decode(value) for name, value in fields.items()}, "", refusals)
    return [_fault(one.reason, one.remedy, one.field) for one in refusals.found]


def _own_variables(fields: Fields) -> dict[str, str]:
    own = fields.get(OWN_FIELD)
    if own is None:
        return {}
    try:
        read = msgspec.json.decode(own, type=dict[str, dict[str, str]])
    except msgspec.ValidationError as error:
        what = f"{OWN_FIELD} holds something else than variables that are texts."
        fault = _fault(what, f'Write "{OWN_FIELD}": {{"variables": {{"name": "text"}}}}.', OWN_FIELD)
        raise _refused([fault]) from error
    if unknown := sorted(read.keys() - {"variables"}):
        raise _refused([_fault(f"{OWN_FIELD} has no '{name}'.", "It takes: variables.", OWN_FIELD) for name in unknown])
    return read.get("variables", {})


def _turns(fields: Fields, name: str) -> Raw:
    """The conversation, as a list; Responses takes a text alone, too."""
    turns = fields.get(name)
    said = b"" if turns is None else bytes(turns)
    if said.startswith(b"[") and turns is not None:
        return turns
    if name == "input" and said.startswith(b'"'):
        return Raw(b'[{"role":"user","content":' + said + b"}]")
    raise _refused([_fault(f"{name} is missing or no list.", f"Send the conversation as {name}.", name)])


def _included(given: Raw | None, owned: Raw) -> Raw:
    """What a Responses answer is to hold: what the client asks for, and what a conversation needs to go on."""
    asked = None if given is None else _decode_any.decode(given)
    wanted = _decode_any.decode(owned)
    return Raw(_encode([*asked, *(one for one in wanted if one not in asked)] if isinstance(asked, list) else wanted))


def _last_user(turns: list[Any]) -> int | None:
    """The last message of the user's own: a turn of Anthropic's that only brings results of tools is none."""
    return next((at for at in range(len(turns) - 1, -1, -1) if _is_users_own(turns[at])), None)


def _is_users_own(turn: Any) -> bool:
    if not isinstance(turn, dict) or turn.get("role") != "user":
        return False
    content = turn.get("content")
    if not isinstance(content, list):
        return True
    kinds = [part.get("type") for part in content if isinstance(part, dict)]
    return _RESULT not in kinds or any(kind in _TEXTS for kind in kinds)


def _last_user_text(messages: Raw) -> str | None:
    turns = _decode_any.decode(messages)
    at = _last_user(turns)
    if at is None:
        return None
    content = turns[at].get("content")
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    return "".join(str(part.get("text", "")) for part in parts if isinstance(part, dict) and part.get("type") in _TEXTS)


def _place(messages: Raw, text: str, part_type: str) -> Raw:
    """The last user message says `text` instead; whatever else it holds (images, files) stays.

    Results of tools stay before it: Anthropic refuses a turn in which anything stands before them.
    """
    turns = _decode_any.decode(messages)
    at = _last_user(turns)
    if at is None:
        return Raw(_encode([*turns, {"role": "user", "content": text}]))
    content = turns[at].get("content")
    if isinstance(content, list):
        kept = [part for part in content if not (isinstance(part, dict) and part.get("type") in _TEXTS)]
        results = [part for part in kept if isinstance(part, dict) and part.get("type") == _RESULT]
        rest = [part for part in kept if part not in results] if results else kept
        turns[at] = {**turns[at], "content": [*results, {"type": part_type, "text": text}, *rest] if kept else text}
    else:
        turns[at] = {**turns[at], "content": text}
    return Raw(_encode(turns))


def _chat_system(whole: dict[str, Raw], messages: Raw, system: bytes) -> None:
    """The bundle's system message goes before all others; the application's own stay behind it, as in an eval."""
    whole["messages"] = _before(_system_turn(system), bytes(messages))


def _system_turn(system: bytes) -> bytes:
    return b'{"role":"system","content":' + system + b"}"


def _messages_system(whole: dict[str, Raw], messages: Raw, system: bytes) -> None:
    """The same for a dialect that has the system instructions in a field of their own, as text or as blocks."""
    theirs = bytes(whole.get("system") or b"null").strip()
    if theirs in (b"null", b'""'):
        whole["system"] = Raw(system)
    elif theirs.startswith(b"["):
        whole["system"] = _before(b'{"type":"text","text":' + system + b"}", theirs)
    else:
        both = "\n\n".join((_decode_any.decode(system), str(_decode_any.decode(theirs))))
        whole["system"] = Raw(_encode(both))
    whole["messages"] = messages


def _responses_system(whole: dict[str, Raw], messages: Raw, system: bytes) -> None:
    """The same for a dialect whose instructions are a text, and nothing else."""
    theirs = bytes(whole.get("instructions") or b"null").strip()
    if theirs in (b"null", b'""'):
        whole["instructions"] = Raw(system)
    elif theirs.startswith(b'"'):
        both = "\n\n".join((_decode_any.decode(system), _decode_any.decode(theirs)))
        whole["instructions"] = Raw(_encode(both))
    else:
        raise _refused([_fault("instructions is no text.", "Send a text, or leave it out.", "instructions")])
    whole["input"] = messages


def _before(first: bytes, items: bytes) -> Raw:
    """A list with one more item in front."""
    rest = items[1:].lstrip()
    return Raw(b"".join((b"[", first, b"" if rest == b"]" else b",", rest)))


_TEXTS = tuple(_TEXT_PARTS.values())
_RESULT = "tool_result"
"""The part that brings what a tool has answered, in a turn of the user (Anthropic). Other dialects have turns of their own."""
_SYSTEM: Mapping[str, Callable[[dict[str, Raw], Raw, bytes], None]] = {
    "openai": _chat_system,
    "openai_responses": _responses_system,
    "anthropic": _messages_system,
}


def _other(name: str, path: str | None = None) -> Fault:
    what = f"'{name}' is the bundle's to set, not the application's."
    fix = "Leave it out, or allow it (serving.may_set); serving.otherwise: ignore drops such fields in silence."
    return _fault(what, fix, path or name)


def _fault(what: str, fix: str, path: str | None = None) -> Fault:
    return Fault(what=what, fix=fix, path=path)


def _refused(faults: list[Fault]) -> InputError:
    return InputError.from_faults(faults, subject="the request")
