"""Shadow's cap in money: what may cost too much is not sent, over all workers, kills and restarts, and users notice nothing."""

from __future__ import annotations

import signal
import subprocess
import sys
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue.gateway.last_known import LastKnown
from segue.gateway.shadow_money import DAY_NS, ShadowMoney, learn_prices
from segue.gateway.spending import MappedSpending, MemorySpending
from segue.gateway.target import Target
from segue.model import Bundle, ModelRef, Parameters, Usage
from segue.providers.pricing import ModelPrice
from segue.standin.settings import StandInSettings, Trouble, TroubleKind
from tests.gateway.test_serving import HELLO, NEW, OLD, ask, stream
from tests.gateway.wiring import Wired, a_gateway

NOON = 20_000 * DAY_NS + DAY_NS // 2


def a_target(limit: int | None = 100, dialect: str = "openai") -> Target:
    """As much of one as money is asked of."""
    bundle = Bundle(workflow="mail", model=ModelRef(provider="p", snapshot="m"), parameters=Parameters(max_output_tokens=limit))
    return cast(Target, SimpleNamespace(applied=SimpleNamespace(bundle=bundle, dialect=dialect)))


def a_dollar_a_token(_target: Target, usage: Usage, _written: int | None) -> float:
    """In millionths of a dollar."""
    return 1e6 * ((usage.input_tokens or 0) + (usage.output_tokens or 0))


def answer(tokens: int) -> bytes:
    """A whole one that took so many tokens, one of them input."""
    said = '"choices":[{"index":0,"message":{"role":"assistant","content":"x"},"finish_reason":"stop"}]'
    return f'{{"id":"1",{said},"usage":{{"prompt_tokens":1,"completion_tokens":{tokens - 1}}}}}'.encode()


def test_the_worst_is_put_by_and_the_truth_takes_its_place() -> None:
    """Ten bytes are five tokens, and an answer may have a hundred: 105 dollars until it is known that it was 7."""
    spending = MemorySpending()
    money = ShadowMoney(spending, a_dollar_a_token)
    put_by = money.put_by(a_target(), b"x" * 10, 200, NOON)
    assert (put_by, spending.total("mail", 20_000)) == (105e6, 105e6)
    assert money.put_by(a_target(), b"x" * 10, 200, NOON) == "money"
    assert isinstance(put_by, float)
    money.settle(a_target(), put_by, answer(7), NOON)
    assert spending.total("mail", 20_000) == pytest.approx(7e6)
    assert money.put_by(a_target(), b"x" * 10, 200, NOON) == 105e6


@pytest.mark.parametrize(
    ("said", "costs"),
    [(None, 0.0), (b'{"choices": []}', 105e6), (b"data: {", 105e6), (b"", 105e6), (b"x" * (5 << 20), 105e6)],
    ids=["never-asked", "no-usage", "broken-off", "nothing", "too-long-to-read"],
)
def test_what_nobody_knows_counts_as_the_worst(said: bytes | None, costs: float) -> None:
    """But for what no provider bills."""
    spending = MemorySpending()
    money = ShadowMoney(spending, a_dollar_a_token)
    put_by = money.put_by(a_target(), b"x" * 10, 200, NOON)
    assert isinstance(put_by, float)
    money.settle(a_target(), put_by, said, NOON)
    assert spending.total("mail", 20_000) == pytest.approx(costs)


def test_a_model_without_a_price_is_not_shadowed_under_a_cap() -> None:
    """A cap that cannot be held is none."""
    assert ShadowMoney(MemorySpending()).put_by(a_target(), b"", 1e9, NOON) == "no price"


def test_an_answer_without_a_bound_is_not_free() -> None:
    """Unknown is not zero."""
    spending = MemorySpending()
    ShadowMoney(spending, a_dollar_a_token).put_by(a_target(limit=None), b"", 1e9, NOON)
    assert spending.total("mail", 20_000) > 1_000e6


def test_the_next_day_begins_with_nothing() -> None:
    """UTC; what is settled after midnight comes off neither day's cap twice."""
    spending = MemorySpending()
    money = ShadowMoney(spending, a_dollar_a_token)
    assert isinstance(money.put_by(a_target(), b"", 100, NOON), float)
    assert money.put_by(a_target(), b"", 100, NOON) == "money"
    assert isinstance(money.put_by(a_target(), b"", 100, NOON + DAY_NS), float)


@given(st.lists(st.tuples(st.integers(0, 400), st.integers(1, 105) | st.none(), st.booleans()), max_size=60))
def test_no_more_is_ever_spent_than_the_cap(calls: list[tuple[int, int | None, bool]]) -> None:
    """Whatever comes in whatever order: as long as no answer is longer than its bound, what is billed stays below."""
    money = ShadowMoney(MemorySpending(), a_dollar_a_token)
    billed, open_calls = 0.0, []
    for size, tokens, ends_first in calls:
        if open_calls and ends_first:
            put_by, ended = open_calls.pop(0)
            billed += put_by if ended is None else ended * 1e6
            money.settle(a_target(), put_by, b"" if ended is None else answer(ended), NOON)
        put_by = money.put_by(a_target(), b"x" * size, 1_000, NOON)
        if isinstance(put_by, float):
            open_calls.append((put_by, None if tokens is None else min(tokens, int(put_by / 1e6))))
    assert billed + sum(put_by for put_by, _ in open_calls) <= 1_000e6 + 1


def test_what_workers_spend_adds_up_and_stays_when_they_go(tmp_path: Path) -> None:
    """Each adds to its own slot and reads all; whoever takes a slot over goes on from there."""
    first = MappedSpending(tmp_path)
    first.add("mail", 7, 2.5)
    code = (
        "import os, signal, sys; from pathlib import Path; from segue.gateway.spending import MappedSpending;"
        f"s = MappedSpending(Path({str(tmp_path)!r})); s.add('mail', 7, 4.0); s.add('a/b', 7, 9.0);"
        "sys.stdout.write(str(s.total('mail', 7))); sys.stdout.flush(); os.kill(os.getpid(), signal.SIGKILL)"
    )
    for expected in ("6.5", "10.5"):
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
        assert (done.stdout, done.returncode) == (expected, -signal.SIGKILL)
    assert (first.total("mail", 7), first.total("mail", 8), first.total("a/b", 7)) == (10.5, 0.0, 18.0)
    first.add("mail", 8, 1.0)
    first.add("mail", 7, 1.0)
    assert (first.total("mail", 7), first.total("mail", 8)) == (8.0, 1.0)
    first.close()
    assert len(list(tmp_path.iterdir())) == 2


def test_where_nothing_can_be_noted_nothing_is_sent(tmp_path: Path) -> None:
    """A folder that cannot be made is told as the reason, and nobody fails."""
    (tmp_path / "taken").write_text("")
    money = ShadowMoney(MappedSpending(tmp_path / "taken" / "within"), a_dollar_a_token)
    assert money.put_by(a_target(), b"", 1e9, NOON) == "spending unknown"


def test_prices_are_those_of_the_workspace_and_of_the_list() -> None:
    """As the exchange log has them; an entry that cannot be read has none."""
    entries: Any = {"p": {"type": "openai", "base_url": "http://localhost:1/v1"}, "broken": {"type": "none"}}
    known = LastKnown(
        environment="production",
        providers=entries,
        prices={"m": ModelPrice(input_usd_per_mtok=1.0, output_usd_per_mtok=2.0)},
    )
    price = learn_prices(known, date(2026, 11, 21))
    assert price(a_target(), Usage(10, 100), None) == pytest.approx(210)
    other = a_target()
    other.applied.bundle.__dict__["model"] = ModelRef(provider="broken", snapshot="x")
    assert price(other, Usage(10, 100), None) is None


def capped(usd_per_day: float) -> dict[str, Any]:
    """A route whose shadow may cost so much."""
    return {"candidate": "new", "shadow": {"share": 1.0, "usd_per_day": usd_per_day}}


def with_money(wired: Wired) -> MemorySpending:
    """Prices and spending for a gateway's shadows."""
    spending = MemorySpending()
    wired.shadows._money = ShadowMoney(spending, a_dollar_a_token)
    return spending


async def test_when_the_days_money_is_spent_shadows_are_shed_and_counted() -> None:
    """Users are served all the while; what comes of each shadow is read from its answer, whole or streamed."""
    async with a_gateway({"old": OLD, "new": NEW}, **capped(1_300)) as (wired, _):
        spending = with_money(wired)
        day = 1_800_000_000_000_000_000 // DAY_NS
        assert await ask(wired) == OLD.text
        await wired.kept(2)
        spent = spending.total("mail", day)
        assert 0 < spent < 100e6
        assert await stream(wired, stream_options={"include_usage": True}) == OLD.text
        await wired.kept(4)
        assert spent < spending.total("mail", day) < 200e6
        while not wired.shadows.shed:
            assert await ask(wired) == OLD.text
        assert dict(wired.shadows.shed) == {("mail", "money"): 1}
        assert spending.total("mail", day) <= 1_300e6


@pytest.mark.parametrize("kind", ["server_error", "refused", "rate_limit"])
async def test_an_error_costs_nothing(kind: TroubleKind) -> None:
    """As with the providers."""
    burning = StandInSettings(troubles=(Trouble(kind=kind),))
    async with a_gateway({"old": OLD, "new": burning}, **capped(1_300)) as (wired, _):
        spending = with_money(wired)
        assert await ask(wired) == OLD.text
        await wired.kept(2)
        assert spending.total("mail", 1_800_000_000_000_000_000 // DAY_NS) == pytest.approx(0.0)


async def test_without_prices_nothing_is_mirrored_under_a_cap() -> None:
    """And it is counted by its reason."""
    async with a_gateway({"old": OLD, "new": NEW}, **capped(1_300)) as (wired, _):
        assert await ask(wired, messages=HELLO) == OLD.text
        assert dict(wired.shadows.shed) == {("mail", "no price"): 1}
