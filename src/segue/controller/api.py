"""The HTTP API: from a request to what `api_desk` does, by place, method and key. Routes are the table `PLACES`.

Made on the gateway's own HTTP layer. Nothing here reads a store or waits: that happens in threads, a few at a time.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, unquote

from segue.controller.api_answers import JSON_TYPE, Answer, encode, of_error, of_refusal
from segue.controller.api_bodies import ActBody, OpenBody, TicketBody, idempotency_of, read_body
from segue.controller.api_desk import ApiDesk
from segue.controller.api_keys import ControllerKeys
from segue.errors import Fault, InputError, SegueError
from segue.gateway.http import HttpExchange
from segue.model.controlling import ControllerKey, ControllerPermission
from segue.upgrade.table import Action

ACTIONS: Mapping[str, Action] = {
    "advance": "advance",
    "approve": "approve",
    "hold": "hold",
    "pause": "pause",
    "resume": "resume",
    "roll-back": "roll_back",
    "abort": "abort",
    "replace": "replace",
    "defer": "defer",
}
"""What stands in a path → what is done."""
AT_ONCE = 8
"""Requests that are worked on at the same time; others wait."""
_ENVIRONMENT = re.compile(r"[a-z][a-z0-9-]{0,60}")


@dataclass(frozen=True)
class Asked:
    """A request that was let in: by which key, with which words of its path, body and query."""

    key: ControllerKey
    words: Mapping[str, str]
    body: bytes
    query: Mapping[str, str]
    idempotency: bytes | None
    environment: str


@dataclass(frozen=True)
class Place:
    """A route: method, path, the permission it takes, and what it does."""

    method: str
    path: str
    permission: ControllerPermission
    does: Callable[[ApiDesk, Asked], Answer]
    query: tuple[str, ...] = ("environment",)

    def match(self, path: str) -> dict[str, str] | None:
        """The words of a path, where it is this one's."""
        found = re.fullmatch(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", self.path), path)
        return None if found is None else {name: unquote(word) for name, word in found.groupdict().items()}


def _list(desk: ApiDesk, asked: Asked) -> Answer:
    only_open = _flag(asked.query.get("open"), "open")
    return desk.list_upgrades(asked.environment, only_open=only_open, may=lambda name: asked.key.may("read", name))


def _status(desk: ApiDesk, asked: Asked) -> Answer:
    return desk.status(asked.words["workflow"], asked.environment)


def _history(desk: ApiDesk, asked: Asked) -> Answer:
    return desk.history(asked.words["workflow"], asked.environment)


def _why(desk: ApiDesk, asked: Asked) -> Answer:
    text = asked.words.get("entry")
    if text is not None and not re.fullmatch(r"[0-9]{1,9}", text):
        fault = Fault(what="An entry is named by its number.", fix="See them: …/history", path="entry")
        raise InputError.from_faults([fault], subject="the path")
    return desk.why(asked.words["workflow"], asked.environment, None if text is None else int(text))


def _open(desk: ApiDesk, asked: Asked) -> Answer:
    body = read_body(OpenBody, asked.body)
    refused = _not_for(asked.key, "operate", body.workflow) or _not_in_name(asked.key, body.by)
    if refused is not None:
        return refused
    return desk.open(body, asked.environment, key=asked.key.name, name=idempotency_of(asked.idempotency, asked.key.name))


def _act(desk: ApiDesk, asked: Asked) -> Answer:
    body = read_body(ActBody, asked.body)
    action = ACTIONS[asked.words["action"]]
    if (body.candidate is not None) != (action == "replace"):
        what = "replace names the bundle to go on with." if action == "replace" else f"{action} names no candidate."
        fix = "Send candidate." if action == "replace" else "Leave candidate out."
        raise InputError.from_faults([Fault(what=what, fix=fix, path="candidate")], subject="the request")
    if body.despite and action != "replace":
        what = f"{action} answers for no way in which upgrades go wrong."
        raise InputError.from_faults([Fault(what=what, fix="Leave despite out.", path="despite")], subject="the request")
    refused = _not_in_name(asked.key, body.by)
    if refused is not None:
        return refused
    name = idempotency_of(asked.idempotency, asked.key.name)
    return desk.act(asked.words["workflow"], asked.environment, action, body, key=asked.key.name, name=name)


def _tickets(desk: ApiDesk, asked: Asked) -> Answer:
    body = read_body(TicketBody, asked.body)
    refused = _not_for(asked.key, "tickets", body.workflow)
    if refused is None and body.by is not None:
        refused = _not_in_name(asked.key, body.by)
    return refused if refused is not None else desk.tickets(body, key=asked.key.name)


PLACES: tuple[Place, ...] = (
    Place("GET", "/v1/upgrades", "read", _list, ("environment", "open")),
    Place("POST", "/v1/upgrades", "operate", _open),
    Place("GET", "/v1/upgrades/{workflow}", "read", _status),
    Place("GET", "/v1/upgrades/{workflow}/history", "read", _history),
    Place("GET", "/v1/upgrades/{workflow}/why", "read", _why),
    Place("GET", "/v1/upgrades/{workflow}/why/{entry}", "read", _why),
    *(Place("POST", f"/v1/upgrades/{{workflow}}/{word}", "operate", _act) for word in ACTIONS),
    Place("POST", "/v1/tickets", "tickets", _tickets, ()),
)


class UpgradeApi:
    """The handler of the API's connections. `keys` are those valid now; `ring` is called after whatever may change it."""

    def __init__(
        self,
        desk: ApiDesk,
        keys: Callable[[], ControllerKeys],
        report: Callable[[BaseException], None],
        ring: Callable[[], None] = lambda: None,
    ) -> None:
        self._desk, self._keys, self._report, self._ring = desk, keys, report, ring
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._tasks: set[asyncio.Task[None]] = set()

    def __call__(self, exchange: HttpExchange) -> None:
        """Answer one request; later, where it takes a look at the store."""
        try:
            found = self._let_in(exchange)
        except SegueError as error:
            found = of_error(error)
        if isinstance(found, tuple) and isinstance(found[0], int):
            _respond(exchange, found)
            return
        assert not isinstance(found[0], int)
        task = asyncio.get_running_loop().create_task(self._work(exchange, found[0], found[1]))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _let_in(self, exchange: HttpExchange) -> Answer | tuple[Place, Asked]:
        """The place that is meant and what is asked of it, or why not."""
        request = exchange.request
        raw_path, _, raw_query = request.target.partition(b"?")
        path, method = raw_path.decode("ascii", "replace"), request.method.decode("ascii")
        if path == "/healthz":
            return 200, {"ok": True}
        here = [(one, words) for one in PLACES if (words := _words(one, path)) is not None]
        headers = dict(request.headers)
        key = self._keys().find(headers)
        if key is None:
            fix = "Send one of the controller's keys as 'Authorization: Bearer …'; segue controller key NAME makes one."
            return of_refusal("no-key", "No valid key of the controller came with this request.", fix)
        if not here:
            return of_refusal("no-such-place", f"There is nothing at {path[:200]}.", f"There are: {', '.join(_paths())}.")
        chosen = next(((one, words) for one, words in here if one.method == method), None)
        if chosen is None:
            allowed = ", ".join(dict.fromkeys(one.method for one, _ in here))
            return of_refusal("wrong-method", f"This takes {allowed}.", f"Send it as {allowed}.")
        place, words = chosen
        refused = _not_for(key, place.permission, words.get("workflow"))
        if refused is not None:
            return refused
        query = _query(raw_query, place)
        environment = query.get("environment", self._desk.environment)
        if not _ENVIRONMENT.fullmatch(environment):
            fault = Fault(what="This is no name of an environment.", fix="Such as production.", path="environment")
            raise InputError.from_faults([fault], subject="the query")
        return place, Asked(key, words, request.body, query, headers.get(b"idempotency-key"), environment)

    async def _work(self, exchange: HttpExchange, place: Place, asked: Asked) -> None:
        async with self._slots:
            found = await asyncio.to_thread(self._answer, place, asked)
        _respond(exchange, found)
        if place.method == "POST":
            self._ring()

    def _answer(self, place: Place, asked: Asked) -> Answer:
        try:
            return place.does(self._desk, asked)
        except SegueError as error:
            return of_error(error)
        except Exception as error:
            # A fault of ours: whoever runs this sees it, whoever asked sees that it is ours.
            self._report(error)
            return of_refusal("broken", "This went wrong inside Segue.", "See what the controller wrote to standard error.")


def _respond(exchange: HttpExchange, answer: Answer) -> None:
    if exchange.is_open:
        status, body = answer
        headers = [JSON_TYPE, (b"www-authenticate", b"Bearer")] if status == 401 else [JSON_TYPE]
        exchange.respond(status, headers, encode(body))


def _words(place: Place, path: str) -> dict[str, str] | None:
    found = place.match(path)
    if found is not None and place.does is _act:
        found["action"] = path.rpartition("/")[2]
    return found


def _paths() -> list[str]:
    return list(dict.fromkeys(one.path for one in PLACES))


def _query(raw: bytes, place: Place) -> dict[str, str]:
    """What stands after `?`; each name once, and only those that the place knows."""
    given = parse_qs(raw.decode("ascii", "replace"), keep_blank_values=True, max_num_fields=20) if raw else {}
    faults = [
        Fault(what="It is not known here.", fix=_known(place), path=name[:80]) for name in given if name not in place.query
    ]
    faults += [
        Fault(what="It stands there twice.", fix="Send it once.", path=name) for name, all_ in given.items() if len(all_) > 1
    ]
    if faults:
        raise InputError.from_faults(faults, subject="the query")
    return {name: values[0] for name, values in given.items()}


def _known(place: Place) -> str:
    return f"Known here: {', '.join(place.query)}." if place.query else "Nothing is asked for here."


def _flag(text: str | None, name: str) -> bool:
    if text not in (None, "true", "false"):
        raise InputError.from_faults([Fault(what="It is true or false.", fix="?open=true", path=name)], subject="the query")
    return text == "true"


def _not_for(key: ControllerKey, permission: ControllerPermission, workflow: str | None) -> Answer | None:
    if key.may(permission, workflow):
        return None
    what = f"The key '{key.name}' may not {permission}" + (f" {workflow[:80]!r}" if workflow else "") + "."
    return of_refusal("no-permission", what, "Change its permissions or workflows under controller: keys: in segue.yaml.")


def _not_in_name(key: ControllerKey, person: str) -> Answer | None:
    if key.speaks_for(person):
        return None
    what = f"The key '{key.name}' may not act in the name of {person[:80]!r}."
    return of_refusal("no-permission", what, f"It may in the name of {', '.join(key.people)}: segue.yaml says so.")


def describe() -> list[dict[str, Any]]:
    """The routes, as the docs list them."""
    return [{"method": one.method, "path": one.path, "permission": one.permission} for one in PLACES]
