"""Where reasoning came from, and how a client carries it to and fro without the gateway keeping anything.

A client shows the reasoning of one turn again in the next, in a field that it does not read (`signature`, `data`,
`encrypted_content`). The gateway seals that field: the tag of its origin stands before the provider's own value. On the way
back the seal says where the value belongs. It is no secret and no protection: providers verify their own values.

Between dialects the whole item is packed into the field (`seal`); within one dialect the value is only marked (`mark`).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass

import orjson

from segue.model import Json
from segue.wire.neutral.conversation import Dialect, Reasoning

_SEAL = re.compile(r"segue1\.([0-9a-f]{16})\.([crm])([.~])(.*)", re.DOTALL)
_LETTERS: dict[Dialect, str] = {"openai_chat": "c", "openai_responses": "r", "anthropic_messages": "m"}
_BY_LETTER: dict[str, Dialect] = {letter: dialect for dialect, letter in _LETTERS.items()}

LONGEST_ID: dict[Dialect, int] = {"openai_chat": 40, "openai_responses": 64, "anthropic_messages": 64}
"""Longest tool-call id that is sent. OpenAI's servers refuse more; for Anthropic it is our own bound."""

_PREFIX: dict[Dialect, str] = {"openai_chat": "call_", "openai_responses": "call_", "anthropic_messages": "toolu_"}
_ID = re.compile(r"[a-zA-Z0-9_-]+")


@dataclass(frozen=True, slots=True)
class Origin:
    """Where an answer was made. Another model, address or account cannot read its reasoning.

    `credentials` names the scope of the key (an account, a project), never the key. `prefix` names the instructions and tools
    it was made with, such as the bundle's digest: newer Claude models refuse reasoning that is shown behind others.
    """

    provider: str
    endpoint: str
    credentials: str
    model: str
    prefix: str = ""

    @property
    def tag(self) -> str:
        """Sixteen hexadecimal digits that say the same."""
        named = orjson.dumps([self.provider, self.endpoint, self.credentials, self.model, self.prefix])
        return hashlib.blake2b(named, digest_size=8).hexdigest()


def seal(reasoning: Reasoning) -> str | None:
    """The whole item as one opaque text; `None` if nobody could replay it: of unknown origin, or nested too deep."""
    if reasoning.origin is None:
        return None
    try:
        packed = base64.urlsafe_b64encode(orjson.dumps(reasoning.item)).decode().rstrip("=")
    except orjson.JSONEncodeError:
        return None
    return f"segue1.{reasoning.origin}.{_LETTERS[reasoning.dialect]}.{packed}"


def mark(dialect: Dialect, value: str, tag: str) -> str:
    """A provider's own value with its origin before it."""
    return f"segue1.{tag}.{_LETTERS[dialect]}~{value}"


def unseal(value: str, text: str = "") -> Reasoning | None:
    """What `seal` wrote; `None` for anything else. `text` is what was shown of it."""
    found = _SEAL.fullmatch(value)
    if found is None or found.group(3) != ".":
        return None
    packed = found.group(4)
    try:
        item = orjson.loads(base64.urlsafe_b64decode(packed + "=" * (-len(packed) % 4)))
    except (binascii.Error, ValueError):
        return None
    if not isinstance(item, dict):
        return None
    return Reasoning(_BY_LETTER[found.group(2)], item, found.group(1), text)


def is_sealed(value: Json) -> bool:
    """Whether `seal` or `mark` wrote it."""
    return isinstance(value, str) and _SEAL.fullmatch(value) is not None


def own_form(dialect: Dialect, item: dict[str, Json], origin: str | None, text: str, field: str) -> Reasoning:
    """A client's reasoning item: what was sealed or marked in its `field`, else an item of this dialect from `origin`."""
    value = item.get(field)
    if not isinstance(value, str):
        return Reasoning(dialect, item, origin, text)
    sealed = unseal(value, text)
    if sealed is not None:
        return sealed
    marked = _SEAL.fullmatch(value)
    if marked is not None and marked.group(3) == "~":
        return Reasoning(_BY_LETTER[marked.group(2)], {**item, field: marked.group(4)}, marked.group(1), text)
    return Reasoning(dialect, item, origin, text)


def fit_call_id(call_id: str, dialect: Dialect) -> str:
    """`call_id` if the dialect takes it, else one made from it, the same each time, so that call and result still match.

    An id in the form of another provider is made anew, too: it is nobody's but that provider's.
    """
    foreign = any(call_id.startswith(prefix) for prefix in _PREFIX.values() if prefix != _PREFIX[dialect])
    if not foreign and len(call_id) <= LONGEST_ID[dialect] and _ID.fullmatch(call_id):
        return call_id
    return _PREFIX[dialect] + hashlib.blake2b(call_id.encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()
