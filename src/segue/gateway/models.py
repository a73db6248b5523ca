"""The workflows a key may call, where clients expect models: the list and each of them, in the shape of either SDK. Pure."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

import msgspec

from segue.gateway.target import Plane
from segue.model.serving import GatewayKey
from segue.wire.neutral.client_error import ClientError

PATH = b"/v1/models"
_EPOCH = "1970-01-01T00:00:00Z"
_encode = msgspec.json.Encoder().encode


def list_models(plane: Plane, key: GatewayKey, *, is_anthropic: bool) -> bytes:
    """All of them."""
    rows = [_row(name, is_anthropic) for name in sorted(plane.workflows) if key.may_call(name)]
    if not is_anthropic:
        return _encode({"object": "list", "data": rows})
    ends = {"first_id": rows[0]["id"] if rows else None, "last_id": rows[-1]["id"] if rows else None, "has_more": False}
    return _encode({"data": rows, **ends})


def show_model(plane: Plane, key: GatewayKey, path: bytes, *, is_anthropic: bool) -> bytes | ClientError:
    """The one that a path names; near names where there is none."""
    name = unquote(path.removeprefix(PATH + b"/").decode("ascii", "replace"))
    found = plane.find(name, key)
    return found if isinstance(found, ClientError) else _encode(_row(found.name, is_anthropic))


def _row(name: str, is_anthropic: bool) -> dict[str, Any]:
    if is_anthropic:
        return {"type": "model", "id": name, "display_name": name, "created_at": _EPOCH, "lifecycle": "active"}
    return {"id": name, "object": "model", "created": 0, "owned_by": "segue"}
