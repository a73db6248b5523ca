"""Entries of `providers:`: every fault at once, keys only by reference, and a missing key told before any call."""

from __future__ import annotations

from typing import Any

import pytest

from segue.errors import InputError, ProviderError
from segue.model import Parameters
from segue.providers.clock import ManualClock
from segue.providers.config import (
    environment_faults,
    open_provider,
    parameter_faults,
    parse_provider,
    vendor_of_provider,
    wire_profile,
)
from segue.providers.http import HttpProvider
from segue.providers.recorded import RecordedProvider
from segue.providers.scripted import ScriptedProvider


def faults_of(entry: dict[str, Any]) -> dict[str, str]:
    """Path → the fault in a sentence."""
    with pytest.raises(InputError) as caught:
        parse_provider("main", entry)
    return {fault.path or "": fault.sentence() for fault in caught.value.faults}


def test_the_shortest_entries_are_enough() -> None:
    """A type says where to go and which key to take."""
    assert parse_provider("main", {"type": "openai"}).type == "openai"
    assert parse_provider("main", {"type": "anthropic"}).type == "anthropic"
    assert parse_provider("main", {"type": "recorded"}).type == "recorded"


@pytest.mark.parametrize("entry", [{}, {"type": None}, {"type": "opnai"}, {"type": 7}])
def test_an_unknown_type_is_told_with_the_known_ones(entry: dict[str, Any]) -> None:
    """And with the likely one."""
    fault = faults_of(entry)["providers.main.type"]
    assert "openai, anthropic, recorded, scripted" in fault
    if entry.get("type") == "opnai":
        assert "'openai'" in fault


def test_all_faults_of_an_entry_are_told_at_once() -> None:
    """Each with its path; types are strict."""
    faults = faults_of({"type": "openai", "base_url": "ftp://x", "timeout_s": "5", "max_concurrency": 0, "modle": 1})
    assert set(faults) == {
        "providers.main.base_url",
        "providers.main.timeout_s",
        "providers.main.max_concurrency",
        "providers.main.modle",
    }


@pytest.mark.parametrize(
    "entry",
    [
        {"api_key_env": "sk-proj-topsecret"},
        {"base_url": "https://user:topsecret@host/v1"},
        {"headers": {"Authorization": "Bearer topsecret"}},
        {"headers": {"X-API-Key": "topsecret"}},
        {"headers_env": {"X-Key": "topsecret-value"}},
        {"headers": {"X-Team": "topsecret\nX-Evil: 1"}},
    ],
)
def test_a_secret_in_the_file_is_refused_and_not_repeated(entry: dict[str, Any]) -> None:
    """The fault says where it belongs instead."""
    faults = faults_of({"type": "openai", **entry})
    assert len(faults) == 1
    assert "topsecret" not in str(faults)


def test_segues_own_headers_cannot_be_set() -> None:
    """They would break what the client relies on."""
    assert faults_of({"type": "openai", "headers": {"Idempotency-Key": "x"}})
    assert faults_of({"type": "anthropic", "headers_env": {"anthropic-version": "V"}})


def test_a_missing_key_is_told_before_any_call() -> None:
    """With the variable and the entry."""
    config = parse_provider("main", {"type": "openai", "api_key_env": "MY_KEY"})
    for environ in ({}, {"MY_KEY": "  "}):
        with pytest.raises(ProviderError) as caught:
            open_provider("main", config, environ=environ, clock=ManualClock())
        assert "MY_KEY" in caught.value.what
        assert "providers.main.api_key_env" in caught.value.what
    with pytest.raises(ProviderError) as caught:
        open_provider("main", config, environ={"MY_KEY": "top\nsecret"}, clock=ManualClock())
    assert "secret" not in str(caught.value)


def test_each_vendor_has_its_usual_variable_and_other_addresses_get_no_key() -> None:
    """A key of OpenAI's is not sent to a server that merely speaks its language."""
    clock = ManualClock()
    for kind, variable in (("openai", "OPENAI_API_KEY"), ("anthropic", "ANTHROPIC_API_KEY")):
        with pytest.raises(ProviderError, match=variable):
            open_provider("main", parse_provider("main", {"type": kind}), environ={}, clock=clock)
    local = parse_provider("main", {"type": "openai", "base_url": "http://localhost:8000/v1/"})
    provider = open_provider("main", local, environ={"OPENAI_API_KEY": "k"}, clock=clock)
    assert isinstance(provider, HttpProvider)
    assert "Authorization" not in provider._headers


def test_keys_and_headers_come_from_the_environment() -> None:
    """Each in its place."""
    entry = {
        "type": "anthropic",
        "base_url": "https://proxy.example/v1",
        "api_key_env": "K",
        "headers_env": {"X-Team-Key": "T"},
        "headers": {"X-Team": "support"},
    }
    provider = open_provider("main", parse_provider("main", entry), environ={"K": " k \n", "T": "t"}, clock=ManualClock())
    assert isinstance(provider, HttpProvider)
    assert {name: provider._headers[name] for name in ("x-api-key", "X-Team-Key", "X-Team")} == {
        "x-api-key": "k",
        "X-Team-Key": "t",
        "X-Team": "support",
    }
    assert str(provider._url("/v1/messages")) == "https://proxy.example/v1/messages"
    assert "k" not in repr(provider).split()


def test_what_surrounds_an_entry_is_warned_of() -> None:
    """Checking a workspace needs no keys; sending one in the clear is worth a word."""
    entry = {"type": "openai", "base_url": "http://models.internal/v1", "api_key_env": "K", "headers_env": {"X-T": "T"}}
    faults = environment_faults("main", parse_provider("main", entry), {"T": "t"})
    assert [(fault.path, fault.severity) for fault in faults] == [
        ("providers.main.api_key_env", "warning"),
        ("providers.main.base_url", "warning"),
    ]
    local = parse_provider("main", {"type": "openai", "base_url": "http://127.0.0.1:8000/v1", "api_key_env": "K"})
    assert environment_faults("main", local, {"K": "k"}) == []
    assert environment_faults("main", parse_provider("main", {"type": "recorded"}), {}) == []


@pytest.mark.parametrize(
    ("entry", "field"),
    [
        ({"type": "openai"}, "max_completion_tokens"),
        ({"type": "openai", "base_url": "https://acme.openai.azure.com/openai/v1"}, "max_completion_tokens"),
        ({"type": "openai", "base_url": "http://localhost:8000/v1"}, "max_tokens"),
        (
            {"type": "openai", "base_url": "http://localhost:8000/v1", "output_limit": "max_completion_tokens"},
            "max_completion_tokens",
        ),
        ({"type": "anthropic"}, "max_tokens"),
    ],
)
def test_the_endpoint_decides_the_field_that_bounds_the_output(entry: dict[str, Any], field: str) -> None:
    """Unless the entry says otherwise."""
    config = parse_provider("main", entry)
    assert config.type in ("openai", "anthropic")
    assert wire_profile(config).output_limit == field  # type: ignore[arg-type]


def test_the_version_of_anthropics_api_is_a_setting() -> None:
    """The older one, so that an incumbent's temperature can still be measured."""
    config = parse_provider("main", {"type": "anthropic"})
    assert wire_profile(config).api_version == "2023-06-01"  # type: ignore[arg-type]
    assert faults_of({"type": "anthropic", "api_version": "2024-01-01"})


def test_a_bundles_parameters_can_be_checked_before_a_run() -> None:
    """By the endpoint they would go to; simulations and recordings take anything."""
    parameters = Parameters(seed=1, thinking_budget_tokens=0)

    def paths(entry: dict[str, Any]) -> set[str | None]:
        return {fault.path for fault in parameter_faults(parse_provider("main", entry), parameters)}

    assert paths({"type": "openai"}) == {"parameters.thinking_budget_tokens"}
    assert paths({"type": "anthropic"}) == {"parameters.seed", "parameters.max_output_tokens"}
    assert paths({"type": "recorded"}) == set()


@pytest.mark.parametrize(
    ("entry", "vendor"),
    [
        ({"type": "openai"}, "openai"),
        ({"type": "anthropic", "base_url": "https://proxy.example"}, None),
        ({"type": "anthropic", "base_url": "https://proxy.example", "vendor": "anthropic"}, "anthropic"),
        ({"type": "recorded"}, "recorded"),
        ({"type": "scripted", "models": {"m": {}}}, "scripted"),
    ],
)
def test_whose_models_an_entry_reaches(entry: dict[str, Any], vendor: str | None) -> None:
    """By its address, or by its own word."""
    assert vendor_of_provider(parse_provider("main", entry)) == vendor


def test_a_simulated_model_is_declared_in_full() -> None:
    """Shares by slice, a range of noise, failures, prices; faults are found deep inside."""
    model = {
        "accuracy": {"default": 0.9, "task=refund": 0.7},
        "flip_probability": [0.05, 0.3],
        "refuse_share": 0,
        "latency": {"median_ms": 900, "sigma": 0},
        "price": {"input_usd_per_mtok": 1, "output_usd_per_mtok": 4},
        "failures": {"shares": {"rate_limit": 0.01}},
        "templates": ["{{answer}}"],
    }
    config = parse_provider("main", {"type": "scripted", "seed": 7, "models": {"a": model}, "retries": {"base_s": 1}})
    assert config.type == "scripted"
    assert config.models["a"].accuracy.of({"task": "refund"}) == 0.7
    assert config.models["a"].flip_probability == (0.05, 0.3)
    wrong = {"a": {**model, "fence_share": {"task=refund": 2}, "latency": {"median": 5}}}
    assert set(faults_of({"type": "scripted", "models": wrong})) == {
        "providers.main.models.a.fence_share.slices.task=refund",
        "providers.main.models.a.latency.median",
    }


def test_recorded_and_scripted_open_without_keys() -> None:
    """They never leave the machine."""
    clock = ManualClock()
    recorded = open_provider("main", parse_provider("main", {"type": "recorded", "latency": 1}), environ={}, clock=clock)
    scripted = open_provider("main", parse_provider("main", {"type": "scripted", "models": {"a": {}}}), environ={}, clock=clock)
    assert isinstance(recorded, RecordedProvider)
    assert isinstance(scripted, ScriptedProvider)
