"""An exchange as one line of JSON, and back: what `segue exchanges export` writes and a replay reads.

Fields have the names of the table's columns; what is unknown is left out. A body that is text stands as text, else as base64.
"""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any

import msgspec

from segue.errors import InputError
from segue.exchanges.outcome import Told
from segue.exchanges.record import BodyNote, Logged, ServedExchange

FORMAT = "segue.exchange/1"
_PARTS = ("request", "response")


def exchange_json(logged: Logged, *, with_bodies: bool = True) -> dict[str, Any]:
    """The exchange in the order of its fields."""
    body: dict[str, Any] = {"format": FORMAT}
    for name, value in msgspec.structs.asdict(logged.exchange).items():
        if name in _PARTS:
            body[name] = _part(value, getattr(logged, name) if with_bodies else None)
        elif value is not None and value not in ({}, ()):
            body[name] = list(value) if isinstance(value, tuple) else value
    if logged.kept_share != 1.0:
        body["kept_share"] = logged.kept_share
    return body


def outcome_json(told: Told) -> dict[str, Any]:
    """One outcome as people read it: what is known of it, and its text."""
    one = told.outcome
    body: dict[str, Any] = {"kind": one.kind, "value": one.value, "label": one.label, "author": one.author}
    body |= {"source": one.source, "id": one.key, "at_ns": one.at_ns, "happened_ns": one.happened_ns}
    if one.lowest is not None or one.highest is not None:
        body["scale"] = [one.lowest, one.highest]
    if told.text:
        body["text"] = told.text.decode("utf-8", "replace")
    return {name: value for name, value in body.items() if value is not None}


def exchange_line(logged: Logged, *, with_bodies: bool = True) -> str:
    """The same as one line, whatever a reader takes for the end of one."""
    line = json.dumps(exchange_json(logged, with_bodies=with_bodies), ensure_ascii=False)
    for sign, written in _LINE_ENDS:
        line = line.replace(sign, written)
    return line


_LINE_ENDS = (("\x85", "\\u0085"), ("\u2028", "\\u2028"), ("\u2029", "\\u2029"))


def read_exchange_line(line: str | bytes, where: str) -> Logged:
    """What `exchange_line` wrote. `InputError` names `where` it stands, the field, and what to do."""
    fix = "Export it again: segue exchanges export"
    try:
        body = json.loads(line)
    except (ValueError, RecursionError):
        raise InputError(f"{where} is not JSON.", fix=fix) from None
    if not isinstance(body, dict) or body.pop("format", None) != FORMAT:
        raise InputError(f"{where} is no exchange of this version ({FORMAT}).", fix=fix)
    share = body.pop("kept_share", 1.0)
    kept = {}
    try:
        for name in _PARTS:
            body[name], kept[name] = _read_part(body.get(name), name)
        fields = [body.pop(name, default) for name, default in _DEFAULTS.items()]
        if body:
            raise ValueError(f"field '{min(body)[:60]}' is none of an exchange's")
        return msgspec.convert(
            {"exchange": msgspec.convert(fields, ServedExchange), **kept, "kept_share": share}, Logged, strict=True
        )
    except (ValueError, TypeError, AttributeError) as error:  # msgspec's own errors are among these
        raise InputError(f"{where} cannot be read: {_told(error)}.", fix=fix) from None


def _default(field: msgspec.structs.FieldInfo) -> Any:
    if field.default_factory is not msgspec.NODEFAULT:
        return field.default_factory()
    return None if field.default is msgspec.NODEFAULT else field.default


_DEFAULTS = {field.name: _default(field) for field in msgspec.structs.fields(ServedExchange)}


def _told(error: Exception) -> str:
    """Array places as field names: an exchange is kept as an array."""
    text = str(error)
    for at, name in enumerate(_DEFAULTS):
        text = text.replace(f"`$[{at}]", f"`{name}")
    return text.rstrip(".")


def _part(note: BodyNote, body: bytes | None) -> dict[str, Any]:
    part: dict[str, Any] = {"kept": note.kept}
    part |= {name: value for name, value in (("length", note.length), ("digest", note.digest)) if value is not None}
    if body is not None and note.kept in ("full", "cut"):
        try:
            part["body"] = body.decode()
        except UnicodeDecodeError:
            part["body_base64"] = base64.b64encode(body).decode()
    return part


def _read_part(part: Any, name: str) -> tuple[list[Any], bytes]:
    if not isinstance(part, dict):
        raise TypeError(f"'{name}' is no object with a body")
    body = part.get("body")
    if body is not None and not isinstance(body, str):
        raise TypeError(f"'{name}.body' is no text")
    try:
        kept = base64.b64decode(part.get("body_base64", ""), validate=True) if body is None else body.encode()
    except binascii.Error:
        raise ValueError(f"'{name}.body_base64' is no base64") from None
    return [part.get("kept", "absent"), part.get("length"), part.get("digest")], kept
