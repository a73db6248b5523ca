"""Keys: who may call what."""

from __future__ import annotations

from segue.gateway.keys import KeyRing, hash_key, make_key
from segue.model.serving import GatewayKey

KEY, OTHER = make_key(bytes(range(32))), make_key(bytes(range(1, 33)))


def a_key(key: str = KEY, **given: object) -> GatewayKey:
    """A key of an application."""
    return GatewayKey.model_validate({"name": "app", "hash": hash_key(key), **given})


def test_both_dialects_carry_a_key_in_their_own_header() -> None:
    """As their SDKs send it, whatever the case of the scheme."""
    ring = KeyRing([a_key()])
    for headers in (
        {b"authorization": b"Bearer " + KEY.encode()},
        {b"authorization": b"bearer  " + KEY.encode()},
        {b"x-api-key": KEY.encode()},
        {b"authorization": b"Bearer of-another-proxy", b"x-api-key": KEY.encode()},
    ):
        assert ring.find(headers) == a_key()


def test_anything_else_is_no_key() -> None:
    """Nor is the hash, which may stand in a file."""
    ring = KeyRing([a_key()])
    for value in (b"", b"Bearer", b"Bearer ", KEY.encode(), b"Basic " + KEY.encode(), b"Bearer " + hash_key(KEY).encode()):
        assert ring.find({b"authorization": value}) is None
    assert ring.find({}) is None
    assert ring.find({b"x-api-key": OTHER.encode()}) is None


def test_the_key_itself_is_nowhere_in_what_is_kept() -> None:
    """Only its hash."""
    assert KEY not in a_key().model_dump_json()


def test_a_key_calls_the_workflows_it_is_for() -> None:
    """Without any named, all; and nothing where it may only read metrics."""
    assert a_key().may_call("mail")
    assert a_key(workflows=["mail"]).may_call("mail")
    assert not a_key(workflows=["mail"]).may_call("chat")
    assert not a_key(permissions=["metrics"]).may_call("mail")


def test_two_keys_of_one_application_are_valid_while_one_is_rotated() -> None:
    """And the old one ends with the ring it is not in."""
    both = KeyRing([a_key(), a_key(OTHER)])
    assert all(both.find({b"x-api-key": key.encode()}) for key in (KEY, OTHER))
    assert KeyRing([a_key(OTHER)]).find({b"x-api-key": KEY.encode()}) is None
