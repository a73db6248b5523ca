"""Replaying recorded requests: what can be sent, in which order, how often, and what is left after a kill."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from segue.controller.replaying import Replaying, SendSettings, settle_begun
from segue.controller.replaying_folder import Head, ReplayFolder, find_replay
from segue.controller.replaying_records import Gathered, ReplayRecord, read_export, read_log, replayable, suite_records
from segue.controller.replaying_run import ReplayWork, Watch, check_route, export_source, run_replay
from segue.errors import ConflictError, InputError, NotFoundError, ProviderError
from segue.exchanges import ServedExchange
from segue.exchanges.export import exchange_line
from segue.exchanges.record import BodyNote, Logged
from segue.exchanges.selection import Selection
from segue.model import Bundle, Case, Message, ModelRef
from segue.model.route import Route, ShadowRule
from segue.store import open_store
from tests.exchanges.builders import NOON, a_log, a_spool

BODY = b'{"model":"mail","messages":[{"role":"user","content":"Hello"}]}'
AT = "2026-11-21T10:00:00Z"


def a_request(number: int = 0, *, body: bytes = BODY, **given: Any) -> Logged:
    """A client's request as the log has it."""
    values: dict[str, Any] = {
        "id": f"x{number:06d}",
        "at_ns": NOON + number,
        "workflow": "mail",
        "environment": "production",
        "dialect_in": "openai_chat",
        "request": BodyNote("full", len(body)),
    }
    return Logged(ServedExchange(**{**values, **given}), body)


def a_record(number: int) -> ReplayRecord:
    """One that waits."""
    return ReplayRecord(number, f"x{number}", "/v1/chat/completions", json.dumps({"n": number}).encode())


_OPEN: list[ReplayFolder] = []


@pytest.fixture(autouse=True)
def _closing() -> Iterator[None]:
    yield
    while _OPEN:
        _OPEN.pop().close()


def a_folder(path: Path, n: int) -> ReplayFolder:
    """A replay of so many, gathered and open until the test ends."""
    folder = ReplayFolder(path / "mail-1")
    folder.open()
    _OPEN.append(folder)
    gathered = Gathered(n=n)
    head = Head("mail-1", "mail", "staging", "export", "asked", n, {}, NOON)
    folder.begin(lambda: (a_record(number) for number in range(n)), gathered, lambda: head)
    return folder


@dataclass
class Endpoint:
    """A gateway as far as a replay sees one."""

    url: str
    seen: list[int] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    most_at_once: int = 0


@asynccontextmanager
async def an_endpoint(answer: Callable[[int], int] = lambda _n: 200) -> AsyncIterator[Endpoint]:
    """On loopback; `answer` gives the status for each request."""
    at_once = 0

    async def handle(request: web.Request) -> web.Response:
        nonlocal at_once
        number = (await request.json())["n"]
        endpoint.seen.append(number)
        endpoint.headers.append({name.lower(): value for name, value in request.headers.items()})
        at_once += 1
        endpoint.most_at_once = max(endpoint.most_at_once, at_once)
        await asyncio.sleep(0)
        at_once -= 1
        return web.json_response({}, status=answer(number))

    app = web.Application()
    app.router.add_post("/v1/chat/completions", handle)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        endpoint = Endpoint(f"http://127.0.0.1:{port}")
        yield endpoint
    finally:
        await runner.cleanup()


def test_what_a_client_asked_is_replayed_and_what_cannot_be_is_counted_by_reason() -> None:
    """A shadow's request holds a bundle's prompt and is none of a client's: it is passed over."""
    rows = [
        a_request(0, unit="ada", attributes={"tier": "plus", "segue-replay": "old:1"}, slices={"task": "refund"}),
        a_request(1, arm="shadow"),
        a_request(2, request=BodyNote("digest", 5, "d"), body=b""),
        a_request(3, request=BodyNote("cut", 5)),
        a_request(4, workflow="other"),
        a_request(5, tags=("probe",)),
        a_request(6, dialect_in="morse"),
        a_request(0),
        a_request(7, body=b""),
    ]
    gathered = Gathered()
    (only,) = replayable(rows, "mail", gathered, None)
    assert (only.path, only.body, only.unit) == ("/v1/chat/completions", BODY, "ada")
    assert only.attributes == {"tier": "plus", "task": "refund"}
    assert sum(gathered.left_out.values()) == 7
    assert gathered.left_out["the log keeps digests of bodies only"] == 1
    assert gathered.left_out["it is there twice"] == 1


def test_the_log_gives_requests_in_the_order_they_were_asked(tmp_path: Path) -> None:
    """Whichever worker wrote them, shipped or not."""
    spool = a_spool(tmp_path, segment_bytes=1 << 20)
    for number in (5, 1, 4, 2, 3):
        row = a_request(number)
        assert spool.append(row.exchange, row.request) is not None
    spool.close()
    found = replayable(read_log(a_log(tmp_path), Selection(workflow="mail")), "mail", Gathered(), 4)
    assert [one.origin for one in found] == [f"x{number:06d}" for number in (1, 2, 3, 4)]


def test_an_export_is_read_as_it_was_written_and_a_broken_line_is_named(tmp_path: Path) -> None:
    """With the line, and what to do."""
    path = tmp_path / "export.jsonl"
    path.write_text("".join(exchange_line(a_request(number)) + "\n" for number in range(3)), encoding="utf-8")
    assert [one.exchange.id for one in read_export(path)] == ["x000000", "x000001", "x000002"]
    path.write_text(exchange_line(a_request(0)) + "\n\n{broken\n", encoding="utf-8")
    with pytest.raises(InputError, match="line 3 is not JSON"):
        list(read_export(path))
    with pytest.raises(InputError, match="cannot be read"):
        list(read_export(tmp_path))


def test_a_suite_stands_in_where_nothing_was_recorded() -> None:
    """Its variables and slices go with each request."""
    case = Case(case_id="c1", task="refund", messages=(Message(role="user", content="Hi"),), variables={"company": "K"})
    gathered = Gathered()
    (only,) = suite_records([case, Case(case_id="c2")], "mail", gathered, None)
    assert json.loads(only.body)["segue"] == {"variables": {"company": "K"}}
    assert json.loads(only.body)["model"] == "mail"
    assert only.attributes == {"task": "refund"}
    assert sum(gathered.left_out.values()) == 1


@given(
    st.binary(max_size=200),
    st.none() | st.text(min_size=1, max_size=20),
    st.dictionaries(st.text(max_size=9), st.text(max_size=9), max_size=40),
)
def test_a_record_survives_the_disk_and_its_headers_are_headers(body: bytes, unit: str | None, said: dict[str, str]) -> None:
    """Whatever applications say of their users."""
    record = ReplayRecord(3, "x", "/v1/messages", body, unit, said)
    assert ReplayRecord.from_line(record.line()) == record
    headers = record.headers("mail-1")
    assert all(value.isascii() and value.isprintable() for value in headers.values())
    assert headers["segue-attributes"].endswith("segue-replay=mail-1%3A3")
    assert headers["segue-attributes"].count("=") <= 32


async def test_each_request_is_sent_once_in_order_few_at_a_time(tmp_path: Path) -> None:
    """And says which replay it is of."""
    folder = a_folder(tmp_path, 30)
    async with an_endpoint() as endpoint:
        run = Replaying(folder, SendSettings(endpoint.url, "sg-key", at_once=3))
        await run.send(folder.sent())
    assert sorted(endpoint.seen) == list(range(30))
    assert all(abs(place - number) <= 3 for place, number in enumerate(endpoint.seen))
    assert endpoint.most_at_once <= 3
    assert endpoint.headers[0]["authorization"] == "Bearer sg-key"
    assert "segue-replay=mail-1%3A" in endpoint.headers[0]["segue-attributes"]
    assert folder.sent().answered == set(range(30))


async def test_a_replay_that_was_stopped_goes_on_where_it_stopped(tmp_path: Path) -> None:
    """Nothing is asked twice, nothing is left out."""
    folder = a_folder(tmp_path, 40)
    async with an_endpoint() as endpoint:
        first = Replaying(folder, SendSettings(endpoint.url, "k", at_once=2), is_stopped=lambda: len(endpoint.seen) >= 15)
        await first.send(folder.sent())
        assert 15 <= len(endpoint.seen) <= 17
        await Replaying(folder, SendSettings(endpoint.url, "k", at_once=2)).send(folder.sent())
    assert sorted(endpoint.seen) == list(range(40))


async def test_failures_are_counted_by_kind_and_those_without_a_connection_are_sent_again(tmp_path: Path) -> None:
    """What the gateway refused is an answer of its own."""
    folder = a_folder(tmp_path, 10)
    async with an_endpoint(lambda number: 429 if number == 3 else 400 if number == 4 else 200) as endpoint:
        run = Replaying(folder, SendSettings(endpoint.url, "k", at_once=1))
        await run.send(folder.sent())
    assert run.tally.failures == {"status 429": 1, "status 400": 1}
    assert folder.sent().failures == {"status 429": 1, "status 400": 1}
    folder.close()
    gone = a_folder(tmp_path / "gone", 50)
    with pytest.raises(ProviderError, match="could not be reached"):
        await Replaying(gone, SendSettings(endpoint.url, "k", at_once=2)).send(gone.sent())
    assert not gone.sent().answered
    assert not gone.sent().refused
    gone.close()


async def test_a_rate_spreads_requests_over_time(tmp_path: Path) -> None:
    """By the loop's clock: each takes a turn, and turns are a tenth of a second apart."""
    run = Replaying(a_folder(tmp_path, 0), SendSettings("http://x", "k", per_second=10.0))
    waits = [run._take() for _ in range(4)]
    assert waits == pytest.approx([0.0, 0.1, 0.2, 0.3], abs=0.05)


def test_what_was_under_way_at_a_kill_is_looked_up_in_the_log(tmp_path: Path) -> None:
    """Answered there: done. Left by its client, or never seen: sent again."""
    folder = a_folder(tmp_path, 5)
    for number, what in ((0, "answered"), (1, "begun"), (2, "begun"), (3, "begun")):
        folder.note(number, what)
    spool = a_spool(tmp_path, segment_bytes=1 << 20)
    for number, said in ((1, {"status": 200}), (2, {"failure": "client gone"}), (3, {"status": 200, "arm": "shadow"})):
        row = a_request(number, environment="staging", attributes={"segue-replay": f"mail-1:{number}"}, **said)  # type: ignore[arg-type]
        assert spool.append(row.exchange, row.request) is not None
    spool.close()
    sent = settle_begun(folder, folder.sent(), a_log(tmp_path), "staging", NOON)
    assert sent.answered == {0, 1}
    assert not sent.begun
    assert not sent.refused


def test_a_note_that_a_kill_cut_off_says_nothing(tmp_path: Path) -> None:
    """And the next one stands on a line of its own."""
    folder = a_folder(tmp_path, 3)
    folder.note(0, "answered")
    folder.close()
    with (folder.path / "sent.jsonl").open("a") as file:
        file.write('[1, "ans')
    folder.open()
    folder.note(2, "answered")
    assert folder.sent().answered == {0, 2}


def test_two_commands_never_send_one_replay(tmp_path: Path) -> None:
    """The second one is told."""
    folder = a_folder(tmp_path, 1)
    with pytest.raises(ConflictError, match="being sent by another command"):
        ReplayFolder(folder.path).open()
    folder.close()
    again = ReplayFolder(folder.path)
    again.open()
    again.close()


def test_the_same_words_find_an_unfinished_replay_and_a_finished_one_is_left_alone(tmp_path: Path) -> None:
    """And requests of users are gone from the disk with the end."""
    first = find_replay(tmp_path, "mail", "asked", None)
    assert first.path.name == "mail-1"
    folder = a_folder(tmp_path / "replays", 2)
    assert oct((folder.path / "requests.jsonl").stat().st_mode)[-3:] == "600"
    assert find_replay(tmp_path, "mail", "asked", None).path == folder.path
    assert find_replay(tmp_path, "mail", "other", None).path.name == "mail-2"
    head = folder.head
    assert head is not None
    folder.finish(head)
    assert not (folder.path / "requests.jsonl").exists()
    assert find_replay(tmp_path, "mail", "asked", None).path.name == "mail-2"
    assert find_replay(tmp_path, "mail", "x", "week").path.name == "week"
    (folder.path / "replay.json").write_text("{")
    with pytest.raises(InputError, match="cannot be read"):
        find_replay(tmp_path, "mail", "asked", None)


def test_gathering_that_fails_leaves_nothing_to_be_taken_for_a_whole(tmp_path: Path) -> None:
    """The next command gathers anew."""

    def broken() -> Iterator[ReplayRecord]:
        yield a_record(0)
        raise InputError("line 2 is not JSON.", fix="Export again.")

    folder = ReplayFolder(tmp_path / "mail-1")
    folder.open()
    _OPEN.append(folder)
    with pytest.raises(InputError):
        folder.begin(broken, Gathered(), lambda: pytest.fail("no head of half a replay"))
    assert folder.head is None
    folder.close()
    assert not folder.path.exists()


def test_a_replay_of_nothing_says_why_and_leaves_nothing_behind(tmp_path: Path) -> None:
    """Nobody waits for a gateway that would be asked nothing."""
    path = tmp_path / "export.jsonl"
    path.write_text(exchange_line(a_request(0, request=BodyNote("none", 5), body=b"")) + "\n", encoding="utf-8")
    folder = ReplayFolder(tmp_path / "mail-1")
    folder.open()
    _OPEN.append(folder)
    work = ReplayWork(tmp_path, a_log(tmp_path), "mail", "staging", lambda: NOON)
    with pytest.raises(InputError, match="1: the log keeps no bodies"):
        run_replay(work, folder, export_source(path, "mail", None, "asked"), Watch())
    assert folder.head is None


def test_a_replay_needs_a_route_that_shadows_every_request_and_is_not_production() -> None:
    """Each refusal has the command that mends it."""
    store = open_store("memory:")
    with pytest.raises(NotFoundError, match="has no route in staging"):
        check_route(store, "mail", "staging")
    with pytest.raises(InputError, match="another environment than production"):
        check_route(store, "mail", "production")
    old, new = (Bundle(workflow="mail", model=ModelRef(provider="p", snapshot=name)) for name in ("old", "new"))
    for one in (old, new):
        store.add_bundle(one, author="ada", at=AT)
    plain = Route(workflow="mail", environment="staging", incumbent=old.digest)
    store.flip_route(plain, follows=None, author="ada", reason="r", at=AT)
    with pytest.raises(InputError, match="does not shadow every request"):
        check_route(store, "mail", "staging")
    shadows = plain.model_copy(update={"candidate": new.digest, "shadow": ShadowRule(share=1.0)})
    store.flip_route(shadows, follows=1, author="ada", reason="r", at=AT)
    check_route(store, "mail", "staging")
