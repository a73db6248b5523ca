"""The parts importers share: parameters, labels of releases, times, failures, the index of cases."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue.imports import label_for, labels_for
from segue.imports.case_index import CaseIndex
from segue.imports.failures import MAX_DETAIL, failure_from
from segue.imports.parameters import map_parameters
from segue.imports.release_sketch import ReleaseSketches
from segue.imports.timestamps import read_timestamp
from segue.imports.values import label_of
from segue.model import Parameters


@pytest.mark.parametrize(
    ("given_params", "parameters"),
    [
        ({}, Parameters()),
        ({"max_tokens": 50}, Parameters(max_output_tokens=50)),
        ({"max_completion_tokens": 50}, Parameters(max_output_tokens=50)),
        ({"temperature": "0.5"}, Parameters(temperature=0.5)),
        ({"temperature": 7}, Parameters(extra={"temperature": 7})),
        ({"stop": "END"}, Parameters(stop=("END",))),
        ({"stop_seqs": ["a", "b"]}, Parameters(stop=("a", "b"))),
        ({"reasoning_effort": "high"}, Parameters(reasoning_effort="high")),
        ({"reasoning_effort": "huge"}, Parameters(extra={"reasoning_effort": "huge"})),
        ({"seed": None, "mode": "prompt"}, Parameters(extra={"mode": "prompt"})),
        ({"max_tokens": 1, "max_output_tokens": 2}, Parameters(max_output_tokens=2, extra={"max_tokens": 1})),
    ],
)
def test_known_parameters_find_their_place(given_params: dict[str, Any], parameters: Parameters) -> None:
    """The rest goes under `extra` as it is; nothing is forced into a place it does not fit."""
    assert map_parameters(given_params) == (parameters, ())


@pytest.mark.parametrize(
    ("given_params", "left_out"),
    [
        ({"apiKey": "x"}, ("apiKey",)),
        ({"api_key": "x", "client_secret": "y"}, ("api_key", "client_secret")),
        ({"url": "sk-abcdef123"}, ("url",)),
        ({"nested": {"headers": {"Authorization": "Bearer x"}, "ok": 1}}, ("nested",)),
        ({"list": ["Bearer abc", "fine"]}, ("list",)),
        ({"big": 2**60}, ("big",)),
    ],
)
def test_secrets_and_what_no_digest_can_be_made_of_are_left_out(
    given_params: dict[str, Any], left_out: tuple[str, ...]
) -> None:
    """By name or by look, at any depth; the names are told, the values never."""
    parameters, names = map_parameters(given_params)
    assert names == left_out
    assert not re.search(r"sk-|Bearer|'[xy]'", str(parameters))


@given(st.dictionaries(st.text(max_size=6), st.none() | st.integers() | st.floats() | st.text(max_size=5) | st.booleans()))
def test_any_parameters_give_a_bundle_a_digest(params: dict[str, Any]) -> None:
    """Whatever was recorded, the outcome is canonical."""
    parameters, left_out = map_parameters(params)
    known = set(parameters.extra) | set(left_out)
    assert {name for name, value in params.items() if value is not None} >= known


@given(st.lists(st.text(max_size=12), unique=True, max_size=8))
def test_labels_are_plain_different_and_the_same_every_time(releases: list[str]) -> None:
    """Letters, digits and `. _ - +` only; never two alike; the order in which releases come does not matter."""
    labels = labels_for(releases, taken={"release"})
    assert len(set(labels.values())) == len(releases)
    assert all(re.fullmatch(r"[A-Za-z0-9._+-]+", label) for label in labels.values())
    assert labels == labels_for(reversed(releases), taken={"release"})
    assert "release" not in labels.values()


@pytest.mark.parametrize(
    ("release", "label"),
    [
        ("gpt-4-0613", "gpt-4-0613"),
        ("gpt-4o (tau-bench, tool calling)", "gpt-4o-tau-bench-tool-calling"),
        ("llama-2-70b-chat+original-system-prompt", "llama-2-70b-chat+original-system-prompt"),
        ("vendor/Modèle 3.5", "vendor-Modele-3.5"),
        ("---", "release"),
        ("x" * 200, "x" * 80),
    ],
)
def test_a_release_s_label_reads_like_its_name(release: str, label: str) -> None:
    """The mapping is shown with the outcome of the import."""
    assert label_for(release) == label


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ("2026-03-01T12:00:00Z", "2026-03-01T12:00:00+00:00"),
        ("2026-03-01T12:00:00+02:00", "2026-03-01T10:00:00+00:00"),
        ("2026-03-01 12:00:00", "2026-03-01T12:00:00"),
        ("07/26/2023, 21:03:32", "2023-07-26T21:03:32"),
        (1700000000, "2023-11-14T22:13:20+00:00"),
        (1700000000000, "2023-11-14T22:13:20+00:00"),
        ("26/07/2023, 21:03:32", None),
        ("yesterday", None),
        ("", None),
        (True, None),
        (1e300, None),
        (None, None),
        ([1], None),
    ],
)
def test_times_are_iso_and_never_guessed(value: Any, read: str | None) -> None:
    """In UTC where the zone is known, without a zone where it is not, unknown where it cannot be read."""
    assert read_timestamp(value) == read


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Request timed out after 60s", "timeout"),
        ("429 Too Many Requests", "rate_limit"),
        ("529 overloaded_error", "overloaded"),
        ("401 invalid api key", "auth"),
        ("ECONNRESET", "connection"),
        ("400 content_policy_violation", "refused_request"),
        ("Could not parse JSON", "bad_reply"),
        ("500 internal", "server"),
        ("", "server"),
    ],
)
def test_failures_are_told_apart_by_their_text(text: str, kind: str) -> None:
    """What fits nothing is the server's."""
    assert failure_from(text).kind == kind


def test_a_failure_keeps_one_short_line_without_secrets() -> None:
    """Stack traces and keys do not go into the store."""
    detail = failure_from("bad key sk-abcdefghij and Bearer abc.def\nTraceback ...\n" + "x" * 999).detail
    assert detail == "bad key [removed] and [removed]"
    assert len(failure_from("y" * 999).detail) == MAX_DETAIL


@pytest.mark.parametrize(
    ("value", "label"),
    [
        (1, "1"),
        (1.0, "1"),
        (True, "1"),
        (0.25, "0.25"),
        (-0.0, "0"),
        ("C", "C"),
        (None, None),
        (float("inf"), None),
        ({"a": 1}, '{"a":1}'),
    ],
)
def test_a_label_has_one_form(value: Any, label: str | None) -> None:
    """Numbers in their shortest form; what is no number is no label."""
    assert label_of(value) == label


@given(
    st.lists(
        st.tuples(st.sampled_from(["r", "s"]), st.integers(0, 4), st.integers(0, 12)),
        max_size=60,
    )
)
def test_the_index_remembers_every_recording_exactly(seen: list[tuple[str, int, int]]) -> None:
    """Bits for the first eight repeats, a set for the others: no difference is to be seen."""
    index = CaseIndex()
    for number in range(5):
        assert index.add(str(number), f"{number:064x}")
        assert not index.add(str(number), "f" * 64)
    model: set[tuple[str, int, int]] = set()
    for release, number, repeat in seen:
        assert index.see(release, str(number), repeat) == ((release, number, repeat) not in model)
        model.add((release, number, repeat))
    for release in ("r", "s", "t"):
        for number in range(5):
            assert index.input_digest(str(number)) == f"{number:064x}"
            assert index.is_seen(release, str(number), None) == any(key[:2] == (release, number) for key in model)
            for repeat in range(13):
                assert index.is_seen(release, str(number), repeat) == ((release, number, repeat) in model)
    assert index.input_digest("9") is None
    assert not index.is_seen("r", "9", 0)


@given(st.lists(st.dictionaries(st.sampled_from("abc"), st.integers(0, 1)), min_size=1, max_size=6))
def test_a_release_keeps_what_all_its_records_share(records: list[dict[str, int]]) -> None:
    """In any order, with repetitions: common is what each record has with the same value."""
    sketches = ReleaseSketches()
    for params in records:
        sketches.add("r", "s", params)
    release = sketches.releases()["r"]
    common = {key: value for key, value in records[0].items() if all(one.get(key) == value for one in records)}
    assert dict(release.params) == common
    assert set(release.varying) == {key for one in records for key in one} - set(common)
