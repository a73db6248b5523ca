"""Planes are built workflow by workflow: what cannot be served stays where it was, and takes nobody else with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from segue.errors import InputError, StoreError
from segue.gateway.http import Origin, Upstream
from segue.gateway.last_known import Held, KnownRevision, LastKnown, load_last_known, save_last_known, settle
from segue.gateway.planes import Planes
from segue.gateway.target import Plane, ServedWorkflow
from segue.model import Bundle, ModelRef, Prompt
from segue.model.route import Route
from segue.model.serving import GatewayKey, Serving
from segue.wire.neutral.client_error import ClientError

HERE = {"type": "openai", "base_url": "http://127.0.0.1:9/v1"}
KEY = GatewayKey(name="app", hash="0" * 64)


class Nowhere:
    """An upstream that is never asked."""

    def __init__(self, origin: Origin) -> None:
        self.origin = origin


def planes(environ: dict[str, str] | None = None) -> Planes:
    """Planes that open no connection."""

    def open_upstream(origin: Origin) -> Upstream:
        nowhere: Any = Nowhere(origin)
        return nowhere  # type: ignore[no-any-return]

    return Planes(open_upstream, environ or {})


def a_bundle(workflow: str, provider: str = "here", **given: Any) -> Bundle:
    """A bundle of a workflow, answered by a provider."""
    return Bundle(workflow=workflow, model=ModelRef(provider=provider, snapshot="m-1"), **given)


def known(*bundles: Bundle, revision: int = 1, **given: Any) -> LastKnown:
    """Routes on which each bundle serves its workflow."""
    revisions = tuple(
        KnownRevision(
            revision=revision, route=Route(workflow=one.workflow, incumbent=one.digest), author="ada", reason="r", at="t"
        )
        for one in bundles
    )
    by_digest = {one.digest: one for one in bundles}
    body = {"environment": "production", "bundles": by_digest, "providers": {"here": HERE}, "keys": (KEY,)}
    return LastKnown(revisions=revisions, **{**body, **given})


def served(plane: Plane, workflow: str) -> str:
    """Who serves a workflow, or the code of the error a client gets."""
    found = plane.find(workflow, KEY)
    return found.revision.route.incumbent if isinstance(found, ServedWorkflow) else str(found.code)


def test_a_workflow_that_cannot_be_served_takes_no_other_with_it() -> None:
    """Requests for it are told why; requests for the others are served."""
    good, bad = a_bundle("mail"), a_bundle("chat", provider="gone")
    plane = planes().build(*known(good, bad).sources())
    assert served(plane, "mail") == good.digest
    error = plane.find("chat", KEY)
    assert isinstance(error, ClientError)
    assert (error.status, error.code) == (503, "workflow_not_servable")
    assert "'chat' cannot be served" in error.message
    assert "'gone', which is no provider" in error.message
    assert plane.numbers() == {"mail": 1}


def test_what_cannot_be_served_is_told_to_nobody_who_may_not_call_it() -> None:
    """A key of another workflow learns no more than that it may not."""
    plane = planes().build(*known(a_bundle("chat", provider="gone")).sources())
    found = plane.find("chat", GatewayKey(name="other", hash="1" * 64, workflows=("mail",)))
    assert isinstance(found, ClientError)
    assert found.code == "workflow_not_found"


def test_a_flip_that_cannot_be_served_leaves_the_workflow_where_it_was() -> None:
    """And a flip of another workflow, made at the same time, takes effect."""
    mail, chat, bad, new = (
        a_bundle("mail"),
        a_bundle("chat"),
        a_bundle("chat", "gone"),
        a_bundle("mail", prompt=Prompt(system="Be new.")),
    )
    made = planes()
    before = made.build(*known(mail, chat).sources())
    after = made.build(*known(new, bad, revision=2).sources(), last=before)
    assert served(after, "mail") == new.digest
    assert served(after, "chat") == chat.digest
    assert after.numbers() == {"mail": 2, "chat": 1}
    assert set(after.refused) == {"chat"}


@pytest.mark.parametrize(
    ("entry", "says"),
    [({"type": "openai", "base_url": "ftp://x"}, "_url is not an address"), ({"type": "nothing"}, "nothing")],
    ids=["address", "type"],
)
def test_a_providers_entry_that_says_nothing_stops_its_own_workflows_alone(entry: dict[str, Any], says: str) -> None:
    """The fault names the entry."""
    mail, chat = a_bundle("mail"), a_bundle("chat", "odd")
    plane = planes().build(*known(mail, chat, providers={"here": HERE, "odd": entry}).sources())
    assert plane.numbers() == {"mail": 1}
    assert says in plane.refused["chat"]


def test_a_key_that_is_not_set_is_named() -> None:
    """With the variable that should hold it."""
    chat = a_bundle("chat", "keyed")
    providers = {"keyed": {**HERE, "api_key_env": "NO_SUCH_KEY"}}
    assert "NO_SUCH_KEY" in planes().build(*known(chat, providers=providers).sources()).refused["chat"]
    assert planes({"NO_SUCH_KEY": "k"}).build(*known(chat, providers=providers).sources()).numbers() == {"chat": 1}


def test_what_did_not_change_is_not_made_again() -> None:
    """A flip of a share keeps the targets, and their connections and breakers with them; another serving makes new ones."""
    old, new = a_bundle("mail"), a_bundle("mail", prompt=Prompt(system="Be new."))
    made, route = planes(), Route(workflow="mail", incumbent=old.digest, candidate=new.digest)
    revision = KnownRevision(revision=1, route=route, author="ada", reason="r", at="t")
    first = known(old).model_copy(update={"revisions": (revision,), "bundles": {one.digest: one for one in (old, new)}})
    later = revision.model_copy(update={"revision": 2, "route": route.model_copy(update={"share": 0.5})})
    second = first.model_copy(update={"revisions": (later,)})
    one, two = (made.build(*each.sources()).workflows["mail"] for each in (first, second))
    assert all(one.targets[digest] is two.targets[digest] for digest in (old.digest, new.digest))
    changed = second.model_copy(update={"servings": {"mail": Serving(may_set=("temperature",))}})
    three = made.build(*changed.sources()).workflows["mail"]
    assert three.targets[old.digest] is not two.targets[old.digest]
    assert three.targets[old.digest].breaker is two.targets[old.digest].breaker


def test_the_last_known_keep_the_older_route_of_what_cannot_be_served(tmp_path: Path) -> None:
    """With its own providers and bundles, so that a gateway started from the file serves it; mended, the newest is served."""
    mail, chat, new = a_bundle("mail"), a_bundle("chat", "odd"), a_bundle("mail", prompt=Prompt(system="Be new."))
    before = known(mail, chat, providers={"here": HERE, "odd": HERE}, servings={"chat": Serving(keep="none")})
    found = known(new, chat, revision=2)
    refused = planes().build(*found.sources()).refused
    settled = settle(found, before, refused)
    save_last_known(tmp_path / "known.json", settled)
    plane = planes().build(*load_last_known(tmp_path / "known.json").sources())
    assert plane.numbers() == {"mail": 2, "chat": 1}
    assert plane.workflows["chat"].keep == "none"
    assert "which is no provider" in plane.refused["chat"]
    again = settle(found, settled, refused)
    assert again == settled, "held once, it is held until it is mended"
    mended = known(new, chat, revision=3, providers={"here": HERE, "odd": HERE})
    assert settle(mended, settled, planes().build(*mended.sources()).refused) == mended


def test_what_was_never_served_is_held_without_anything_to_serve() -> None:
    """There is a reason, and no route; nor is one taken from another environment."""
    chat = a_bundle("chat", "gone")
    elsewhere = known(chat, providers={"gone": HERE}, environment="staging")
    for before in (None, known(), elsewhere):
        settled = settle(known(chat), before, {"chat": "because"})
        assert settled.held == {"chat": Held(reason="because")}
        assert planes().build(*settled.sources()).refused == {"chat": "because"}
        assert not planes().build(*settled.sources()).workflows


def test_keys_and_addresses_are_those_of_this_start() -> None:
    """Simulated providers have other ports at each start, of what is held as well."""
    chat = a_bundle("chat", "odd")
    held = settle(known(), known(chat, providers={"odd": HERE}), {"chat": "because"})
    moved = {**HERE, "base_url": "http://127.0.0.1:10/v1"}
    again = held.at_this_start((), {"odd": moved, "other": moved})
    assert again.keys == ()
    assert again.held["chat"].providers == {"odd": moved}
    assert again.providers == {"here": HERE, "odd": moved, "other": moved}


def test_a_file_that_is_not_what_was_written_is_refused(tmp_path: Path) -> None:
    """None, cut short, of another version: each is said with its remedy."""
    path = tmp_path / "known.json"
    with pytest.raises(StoreError, match="no last known routes"):
        load_last_known(path)
    save_last_known(path, known(a_bundle("mail")))
    whole = path.read_bytes()
    path.write_bytes(whole[:-20])
    with pytest.raises(InputError, match="not what a gateway wrote"):
        load_last_known(path)
    path.write_bytes(whole[:1] + b'"version":2,' + whole[1:])
    with pytest.raises(InputError, match="version 2"):
        load_last_known(path)


def test_a_key_that_may_not_call_is_told_that_and_no_other_reason() -> None:
    """Its workflow is there and has a route: what it lacks is the permission."""
    plane = planes().build(*known(a_bundle("mail")).sources())
    found = plane.find("mail", GatewayKey(name="pins", hash="1" * 64, permissions=("pin",)))
    assert isinstance(found, ClientError)
    assert (found.status, found.code) == (403, "no_call")
    assert "Add 'call' to its permissions" in found.message
