"""The HTTP API over a real connection: what it answers, whom it lets in, and what it says to anything else."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from segue.controller.actions import Admission, Admitted
from segue.controller.api import ACTIONS, PLACES, UpgradeApi, describe
from segue.controller.api_answers import REFUSALS, STATUS
from segue.controller.api_bodies import LARGEST, OpenBody
from segue.controller.api_desk import ApiDesk
from segue.controller.api_keys import ControllerKeys
from segue.controller.api_listener import ApiListener
from segue.controller.opening import Proposal, name_of, open_upgrade
from segue.errors import StoreError
from segue.gateway.keys import hash_key
from segue.model.controlling import ControllerKey
from segue.model.route import RouteRevision
from segue.store.base import Store
from segue.upgrade.log import Upgrade
from tests.controller.pretend import PLAN, WORKFLOW, Stage

DOCS = Path(__file__).parents[2] / "docs" / "controller.md"


def key(name: str, **named: Any) -> ControllerKey:
    """One whose secret is its name."""
    return ControllerKey(name=name, hash=hash_key(name), **named)


KEYS = (
    key("all", permissions=("read", "operate", "tickets")),
    key("reader"),
    key("maria-only", permissions=("read", "operate"), people=("maria",)),
    key("other", permissions=("read", "operate", "tickets"), workflows=("v",)),
)


@dataclass
class Served:
    """The API and how to ask it. `out` makes the store unreachable; `rung` counts what may have changed something."""

    stage: Stage
    url: str = ""
    is_out: bool = False
    rung: int = 0
    broken: list[BaseException] = field(default_factory=list)
    session: Any = None

    def store(self) -> Store:
        """As the API gets it."""
        if self.is_out:
            raise StoreError("The store is out of reach.", fix="Wait.")
        return self.stage.store

    def open(self, store: Store, asked: OpenBody, *, environment: str, at: float, key: str, secret: str) -> tuple[Upgrade, Any]:
        """The port `Openings` without a workspace."""
        if asked.candidate == "bug":
            raise RuntimeError("a fault of ours")
        digest = store.find_bundle(asked.workflow, asked.candidate).bundle.digest
        proposal = Proposal(asked.workflow, digest, PLAN, asked.plan, environment=environment, despite=tuple(asked.despite))
        name = name_of(asked.workflow, at, secret or "drawn")
        return open_upgrade(store, proposal, name=name, by=asked.by, reason=asked.reason, at=at, key=key), ["a remark"]

    def admission(self, store: Store) -> Admission:
        """The same: whatever is named may go on, and what is answered for is kept."""
        return lambda upgrade, candidate, despite, at: Admitted(tuple(despite))

    async def ask(
        self, method: str, path: str, body: Any = None, *, by: str | None = "all", headers: dict[str, str] | None = None
    ) -> tuple[int, Any]:
        """Status and JSON. Bytes are sent as they are."""
        sent = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        given = {} if by is None else {"authorization": f"Bearer {by}"}
        async with self.session.request(method, self.url + path, data=sent, headers={**given, **(headers or {})}) as answer:
            assert answer.headers["content-type"] == "application/json"
            return answer.status, await answer.json()

    async def act(self, action: str, **named: Any) -> tuple[int, Any]:
        """In ada's name."""
        headers, by = named.pop("headers", None), named.pop("key", "all")
        body = {"by": "ada", "reason": "because", **named}
        return await self.ask("POST", f"/v1/upgrades/{WORKFLOW}/{action}", body, by=by, headers=headers)


def confirm(store: Store, revision: RouteRevision) -> list[Any]:
    """The port `Confirming`: one gateway, which serves it."""
    return [{"gateway": "g1", "revision": revision.revision}]


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    """On a free port, with a workflow that nothing was opened for."""
    stage = Stage()
    made = Served(stage)

    def ring() -> None:
        made.rung += 1

    desk = ApiDesk(made.store, made, confirm, lambda: stage.pretend.now)
    ring_of_keys = ControllerKeys(KEYS)
    listener = ApiListener(UpgradeApi(desk, lambda: ring_of_keys, made.broken.append, ring))
    made.url = f"http://127.0.0.1:{await listener.listen('127.0.0.1', 0)}"
    async with aiohttp.ClientSession() as made.session:
        yield made
    await listener.stop()


async def opened(served: Served, **named: Any) -> tuple[int, Any]:
    """Open one."""
    headers = named.pop("headers", None)
    body = {"workflow": WORKFLOW, "candidate": served.stage.new, "by": "ada", "plan": "careful", **named}
    return await served.ask("POST", "/v1/upgrades", body, headers=headers)


async def in_canary(served: Served) -> None:
    """Led there by a controller that is gone by now."""
    served.stage.open()
    served.stage.controller().tick()
    assert (await served.act("advance"))[0] == 200
    served.stage.controller().tick()
    assert served.stage.route().share == 0.05


async def test_an_upgrade_is_opened_seen_and_led_over_http(served: Served) -> None:
    """As on the command line, with the same shapes."""
    status, body = await opened(served, reason="cheaper")
    assert (status, body["stage"], body["remarks"]) == (201, "decide", ["a remark"])
    name = body["upgrade"]
    status, body = await served.ask("GET", "/v1/upgrades?open=true")
    assert (status, [one["upgrade"] for one in body["upgrades"]]) == (200, [name])
    status, body = await served.act("pause")
    assert (status, body["entry"]["event"], body["status"]["standing"]) == (200, "pause", "paused")
    assert served.rung == 2
    status, body = await served.ask("GET", f"/v1/upgrades/{WORKFLOW}/history")
    assert [(one["event"], one["by"]) for one in body["entries"]] == [("opened", "ada"), ("pause", "ada")]
    status, body = await served.ask("GET", f"/v1/upgrades/{WORKFLOW}/why/0")
    assert (status, body["entry"]["because"]) == (200, ["cheaper"])
    status, body = await served.ask("GET", f"/v1/upgrades/{WORKFLOW}/why")
    assert (body["entry"]["number"], body["key"]) == (1, "all")
    log = [one.author for one in served.stage.store.iter_log()]
    assert log[-2:] == ["ada (key all)", "ada (key all)"]


@pytest.mark.parametrize("word", sorted(set(ACTIONS) - {"replace", "roll-back"}))
async def test_every_action_has_a_place(served: Served, word: str) -> None:
    """It is done, or refused by name with what is possible: never unknown."""
    await opened(served)
    status, body = await served.act(word)
    assert status in (200, 400)
    if status == 400:
        assert "possible" in body["error"]["what"].lower() or "waits for an approval" in body["error"]["what"]
        assert body["error"]["fix"]


async def test_another_candidate_is_named_where_it_replaces_and_nowhere_else(served: Served) -> None:
    """By label or digest; one that is not there is said so."""
    await opened(served)
    assert (await served.act("replace"))[0] == 400
    assert (await served.act("hold", candidate="x"))[0] == 400
    assert (await served.act("replace", candidate="feed"))[0] == 404
    status, body = await served.act("replace", candidate=served.stage.old)
    assert (status, body["error"]["what"]) == (400, "replace needs another bundle.")


async def test_rolling_back_flips_at_once_and_says_what_gateways_serve(served: Served) -> None:
    """No controller is needed; again, it changes nothing."""
    await in_canary(served)
    status, body = await served.act("roll-back")
    assert (status, body["new"], body["entry"]["event"]) == (200, True, "roll_back")
    assert body["gateways"] == [{"gateway": "g1", "revision": body["revision"]}]
    assert served.stage.route().candidate is None
    assert body["status"]["stage"] == "rolled_back"
    status, body = await served.act("roll-back")
    assert (status, body["new"]) == (200, False)


async def test_a_request_sent_again_under_its_key_counts_once(served: Served) -> None:
    """Whatever became of the first answer. Another body under the same key is a conflict."""
    once = {"idempotency-key": "a-uuid"}
    status, first = await opened(served, headers=once)
    assert status == 201
    status, again = await opened(served, headers=once)
    assert (status, again["upgrade"]) == (200, first["upgrade"])
    assert (await opened(served, headers=once, by="bo"))[0] == 409
    assert (await opened(served))[0] == 409
    served.stage.controller().tick()
    _, one = await served.act("advance", headers=once)
    _, two = await served.act("advance", headers=once)
    assert one["entry"] == two["entry"]
    assert two["status"]["step"] == 0
    status, body = await served.act("advance", reason="another", headers=once)
    assert (status, body["error"]["code"]) == (409, "conflict")
    assert (await served.act("hold", headers={"idempotency-key": "x" * 201}))[0] == 400


async def test_tickets_are_counted_and_corrected(served: Served) -> None:
    """The same count again is no news."""
    body = {"workflow": WORKFLOW, "day": "2027-01-10", "count": 7, "source": "desk"}
    assert await served.ask("POST", "/v1/tickets", body) == (
        200,
        {"workflow": WORKFLOW, "day": "2027-01-10", "count": 7, "new": True},
    )
    assert (await served.ask("POST", "/v1/tickets", body))[1]["new"] is False
    assert (await served.ask("POST", "/v1/tickets", {**body, "day": "2027-02-30"}))[0] == 400
    assert (await served.ask("POST", "/v1/tickets", {**body, "count": -1}))[0] == 400
    assert (await served.ask("POST", "/v1/tickets", {**body, "count": True}))[0] == 400
    assert (await served.ask("POST", "/v1/tickets", {**body, "day": "2999-01-01"}))[0] == 400


LEFT_OUT = object()


@pytest.mark.parametrize(
    ("body", "path", "told"),
    [
        (b"", None, "empty"),
        (b"   ", None, "empty"),
        (b"{", None, "no JSON"),
        (b"[]", None, "no JSON object"),
        (b'"x"', None, "no JSON object"),
        (b"\xff\xfe", None, "not UTF-8"),
        (b"[" * 30_000, None, ""),
        (b'{"by": "a", "by": "b", "reason": "x"}', "by", "written twice"),
        (b'{"by": "ada", "reason": NaN}', None, "no number of JSON"),
        (b'{"by": "ada"}', "reason", "missing"),
        (b'{"by": "ada", "reason": ""}', "reason", "at least 1"),
        (b'{"by": "ada", "reason": "  "}', None, "needs a reason"),
        (b'{"by": "", "reason": "x"}', "by", ""),
        (b'{"by": 7, "reason": "x"}', "by", "valid string"),
        (b'{"by": "ada", "reason": ["x"]}', "reason", "valid string"),
        (b'{"by": "ada", "reason": "x", "resaon": "y"}', "resaon", "no key here"),
        (b'{"by": "' + b"a" * 300 + b'", "reason": "x"}', "by", "at most"),
    ],
    ids=[
        "empty",
        "blank",
        "cut",
        "list",
        "text",
        "not-utf-8",
        "deep",
        "twice",
        "nan",
        "no-reason",
        "empty-reason",
        "blank-reason",
        "nobody",
        "number-for-name",
        "list-for-reason",
        "unknown-key",
        "long-name",
    ],
)
async def test_a_body_that_cannot_be_meant_is_refused_with_its_place(
    served: Served, body: bytes, path: str | None, told: str
) -> None:
    """In the one shape of errors, and nothing is written."""
    await opened(served)
    status, answer = await served.ask("POST", f"/v1/upgrades/{WORKFLOW}/pause", body)
    assert status == 400
    error = answer["error"]
    assert error.keys() == {"code", "what", "fix", "faults"}
    assert error["code"] == "input"
    assert path is None or path in [one["path"] for one in error["faults"]]
    assert told in " ".join(one["what"] for one in error["faults"])
    assert served.stage.store.list_upgrades()[0].entries == ()


async def test_a_body_that_is_too_large_is_not_read(served: Served) -> None:
    """In the same shape."""
    status, body = await served.ask("POST", "/v1/tickets", b"x" * (LARGEST + 1))
    assert (status, body["error"]["code"]) == (413, "too-large")


async def test_bytes_that_are_no_request_are_told_in_the_same_shape(served: Served) -> None:
    """Before anything asks for a key."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(served.url.rpartition(":")[2]))
    writer.write(b"NONSENSE\r\n\r\n")
    answer = await reader.read()
    writer.close()
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["error"]["code"] == "malformed"


@pytest.mark.parametrize(
    ("by", "method", "path", "body", "expected"),
    [
        (None, "GET", "/v1/upgrades", None, (401, "no-key")),
        ("wrong", "GET", "/v1/upgrades", None, (401, "no-key")),
        ("wrong", "GET", "/nix", None, (401, "no-key")),
        ("reader", "POST", "/v1/upgrades/w/hold", {"by": "ada", "reason": "x"}, (403, "no-permission")),
        ("reader", "POST", "/v1/tickets", {}, (403, "no-permission")),
        ("maria-only", "POST", "/v1/upgrades/w/hold", {"by": "ada", "reason": "x"}, (403, "no-permission")),
        ("other", "POST", "/v1/upgrades/w/hold", {"by": "ada", "reason": "x"}, (403, "no-permission")),
        ("other", "GET", "/v1/upgrades/w", None, (403, "no-permission")),
        ("other", "POST", "/v1/upgrades", {"workflow": "w", "candidate": "c", "by": "ada"}, (403, "no-permission")),
        (
            "other",
            "POST",
            "/v1/tickets",
            {"workflow": "w", "day": "2027-01-10", "count": 1, "source": "d"},
            (403, "no-permission"),
        ),
        ("all", "GET", "/nix", None, (404, "no-such-place")),
        ("all", "GET", "/v1/upgrades/nosuch", None, (404, "not-found")),
        ("all", "POST", "/v1/upgrades/nosuch/hold", {"by": "ada", "reason": "x"}, (404, "not-found")),
        ("all", "GET", "/v1/upgrades/w%2Fx", None, (404, "not-found")),
        ("all", "DELETE", "/v1/upgrades", None, (405, "wrong-method")),
        ("all", "GET", "/v1/upgrades/w/hold", None, (405, "wrong-method")),
        ("all", "GET", "/v1/upgrades?open=perhaps", None, (400, "input")),
        ("all", "GET", "/v1/upgrades?colour=red", None, (400, "input")),
        ("all", "GET", "/v1/upgrades?open=true&open=false", None, (400, "input")),
        ("all", "GET", "/v1/upgrades?environment=No%20Such", None, (400, "input")),
        ("all", "GET", "/v1/upgrades/w/why/x", None, (400, "input")),
        ("all", "GET", "/v1/upgrades/w/why/99", None, (404, "not-found")),
    ],
    ids=lambda value: None,
)
async def test_what_is_not_allowed_or_not_there_is_told_in_one_shape(
    served: Served, by: str | None, method: str, path: str, body: Any, expected: tuple[int, str]
) -> None:
    """With a code to go by, what is wrong, and what to do; nothing is written."""
    await opened(served)
    status, answer = await served.ask(method, path, body, by=by)
    assert (status, answer["error"]["code"]) == expected
    assert answer["error"]["what"]
    assert answer["error"].keys() == {"code", "what", "fix", "faults"}
    assert served.stage.store.list_upgrades()[0].entries == ()
    assert served.stage.store.list_facts() == []


async def test_a_key_sees_the_upgrades_of_its_workflows_alone(served: Served) -> None:
    """A list leaves the others out."""
    await opened(served)
    assert (await served.ask("GET", "/v1/upgrades", by="other"))[1]["upgrades"] == []
    assert len((await served.ask("GET", "/v1/upgrades", by="reader"))[1]["upgrades"]) == 1


async def test_a_store_that_is_out_is_said_so_and_nothing_else_breaks(served: Served) -> None:
    """503 with the store's own words; a moment later it is well again."""
    served.is_out = True
    status, body = await served.ask("GET", "/v1/upgrades")
    assert (status, body["error"]["code"], body["error"]["what"]) == (503, "store", "The store is out of reach.")
    assert (await served.ask("GET", "/healthz", by=None))[0] == 200
    served.is_out = False
    assert (await served.ask("GET", "/v1/upgrades"))[0] == 200


async def test_a_fault_of_ours_is_not_told_to_strangers(served: Served) -> None:
    """Whoever runs the controller gets it, whoever asked hears that it is ours."""
    status, body = await opened(served, candidate="bug")
    assert (status, body["error"]["code"]) == (500, "broken")
    assert "a fault of ours" not in json.dumps(body)
    assert [type(one) for one in served.broken] == [RuntimeError]


async def test_many_at_once_are_all_answered(served: Served) -> None:
    """More than are worked on at a time."""
    await opened(served)
    asked: list[Callable[[], Awaitable[Any]]] = [lambda: served.ask("GET", f"/v1/upgrades/{WORKFLOW}")] * 40
    found = await asyncio.gather(*(one() for one in asked))
    assert {status for status, _ in found} == {200}


def test_the_guide_lists_every_route_and_every_code() -> None:
    """`docs/controller.md`, compared with the tables they come from."""
    text = DOCS.read_text(encoding="utf-8")
    rows = [f"| `{one['method']}` | `{one['path']}` | `{one['permission']}` |" for one in describe()]
    actions = {f"/v1/upgrades/{{workflow}}/{word}" for word in ACTIONS}
    for row, place in zip(rows, PLACES, strict=True):
        if place.path in actions:
            assert f"`{place.path.rpartition('/')[2]}`" in text
        else:
            assert row in text
    for code, status in {**STATUS, **REFUSALS}.items():
        if code not in ("segue",):
            assert f"| `{code}` | {status} |" in text
