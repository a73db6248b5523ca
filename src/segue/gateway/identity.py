"""Who asks: the unit an assignment sticks to, and the attributes segments and slices are told apart by.

From headers that any client can set, else from the fields that its dialect has for it. Pure. A value is what the application
says of its user; nothing here is looked up or kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from urllib.parse import unquote

import msgspec

from segue.errors import Fault
from segue.gateway.applied import Fields

UNIT, CONVERSATION, ATTRIBUTES = b"segue-unit", b"segue-conversation", b"segue-attributes"
PIN, CONTINUES, TAG = b"segue-pin", b"segue-continues", b"segue-tag"
TAGS = ("eval", "probe")
"""What a request may be marked as: traffic of Segue's own, which is evidence of nothing."""
LONGEST = 512
"""Characters of a unit or a value; what is longer is no identifier."""
MOST_ATTRIBUTES = 32

Headers = Mapping[bytes, bytes]


@dataclass(frozen=True, slots=True)
class Identity:
    """What a request says of itself. Without a unit it is a unit of its own, and its assignment sticks to nothing."""

    unit: str | None
    attributes: Mapping[str, str]
    pin: str | None
    continues: str | None
    tag: str | None = None


def read_identity(headers: Headers, fields: Fields, faults: list[Fault]) -> Identity:
    """The unit: the header, else the conversation, else the user of the body. Adds to `faults` what cannot be read."""
    said = read_headers(headers, faults)
    return said if said.unit is not None else replace(said, unit=read_user(fields))


def read_headers(headers: Headers, faults: list[Fault]) -> Identity:
    """As much of it as the head says. Adds to `faults` what cannot be read."""
    attributes = headers.get(ATTRIBUTES)
    return Identity(
        _text(headers, UNIT, faults) or _text(headers, CONVERSATION, faults),
        {} if attributes is None else _attributes(attributes, faults),
        _text(headers, PIN, faults),
        _text(headers, CONTINUES, faults),
        _text(headers, TAG, faults),
    )


def _text(headers: Headers, name: bytes, faults: list[Fault]) -> str | None:
    """A header's value, percent-encoded where it is not ASCII; an empty one is none."""
    raw = headers.get(name)
    if raw is None:
        return None
    text = unquote(raw.decode("utf-8", "replace")).strip()
    if len(text) > LONGEST:
        fix = f"Send an identifier of at most {LONGEST} characters."
        faults.append(Fault(what=f"The header {name.decode()} is too long.", fix=fix, path=name.decode()))
        return None
    return text or None


def _attributes(raw: bytes, faults: list[Fault]) -> dict[str, str]:
    """`tier=enterprise, lang=de`, values percent-encoded where they hold a comma: the form of W3C baggage."""
    found: dict[str, str] = {}
    path = ATTRIBUTES.decode()
    for part in raw.decode("utf-8", "replace").split(","):
        if not part.strip():
            continue
        name, equals, value = part.partition("=")
        name, value = name.strip(), unquote(value.strip())
        if not equals or not name or len(name) > LONGEST or len(value) > LONGEST:
            fix = "Write name=value, with commas between; a comma within a value is %2C."
            faults.append(Fault(what=f"A part of the header {path} is no name=value.", fix=fix, path=path))
        elif name in found and found[name] != value:
            faults.append(Fault(what=f"The header {path} names '{name[:60]}' twice.", fix="Give each one value.", path=path))
        else:
            found[name] = value
    if len(found) > MOST_ATTRIBUTES:
        fix = f"Send at most {MOST_ATTRIBUTES}."
        faults.append(Fault(what=f"The header {path} has {len(found)} attributes.", fix=fix, path=path))
    return found


class _Metadata(msgspec.Struct):
    user_id: str | None = None


# One decoder for all: to make one takes longer than to decode a name.
_decode_text = msgspec.json.Decoder(str).decode
_decode_metadata = msgspec.json.Decoder(_Metadata).decode


def read_user(fields: Fields) -> str | None:
    """`user` (OpenAI, and `safety_identifier` after it), `metadata.user_id` (Anthropic); whatever else stands there is none."""
    for name in ("user", "safety_identifier"):
        if name in fields:
            try:
                return _decode_text(fields[name])[:LONGEST] or None
            except (msgspec.DecodeError, UnicodeError):
                return None
    if "metadata" in fields:
        try:
            user = _decode_metadata(fields["metadata"]).user_id
        except (msgspec.DecodeError, UnicodeError):
            return None
        return user[:LONGEST] or None if user else None
    return None
