"""Feedback over HTTP: kept before it is acknowledged, by the keys that may give it, and never in the way of a request."""

from __future__ import annotations

import io
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import aiohttp
import openai
import pytest

from segue.exchanges import Outcome, Spool, SpoolSettings
from segue.exchanges.feedback import Feedback, Standing
from segue.gateway.feedback import FeedbackDesk
from segue.gateway.keys import KeyRing, hash_key, make_key
from segue.gateway.target import Plane
from segue.gateway.told import LARGEST
from segue.model.serving import GatewayKey, Serving
from tests.exchanges.builders import a_log, a_shipper, an_exchange, an_outcome, drain
from tests.gateway.test_serving import HELLO, OLD, ask, chat
from tests.gateway.wiring import KEY, PIN_KEY, Wired, a_gateway

UP = {"exchange": "x1", "thumbs": "up"}
OTHER_KEY = make_key(bytes(range(9, 41)))


async def tell(wired: Wired, body: Any, key: str | None = KEY, **headers: str) -> tuple[int, Any]:
    """Status and answer of one `POST /v1/feedback`."""
    if key is not None:
        headers["authorization"] = f"Bearer {key}"
    data = io.BytesIO(body if isinstance(body, bytes) else json.dumps(body).encode())
    url = f"{wired.origin}/v1/feedback"
    async with aiohttp.ClientSession() as session, session.post(url, data=data, headers=headers) as response:
        return response.status, await response.json()


async def test_feedback_on_an_answer_by_the_exchange_that_its_header_named() -> None:
    """With OpenAI's own client: it posts to any path, and its answer is a dictionary."""
    async with a_gateway({"old": OLD}) as (wired, _), chat(wired) as client:
        raw = await client.chat.completions.with_raw_response.create(model="mail", messages=HELLO)
        body = {
            "exchange": raw.headers["segue-exchange"],
            "rating": 2,
            "scale": 5,
            "correction": "Dear Ms Ruf",
            "author": "ada",
        }
        found: Any = await client.post("/feedback", body=body, cast_to=object)
        assert found["kinds"] == ["rating", "correction"]
        assert found["texts_kept"] == {"correction": "full"}
        rating, correction = wired.feedback
        assert rating.outcome.exchange == correction.outcome.exchange == wired.log[0].record.id
        assert {one.outcome.key for one in wired.feedback} == {found["feedback_id"]}
        assert (rating.outcome.source, rating.outcome.scope, rating.outcome.workflow) == ("app", ("mail",), "mail")
        assert (rating.outcome.value, correction.text) == (2, b"Dear Ms Ruf")


async def test_a_list_is_answered_with_a_list() -> None:
    """In its order, each with its id."""
    async with a_gateway({"old": OLD}) as (wired, _):
        status, found = await tell(wired, [UP, {"exchange": "x2", "thumbs": "down"}], **{"idempotency-key": "batch-7"})
        assert (status, [one["feedback_id"] for one in found["feedback"]]) == (202, ["batch-7.0", "batch-7.1"])
        assert [one.outcome.value for one in wired.feedback] == [1, 0]


@pytest.mark.parametrize(
    ("key", "body", "status", "code"),
    [
        (None, UP, 401, "invalid_api_key"),
        ("sg-wrong", UP, 401, "invalid_api_key"),
        (PIN_KEY, UP, 403, "no_feedback"),
        (KEY, b"", 400, "bad_feedback"),
        (KEY, [UP, {"exchange": "x2"}], 400, "bad_feedback"),
        (KEY, {**UP, "workflow": "mails"}, 400, "bad_feedback"),
        (KEY, b" " * (LARGEST + 1), 413, "too_large"),
    ],
    ids=["no-key", "wrong-key", "no-permission", "empty", "half-a-list", "workflow", "too-large"],
)
async def test_what_is_refused_leaves_nothing_behind(key: str | None, body: Any, status: int, code: str) -> None:
    """In one shape: a sentence for people, a code, and each fault with its place and remedy."""
    async with a_gateway({"old": OLD}) as (wired, _):
        found_status, found = await tell(wired, body, key)
        assert (found_status, found["error"]["code"]) == (status, code)
        assert found["error"]["message"]
        assert all(fault["what"] and fault["fix"] for fault in found["error"]["faults"])
        assert not wired.feedback


async def test_a_workflow_that_is_not_there_is_told_with_the_near_one() -> None:
    """Of those this key may tell of."""
    async with a_gateway({"old": OLD}) as (wired, _):
        _, found = await tell(wired, {**UP, "workflow": "mails"})
        assert "Did you mean 'mail'?" in found["error"]["message"]


async def test_an_idempotency_key_that_is_none_is_told() -> None:
    """By the header's name."""
    async with a_gateway({"old": OLD}) as (wired, _):
        status, found = await tell(wired, UP, **{"idempotency-key": "k" * 600})
        assert (status, found["error"]["param"]) == (400, "idempotency-key")


@pytest.mark.parametrize("keep", ["digest", "none"])
async def test_texts_are_kept_as_the_workflow_keeps_bodies(keep: Any) -> None:
    """Also where the feedback names no workflow: as the most reticent one has it that may be meant."""
    async with a_gateway({"old": OLD}, serving=Serving(keep=keep)) as (wired, _):
        wired.gateway.keys = KeyRing([GatewayKey(name="all", hash=hash_key(KEY))])
        status, found = await tell(wired, {**UP, "comment": "secret"})
        assert (status, found["texts_kept"]) == (202, {"comment": keep})
        assert all(b"secret" not in one.text for one in wired.feedback)


async def test_feedback_in_a_header_of_the_next_request() -> None:
    """It is kept as if it had been posted, and the request is served."""
    async with a_gateway({"old": OLD}) as (wired, _):
        assert await ask(wired, extra_headers={"segue-feedback": "x9; thumbs=down; score.tone=0.3"}) == OLD.text
        told = [(one.outcome.exchange, one.outcome.kind, one.outcome.value) for one in wired.feedback]
        assert told == [("x9", "thumbs", 0), ("x9", "tone", 0.3)]


async def test_a_header_that_cannot_be_read_is_refused_as_other_headers_are() -> None:
    """By its name; feedback that goes astray in silence would be missed by nobody."""
    async with a_gateway({"old": OLD}) as (wired, _):
        with pytest.raises(openai.BadRequestError) as refused:
            await ask(wired, extra_headers={"segue-feedback": "x9; thumbs=sideways"})
        assert (refused.value.param, refused.value.code) == ("segue-feedback", "bad_header")
        async with chat(wired, PIN_KEY) as client:
            head = {"segue-feedback": "x9; thumbs=up"}
            with pytest.raises(openai.PermissionDeniedError):
                await client.chat.completions.create(model="mail", messages=HELLO, extra_headers=head)
        assert not wired.feedback
        assert not wired.log


async def test_a_log_that_is_full_refuses_feedback_and_serves_requests() -> None:
    """A feedback that is acknowledged is kept; a request needs no log."""
    async with a_gateway({"old": OLD}) as (wired, _):
        wired.is_full = True
        status, found = await tell(wired, UP)
        assert (status, found["error"]["code"]) == (503, "not_kept")
        assert await ask(wired, extra_headers={"segue-feedback": "x9; thumbs=down"}) == OLD.text


def shipped(folder: Path, *records: Any) -> Feedback:
    """What a log says of these records, once they are archived."""
    with_spool = Spool(SpoolSettings(folder / "spool", "w0", segment_bytes=1 << 16, spare_bytes=0), monotonic=lambda: 0)
    for record in records:
        assert with_spool.append(record) is not None
    with_spool.close()
    shipper = a_shipper(folder)
    drain(shipper)
    shipper.close()
    return Feedback(a_log(folder))


def test_a_key_of_another_workflow_gives_no_feedback(tmp_path: Path) -> None:
    """Its outcomes are shown beside no exchange, are in no rate, and are counted; also where they came first."""
    feedback = shipped(
        tmp_path,
        an_outcome("x000000", source="app", scope=("reply",)),
        an_outcome("x000000", source="spy", scope=("other",), value=0.0),
        an_exchange(0),
        an_outcome("x000000", source="liar", workflow="other", value=0.0),
        an_outcome("x000000", source="all", kind="tone", value=0.5),
        an_outcome("nobody", source="spy", scope=("other",)),
    )
    assert {told.outcome.source for told in feedback.of("x000000")} == {"all", "app"}
    ((_, beside),) = feedback.beside()
    assert {told.outcome.source for told in beside} == {"all", "app"}
    assert {(one.source, one.n_outcomes) for one in feedback.rates()} == {("all", 1), ("app", 1)}
    assert feedback.standing() == Standing(known=2, orphans=1, refused=2, repeated=0, conflicting=0)


def test_nobody_takes_anothers_feedback_id(tmp_path: Path) -> None:
    """An id counts for the key that sent it: a stranger who comes first keeps nobody out."""
    feedback = shipped(
        tmp_path,
        an_outcome("x000000", source="spy", key="f1", scope=("other",), value=0.0),
        an_outcome("x000000", source="app", key="f1", at_ns=an_outcome().at_ns + 9),
        an_exchange(0),
    )
    assert [told.outcome.source for told in feedback.of("x000000")] == ["app"]


@pytest.mark.parametrize("merged", [False, True])
def test_the_first_word_under_an_id_stays_and_another_one_is_counted(tmp_path: Path, merged: bool) -> None:
    """The same twice is once; a different second one changes nothing, before files are merged and after."""
    from tests.exchanges.builders import DAY, Clock

    noon = an_outcome().at_ns
    clock = Clock()
    spool = Spool(SpoolSettings(tmp_path / "spool", "w0", segment_bytes=1 << 16, spare_bytes=0), monotonic=lambda: 0)
    shipper = a_shipper(tmp_path, clock)
    for record in (
        an_exchange(0),
        an_outcome(at_ns=noon + 1),
        an_outcome(at_ns=noon + 2),
        an_outcome(at_ns=noon + 3, value=0.0),
        an_outcome(at_ns=noon + 4, author="bo"),
    ):
        assert spool.append(record) is not None
        drain(shipper)
    if merged:
        clock.now += 3 * DAY
        shipper.tidy()
    feedback = Feedback(a_log(tmp_path))
    assert feedback.standing() == Standing(known=1, orphans=0, refused=0, repeated=3, conflicting=2)
    assert [(told.outcome.value, told.outcome.author, told.outcome.at_ns) for told in feedback.of("x000000")] == [
        (1.0, None, noon + 1)
    ]
    shipper.close()
    spool.close()


def test_ratings_on_different_scales_are_not_averaged(tmp_path: Path) -> None:
    """Four of five is not four of ten."""
    feedback = shipped(
        tmp_path,
        an_exchange(0),
        an_outcome(kind="rating", value=4.0, lowest=1.0, highest=5.0, key="a"),
        an_outcome(kind="rating", value=4.0, lowest=0.0, highest=10.0, key="b"),
    )
    assert [(one.mean, one.lowest, one.highest) for one in feedback.rates()] == [(4.0, 0.0, 10.0), (4.0, 1.0, 5.0)]


def test_what_a_key_may_tell_of_is_read_when_it_tells() -> None:
    """A plane that was flipped since, and workflows of others, change nothing of what is asked of the desk."""
    kept: list[Outcome] = []

    def keep(outcome: Outcome, text: bytes) -> int:
        kept.append(outcome)
        return len(kept)

    desk = FeedbackDesk(keep=keep, wall_ns=lambda: 5, plane=Plane)
    key = GatewayKey(name="two", hash=hash_key(OTHER_KEY), workflows=("a", "b"))
    assert desk.take_header(b"x1; thumbs=up; comment=hm", key) is None
    assert {(one.scope, one.source, one.text.kept) for one in kept} == {
        (("a", "b"), "two", "absent"),
        (("a", "b"), "two", "none"),
    }
    refused = desk.take_header(b"x1; thumbs=up", key.model_copy(update={"permissions": ("call",)}))
    assert refused is not None
    assert refused.kind == "permission"


@pytest.mark.parametrize(
    ("workflows", "named", "kept"),
    [((), "", "none"), (("mail", "chat"), "", "digest"), (("mail", "gone"), "", "full"), ((), "; workflow=mail", "full")],
    ids=["all", "two", "one-is-gone", "named"],
)
def test_the_most_reticent_workflow_decides_unless_one_is_named(workflows: Any, named: str, kept: str) -> None:
    """Of those the key may tell of, and that are served here."""
    keeps = {"mail": "full", "chat": "digest", "secret": "none"}
    served = {name: SimpleNamespace(name=name, keep=keep) for name, keep in keeps.items()}
    found: list[Outcome] = []
    desk = FeedbackDesk(
        keep=lambda outcome, _: found.append(outcome) or 1,  # type: ignore[func-returns-value]
        wall_ns=lambda: 5,
        plane=lambda: cast(Plane, SimpleNamespace(workflows=served)),
    )
    key = GatewayKey(name="k", hash=hash_key(OTHER_KEY), workflows=workflows)
    assert desk.take_header(f"x1; comment=hm{named}".encode(), key) is None
    assert [one.text.kept for one in found] == [kept]


def test_feedback_on_no_named_workflow_stays_no_longer_than_the_strictest_allows(tmp_path: Path) -> None:
    """It may be about any of them, and hold what a user wrote."""
    from segue.gateway.last_known import LastKnown, save_last_known
    from segue.gateway.shipping import Known

    servings = {"mail": Serving(keep_days=30), "chat": Serving(keep_days=7), "open": Serving()}
    save_last_known(tmp_path / "known.json", LastKnown(environment="production", servings=servings))
    rules = Known(tmp_path / "known.json", lambda: 0).rules()
    assert {name: rules.of(name).days for name in ("", "mail", "chat", "open")} == {"": 7, "mail": 30, "chat": 7, "open": None}
    save_last_known(tmp_path / "known.json", LastKnown(environment="production", servings={"open": Serving()}))
    assert Known(tmp_path / "known.json", lambda: 0).rules().of("").days is None
