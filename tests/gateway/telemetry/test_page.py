"""What docs/operating-the-gateway.md says is what the gateway does."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

import segue.cli.gateway_screen
import segue.gateway
from segue.gateway.crew import breaker_moved
from segue.gateway.telemetry.lines import exchange_line
from segue.gateway.telemetry.metrics import METRICS, failure_word
from tests.gateway.telemetry.builders import CLIENT, a_log, an_exchange
from tests.gateway.telemetry.test_spans import maker

PAGE = Path(__file__).parents[3] / "docs" / "operating-the-gateway.md"
TEXT = PAGE.read_text(encoding="utf-8")
SERIES = {
    name + ending
    for name, one in METRICS.items()
    for ending in {"histogram": ("_bucket", "_count", "_sum"), "summary": ("_count", "_sum")}.get(one.kind, ("",))
}


def blocks(kind: str) -> list[str]:
    """The examples of one language."""
    return re.findall(rf"```{kind}\n(.*?)```", TEXT, re.DOTALL)


def rules() -> list[dict[str, Any]]:
    """The alert rules."""
    (found,) = [one for block in blocks("yaml") if "groups" in (one := YAML(typ="safe").load(block))]
    return [rule for group in found["groups"] for rule in group["rules"]]


def test_the_table_is_the_registry() -> None:
    """Every metric, with its type, labels and meaning, in order."""
    rows = re.findall(r"^\| `((?:gen_ai|segue)_\w+)` \| (\w+) \| (.*?) \| (.*) \|$", TEXT, re.MULTILINE)
    labels = [(name, kind, tuple(re.findall(r"`(\w+)`", text)), told) for name, kind, text, told in rows]
    assert labels == [(one.name, one.kind, one.labels, one.help) for one in METRICS.values()]


def test_every_event_that_the_code_knows_is_told_and_no_other() -> None:
    """Those with a name made up of a state, too."""
    folder = Path(str(segue.gateway.__file__)).parent
    files = [*folder.glob("*.py"), *(folder / "telemetry").glob("*.py"), Path(str(segue.cli.gateway_screen.__file__))]
    code = "\n".join(path.read_text(encoding="utf-8") for path in files)
    known = set(re.findall(r'(?:Happened|_say|_tell)\(\s*"(\w+)"', code))
    known |= {breaker_moved(0, "b", state).event for state in ("open", "half open", "closed")} | {"spans_on"}
    table = TEXT.split("| event | when |")[1].split("\n\n")[0]
    assert set(re.findall(r"`(\w+)`", "".join(re.findall(r"^\| (.*?) \|", table, re.MULTILINE)))) == known


def test_every_field_of_an_exchanges_line_is_told() -> None:
    """By its name."""
    line = json.loads(exchange_line(an_exchange()))
    told = re.search(r"The line of an exchange.*", TEXT)
    assert told is not None
    assert set(line) - set(re.findall(r"`(\w+)`", told[0])) == {"time", "level", "event"}


def test_every_attribute_of_ours_is_told() -> None:
    """Those of the conventions are theirs."""
    span = maker()(a_log(traceparent=CLIENT, fallback_from="f" * 64, fallback_reason="stalled", cost_microusd=1.0))
    assert span is not None
    ours = {name for name in span.attributes or {} if name.startswith("segue.")}
    told = set(re.findall(r"`(segue\.[\w.]+)`", TEXT)) - {"segue.yaml"} | {"segue.fallback.from", "segue.fallback.reason"}
    assert ours == told


@pytest.mark.parametrize("expression", [*(one["expr"] for one in rules()), *blocks("promql")])
def test_the_examples_ask_for_series_and_labels_that_there_are(expression: str) -> None:
    """In alert rules and queries."""
    names = set(re.findall(r"\b((?:segue|gen_ai)_\w+)(?=[\[{)\s])", expression)) - {
        "segue_bundle",
        "segue_workflow",
        "segue_arm",
    }
    assert names
    assert names <= SERIES
    labels = {label for one in METRICS.values() for label in one.labels} | {"le"}
    used = set(re.findall(r"(\w+)(?:!?=)\"", expression)) | {
        word for group in re.findall(r"by \(([^)]*)\)", expression) for word in re.findall(r"\w+", group)
    }
    assert used <= labels


def test_words_of_failures_that_are_named_are_ours() -> None:
    """Each is a word of the closed list."""
    (line,) = re.findall(r"^- `failure`.*$", TEXT, re.MULTILINE)
    words = set(re.findall(r"`(\w+)`", line)) - {"failure", "error_type", "reason", "other"}
    assert words
    assert all(failure_word(one) == one or failure_word(one.replace("_", " ")) == one for one in words)
