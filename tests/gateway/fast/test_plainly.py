"""What is dressed plainly is dressed as any other request would be."""

from __future__ import annotations

import json

import pytest

from segue.errors import InputError
from segue.gateway.applied import AppliedBundle, plain_turns, read_fields
from segue.model import Bundle
from segue.model.serving import Serving
from segue.providers.config import parse_provider, wire_profile
from tests.gateway.fast.said import BODIES
from tests.gateway.fast.test_twins import SERVINGS
from tests.gateway.fast.twin import BUNDLES

PROVIDERS = (
    {"type": "openai", "base_url": "http://127.0.0.1:1/v1"},
    {"type": "openai"},
    {"type": "openai", "base_url": "http://127.0.0.1:1/v1", "stream_usage": False},
)


@pytest.mark.parametrize("provider", range(len(PROVIDERS)))
@pytest.mark.parametrize("serving", SERVINGS)
@pytest.mark.parametrize("bundle", BUNDLES.values(), ids=[one.model.snapshot for one in BUNDLES.values()])
def test_it_is_the_same_body(bundle: Bundle, serving: Serving, provider: int) -> None:
    """Of every body, or there is none: of one with sealed reasoning, of a stream, and of one that is refused."""
    config = parse_provider("one", PROVIDERS[provider])
    applied = AppliedBundle.of(bundle, config.dialect, wire_profile(config), serving)
    plain = set()
    for name, body in BODIES.items():
        try:
            fields = read_fields(body)
        except InputError:
            continue
        found = applied.dress_plainly(fields, plain_turns(fields))
        if found is not None:
            plain.add(name)
            assert found == applied.apply(fields), name
    assert not plain & {"sealed", "stream", "several", "usage", "variables", "empty", "no list", "input", "no turns"}
    assert plain >= {"plain", "anna", "longer", "underscored", "metadata"} or "{{" in bundle.prompt.system


def test_a_template_or_a_variable_is_not_plain() -> None:
    """They have to be filled in."""
    config = parse_provider("one", PROVIDERS[0])
    for system, template in (("Say {{word}}.", ""), ("", "Translate: {{input}}")):
        given = {"system": system, "template": template}
        bundle = Bundle.model_validate({"workflow": "mail", "model": {"provider": "one", "snapshot": "m"}, "prompt": given})
        applied = AppliedBundle.of(bundle, config.dialect, wire_profile(config), Serving())
        body = {"model": "mail", "messages": [{"role": "user", "content": "x"}]}
        fields = read_fields(json.dumps(body).encode())
        assert applied.dress_plainly(fields, plain_turns(fields)) is None
