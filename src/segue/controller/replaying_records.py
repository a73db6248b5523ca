"""What a replay sends: recorded requests of clients, in order, made ready for another gateway; and what cannot be replayed.

Sources are an export (`segue exchanges export`), the gateway's own log, and, where there is no traffic at all, the inputs of a
suite. A conversation is a single request with its messages. Only models are asked: no tool is run by anybody.
"""

from __future__ import annotations

import base64
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from segue.controller.drift_report import NO_EVIDENCE, REPLAYED
from segue.errors import InputError
from segue.exchanges.export import read_exchange_line
from segue.exchanges.query import ExchangeLog, in_parts
from segue.exchanges.record import Logged
from segue.exchanges.selection import Selection
from segue.gateway.edge import EDGES
from segue.gateway.identity import MOST_ATTRIBUTES
from segue.model import Case, Parameters
from segue.model.request import ModelRequest
from segue.wire.openai_chat.encode import encode_request

PATHS: dict[str, str] = {edge.codec: path for path, edge in EDGES.items()}
LONGEST_LINE = 64 << 20
_WHY_NO_BODY = {
    "digest": "the log keeps digests of bodies only",
    "none": "the log keeps no bodies",
    "absent": "there is no body",
    "sampled_out": "the body was sampled out",
    "cut": "the body was too long to be kept whole",
}


@dataclass(frozen=True, slots=True)
class ReplayRecord:
    """One request. `origin` is the exchange or the case it comes from."""

    number: int
    origin: str
    path: str
    body: bytes
    unit: str | None = None
    attributes: dict[str, str] = field(default_factory=dict)

    def headers(self, replay: str) -> dict[str, str]:
        """What is said of it beside its body, and which replay it is of."""
        said = {name: value for name, value in self.attributes.items() if _is_name(name)}
        said = dict(list(said.items())[: MOST_ATTRIBUTES - 1])
        attributes = {**said, REPLAYED: f"{replay}:{self.number}"}
        headers = {"segue-attributes": ", ".join(f"{name}={quote(value, safe='')}" for name, value in attributes.items())}
        if self.unit:
            headers["segue-unit"] = quote(self.unit, safe="")
        return headers

    def line(self) -> str:
        """As it waits on the disk."""
        body: dict[str, Any] = {"n": self.number, "origin": self.origin, "path": self.path}
        body |= {"unit": self.unit, "attributes": self.attributes, "body": base64.b64encode(self.body).decode()}
        return json.dumps(body) + "\n"

    @classmethod
    def from_line(cls, line: str) -> ReplayRecord:
        """What `line` wrote."""
        body = json.loads(line)
        return cls(body["n"], body["origin"], body["path"], base64.b64decode(body["body"]), body["unit"], body["attributes"])


@dataclass
class Gathered:
    """What a source gave: how many can be sent, and why others cannot. `began_ns`, `ended_ns`: of what was recorded."""

    n: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    began_ns: int | None = None
    ended_ns: int | None = None


def replayable(rows: Iterable[Logged], workflow: str, gathered: Gathered, limit: int | None) -> Iterator[ReplayRecord]:
    """Requests of clients among recorded exchanges. What cannot be sent is counted by reason, each client's request once."""
    seen: set[str] = set()
    for row in rows:
        exchange = row.exchange
        if exchange.arm == "shadow":
            continue  # its request holds a bundle's prompt; the client's own is that of its pair
        why = _why_not(row, workflow)
        if why is None and exchange.id in seen:
            why = "it is there twice"
        if why is not None:
            gathered.left_out[why] += 1
            continue
        seen.add(exchange.id)
        gathered.began_ns = exchange.at_ns if gathered.began_ns is None else min(gathered.began_ns, exchange.at_ns)
        gathered.ended_ns = max(gathered.ended_ns or 0, exchange.at_ns)
        attributes = {**exchange.attributes, **exchange.slices}
        attributes.pop(REPLAYED, None)
        yield ReplayRecord(gathered.n, exchange.id, PATHS[exchange.dialect_in or ""], row.request, exchange.unit, attributes)
        gathered.n += 1
        if gathered.n == limit:
            return


def read_export(path: Path) -> Iterator[Logged]:
    """The lines of an export. `InputError` names the line and what is wrong with it."""
    try:
        with path.open("rb") as file:
            number = 0
            while line := file.readline(LONGEST_LINE + 1):
                number += 1
                if len(line) > LONGEST_LINE:
                    raise InputError(f"{path}, line {number} is longer than {LONGEST_LINE >> 20} MiB.", fix="Is it an export?")
                if line.strip():
                    yield read_exchange_line(line, f"{path}, line {number}")
    except OSError as error:
        fix = "Name a file that segue exchanges export wrote."
        raise InputError(f"{path} cannot be read: {error.strerror or type(error).__name__}.", fix=fix) from None


def read_log(log: ExchangeLog, selection: Selection) -> Iterator[Logged]:
    """The exchanges of a log in the order they were asked, however many: the database sorts them on the disk."""
    from segue.exchanges.columns import read_exchanges

    with log.moment() as moment, log.connect() as base:
        log.show_exchanges(base, moment, selection, with_bodies=True)
        for batch in base.sql("SELECT * FROM exchanges WHERE arm <> 'shadow' ORDER BY at_ns, id").to_arrow_reader(200):
            yield from read_exchanges(batch)


def suite_records(cases: Iterable[Case], workflow: str, gathered: Gathered, limit: int | None) -> Iterator[ReplayRecord]:
    """The inputs of a suite as a client of Chat Completions would send them; their slices are attributes."""
    for case in cases:
        try:
            body = _case_body(case, workflow)
        except InputError:
            gathered.left_out["the case cannot be written as a request"] += 1
            continue
        yield ReplayRecord(
            gathered.n, case.case_id, PATHS["openai_chat"], json.dumps(body).encode(), case.cluster, dict(case.slices)
        )
        gathered.n += 1
        if gathered.n == limit:
            return


def write_records(path: Path, records: Iterable[ReplayRecord]) -> None:
    """To a file of one's own: these are words of users."""
    path.touch(mode=0o600)
    with path.open("w", encoding="utf-8") as file:
        for part in in_parts(records, 500):
            file.writelines(one.line() for one in part)


def _why_not(row: Logged, workflow: str) -> str | None:
    exchange = row.exchange
    if exchange.workflow != workflow:
        return "it is of another workflow"
    if any(tag in exchange.tags for tag in NO_EVIDENCE):
        return "nobody asked it: a probe or an eval"
    if exchange.dialect_in not in PATHS:
        return "its dialect is not known"
    if exchange.request.kept != "full":
        return _WHY_NO_BODY.get(exchange.request.kept, "the body is not kept")
    return None if row.request else "the export was written without bodies"


def _case_body(case: Case, workflow: str) -> dict[str, Any]:
    if not case.messages:
        raise InputError("A case without messages has nothing that a client could send.", fix="Give it messages.")
    request = ModelRequest(
        snapshot=workflow,
        messages=case.messages,
        system="",
        parameters=Parameters(),
        tools=case.tools,
        idempotency_key="",
        case_id=case.case_id,
        repeat=0,
    )
    body = dict(encode_request(request).body)
    if case.variables:
        body["segue"] = {"variables": case.variables}
    return body


def _is_name(name: str) -> bool:
    return bool(name) and name.isascii() and name.isprintable() and not set(name) & set(",= ")
