"""Canonical JSON and digests."""

from __future__ import annotations

import math
import random
import struct

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from segue.errors import InputError
from segue.model import Bundle, Case, Message, ModelRef, Suite, canonical_json, digest_of

keys = st.text(max_size=6)
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4), max_leaves=20
)


@given(values)
def test_canonical_json_is_rfc_8785_to_the_byte(value: object) -> None:
    """The fast path and the reference implementation write the same bytes."""
    assert canonical_json(value) == rfc8785.dumps(value)  # type: ignore[arg-type]


def test_numbers_of_every_size_are_written_as_rfc_8785_writes_them() -> None:
    """Shares, times and money, powers of ten with what lies beside them, and random bits: the shortcut errs in none of them."""
    draw = random.Random(8785)
    powers = [sign * 10.0**power for power in range(-8, 23) for sign in (1, -1)]
    beside = [math.nextafter(one, toward) for one in powers for toward in (0.0, math.inf, -math.inf)]
    rounded = [round(draw.uniform(-1000, 1000), draw.randrange(8)) for _ in range(2000)]
    scaled = [draw.choice((-1, 1)) * 10 ** draw.uniform(-7, 17) for _ in range(4000)]
    bits = [struct.unpack("d", struct.pack("Q", draw.getrandbits(64)))[0] for _ in range(4000)]
    numbers = [0.0, -0.0, *powers, *beside, *rounded, *scaled, *(one for one in bits if math.isfinite(one))]
    for number in numbers:
        assert canonical_json(number) == rfc8785.dumps(number), number
    assert canonical_json({"n": numbers}) == rfc8785.dumps({"n": numbers})


@given(st.dictionaries(keys, values, max_size=6))
def test_digests_do_not_depend_on_key_order(value: dict[str, object]) -> None:
    """Keys in reverse give the same digest."""
    assert digest_of(value) == digest_of(dict(reversed(value.items())))


def test_the_published_example_of_rfc_8785() -> None:
    """Section 3.2.2: numbers, escapes and literals, written as the RFC writes them."""
    value = {
        "numbers": [333333333.33333329, 1e30, 4.50, 2e-3, 0.000000000000000000000000001],
        "string": '\u20ac$\u000f\nA\'B"\\\\"/',
        "literals": [None, True, False],
    }
    assert (
        canonical_json(value)
        == (
            '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],'
            '"string":"\u20ac$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'
        ).encode()
    )


@pytest.mark.parametrize("value", [math.nan, math.inf, 2**53 + 1, {"a": [-math.inf]}, "\ud800", {1: 2}])
def test_what_json_cannot_carry_is_refused(value: object) -> None:
    """Each is an input error, not a different digest on another machine."""
    with pytest.raises(InputError):
        canonical_json(value)


def a_bundle(**changes: object) -> Bundle:
    """The smallest valid bundle."""
    return Bundle(**{"workflow": "w", "model": ModelRef(provider="p", snapshot="s"), **changes})  # type: ignore[arg-type]


def test_a_bundle_digest_is_the_same_on_every_machine() -> None:
    """A digest written down: a change of encoding or of defaults would show here."""
    assert a_bundle().digest == "252815e5255c9e9562579d836290258ef7ae72237c4728225d3d5bc85ef1b384"


def test_the_suite_is_part_of_the_bundle_and_not_of_its_behaviour() -> None:
    """A new suite makes a new bundle, whose stored results stay good; a new dial makes both new."""
    one, two = a_bundle(suite="0" * 64), a_bundle(suite="1" * 64)
    assert one.digest != two.digest
    assert one.behaviour == two.behaviour
    dial = a_bundle(parameters={"reasoning_effort": "high"})
    assert dial.behaviour != a_bundle().behaviour


def test_a_suite_digest_ignores_order_and_notices_every_change() -> None:
    """Cases in another order are the same suite; another expectation is another suite."""
    one, two = (Case(case_id=name, messages=(Message(role="user", content="hi"),)) for name in "ab")
    assert Suite("s", (one, two)).digest == Suite("s", (two, one)).digest
    changed = two.model_copy(update={"reference": "x"})
    assert Suite("s", (one, two)).digest != Suite("s", (one, changed)).digest
    assert two.input_digest == changed.input_digest
