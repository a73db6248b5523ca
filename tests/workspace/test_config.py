"""segue.yaml: finding it, the state's address, providers, prices, and secrets that do not belong there."""

from __future__ import annotations

from pathlib import Path

import pytest

from segue.errors import InputError, NotFoundError
from segue.workspace import find_workspace, load_workspace
from tests.workspace.builders import CONFIG, Team

KEY = "sk-ant-api03-abcdefghijklmnop"


def test_finds_the_workspace_from_any_folder_in_it(team: Team) -> None:
    """Commands work from wherever people are."""
    assert find_workspace(team.path("suites")) == team.root


def test_outside_a_workspace_the_remedy_is_init(tmp_path: Path) -> None:
    """The first thing anybody meets is an error that can be pasted."""
    with pytest.raises(NotFoundError) as caught:
        find_workspace(tmp_path)
    assert "segue init" in caught.value.fix


def test_the_state_lies_in_the_workspace_unless_said_otherwise(team: Team) -> None:
    """A path is from the root, whatever folder the command was called in."""
    assert team.load().state == str(team.root / ".segue/state.db")


@pytest.mark.parametrize(
    ("state", "found"),
    [
        ("${SEGUE_STATE}", "postgresql://db/segue"),
        ("sqlite:///data/x.db", "sqlite:///{root}/data/x.db"),
        ("memory:", "memory:"),
        ("postgresql://u:${PASSWORD}@db/segue", "postgresql://u:hush@db/segue"),
    ],
)
def test_references_to_the_environment_are_filled_in(team: Team, state: str, found: str) -> None:
    """The address may come from the environment, whole or in part."""
    team.write("segue.yaml", CONFIG + f"state: '{state}'\n")
    workspace = team.load(SEGUE_STATE="postgresql://db/segue", PASSWORD="hush")
    assert workspace.state == found.replace("{root}", str(team.root))


def test_an_unset_reference_names_the_variable(team: Team) -> None:
    """Nothing is guessed in its place."""
    team.write("segue.yaml", CONFIG + "state: ${SEGUE_STATE}\n")
    assert team.said() == [
        "segue.yaml:4 state: The environment variable SEGUE_STATE is not set. "
        "Set it (`export SEGUE_STATE=…`), or write `state: .segue/state.db`."
    ]
    with pytest.raises(InputError):
        team.load()


def test_a_state_of_an_unknown_kind_is_refused(team: Team) -> None:
    """The store is asked whether it can read the address."""
    team.write("segue.yaml", CONFIG + "state: mysql://db/segue\n")
    assert "no state store of the kind 'mysql'" in team.said()[0]


@pytest.mark.parametrize(
    "entry",
    [
        f"api_key: {KEY}",
        "api_key: plainword",
        f"api_key_env: {KEY}",
        f"headers: {{X-Key: {KEY}}}",
        "headers: {Authorization: Bearer abcdefghijklmnopqrstuvwxyz}",
        "token: AKIAABCDEFGHIJKLMNOP",
    ],
)
def test_a_pasted_key_is_refused_and_never_repeated(team: Team, entry: str) -> None:
    """The remedy is a reference to the environment; the message can be pasted into a ticket."""
    team.write("segue.yaml", f"version: 1\nproviders:\n  x:\n    type: openai\n    {entry}\n")
    team.write("bundles/now.yaml", "model: {provider: x, snapshot: gpt-4o-2024-08-06}\n")
    said = team.said("error")
    assert any("A secret is written into the file" in one and "api_key_env: MY_PROVIDER_KEY" in one for one in said)
    assert all(word not in " ".join(said) for word in ("plainword", KEY, "abcdefghijk", "AKIA"))
    with pytest.raises(InputError):
        load_workspace(team.root, {})


def test_a_password_in_an_address_is_refused(team: Team) -> None:
    """It would be in the history of the repository for ever."""
    team.write("segue.yaml", CONFIG + "state: postgresql://segue:hunter2@db/segue\n")
    (sentence,) = team.said()
    assert "A password is written into an address" in sentence
    assert "hunter2" not in sentence


def test_a_key_pasted_into_a_bundle_is_found_too(team: Team) -> None:
    """Wherever people paste keys, they are seen."""
    team.write("bundles/now.yaml", "model: {provider: sim, snapshot: m-1}\nparameters: {extra: {auth: " + KEY + "}}\n")
    assert "A secret is written into the file" in team.said("error")[0]


def test_an_entry_of_a_provider_is_checked_key_by_key(team: Team) -> None:
    """Keys of the provider's type are matched like all others."""
    team.write("segue.yaml", CONFIG + "  other: {type: openai, api_key_evn: X, timeout_s: soon}\n  third: {type: opnai}\n")
    said = team.said("error")
    assert said[0].startswith(
        "segue.yaml:4 providers.other.api_key_evn: 'api_key_evn' is not a key of 'other'. Did you mean 'api_key_env'?"
    )
    assert said[1].startswith("segue.yaml:4 providers.other.timeout_s: 'timeout_s' is text; it has to be a number.")
    assert said[2] == (
        "segue.yaml:5 providers.third.type: 'opnai' is no type of provider. Did you mean 'openai'? "
        "Write `type:` with one of openai, anthropic, recorded, scripted."
    )


def test_a_key_that_is_not_set_is_a_warning(team: Team) -> None:
    """Whoever checks a pull request has no keys, and needs none."""
    team.write("segue.yaml", CONFIG + "  open: {type: openai}\n")
    assert team.said("error") == []
    assert "OPENAI_API_KEY is not set" in team.said("warning")[0]
    assert team.said(OPENAI_API_KEY="x") == []


def test_prices_are_checked(team: Team) -> None:
    """A price with a key missing would be a price of nothing."""
    team.write("segue.yaml", CONFIG + "prices:\n  m-1: {input_usd_per_mtok: 2}\n")
    assert team.said() == ["segue.yaml:5 prices.m-1: 'output_usd_per_mtok' is missing. Add `output_usd_per_mtok: …`."]


def test_load_and_check_agree_on_a_faulty_config(team: Team) -> None:
    """What the check calls an error is refused when it is used, with the same faults."""
    team.write("segue.yaml", "version: 2\nproviders: []\n")
    with pytest.raises(InputError) as caught:
        team.load()
    assert len(caught.value.faults) == 2
    assert set(caught.value.faults) <= set(team.check())
