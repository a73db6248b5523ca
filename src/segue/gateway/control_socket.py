"""The gateway's end of its control socket: one question of one caller, a line in, a line out. Who asks: `control.py`."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from segue.errors import SegueError


class Asked(Protocol):
    """Who does what is asked."""

    async def sync(self, wanted: Mapping[str, int] | None = None) -> dict[str, Any]:
        """Serve the routes as they are now, these revisions at least."""
        ...

    async def roll_back(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Serve the incumbent to everyone."""
        ...


async def open_control_socket(path: Path, asked: Asked) -> asyncio.Server:
    """Listen there until it is closed."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            line = await asyncio.wait_for(reader.readline(), 5.0)
            question = json.loads(line) if line.strip() else {}
            found = await _done(asked, question if isinstance(question, dict) else {})
            writer.write(json.dumps(found).encode() + b"\n")
            await writer.drain()
        except (OSError, ValueError, TimeoutError, SegueError):
            pass
        finally:
            writer.close()

    return await asyncio.start_unix_server(answer, path)


async def _done(asked: Asked, question: Mapping[str, Any]) -> dict[str, Any]:
    if question.get("do") == "sync":
        match question.get("workflow"), question.get("revision"):
            case str() as workflow, int() as revision:
                return await asked.sync({workflow: revision})
        return await asked.sync()
    if question.get("do") == "roll_back":
        return await asked.roll_back(question)
    return {"fault": "Ask: sync, roll_back."}
