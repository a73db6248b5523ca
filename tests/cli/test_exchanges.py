"""Looking at what was answered and shadowed, from the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from segue.exchanges import BodyNote, Spool, SpoolSettings
from segue.exchanges.export import read_exchange_line
from segue.exchanges.outcome import Outcome
from segue.exchanges.query import ExchangeLog
from segue.exchanges.shipper import Shipper
from tests.cli.conftest import Segue
from tests.exchanges.builders import DAY, HOUR, NOON, an_exchange

ARCHIVE, SPOOL = Path(".segue/exchanges"), Path(".segue/spool")
OLD, NEW = "a" * 64, "b" * 64
ROWS: list[dict[str, Any]] = [
    {"arm": "incumbent", "bundle": OLD, "status": 200, "latency_ns": 812_000_000, "slices": {"lang": "de"}, "pair": "p"},
    {"arm": "shadow", "bundle": NEW, "status": 200, "scores": {"contract": 0.0, "contract.schema": 0.0}, "pair": "p"},
    {"arm": "candidate", "bundle": NEW, "status": 200, "scores": {"contract": 1.0}, "at_ns": NOON + DAY, "workflow": "invoice"},
    {"arm": "incumbent", "bundle": OLD, "failure": "timeout", "at_ns": NOON + DAY + HOUR},
]


@pytest.fixture
def kept(workspace: Path) -> Path:
    """Three exchanges archived and one that still waits."""
    settings = SpoolSettings(SPOOL, "w0", "r0", segment_bytes=16 * 1024, spare_bytes=0, ahead_bytes=0)
    spool = Spool(settings, monotonic=lambda: 0)
    shipper = Shipper(SPOOL, ARCHIVE, clock=lambda: NOON)
    for number, row in enumerate(ROWS):
        if number == 3:
            shipper.step()
        given = {"request": BodyNote("full", 12), "response": BodyNote("full", 5), **row}
        assert spool.append(an_exchange(number, **given), b'{"ask": "\xc3\xbc"}', b"\xff\x1b[2J") is not None
    shipper.close()
    spool.close()
    return workspace


def listed(segue: Segue, *words: str) -> list[str]:
    """The ids, in order."""
    typed = segue("exchanges", "list", "--json", *words)
    assert typed.code == 0, typed.err
    return [row["id"] for row in typed.json]


@pytest.mark.parametrize(
    ("words", "numbers"),
    [
        ((), [3, 2, 1, 0]),
        (("--limit", "2"), [3, 2]),
        (("--workflow", "invoice"), [2]),
        (("--bundle", NEW), [2, 1]),
        (("--shadow",), [1]),
        (("--arm", "candidate"), [2]),
        (("--since", "2026-01-02"), [3, 2]),
        (("--until", "2026-01-02T12:30"), [2, 1, 0]),
        (("--where", "lang=de"), [0]),
        (("--score-below", "contract=1"), [1]),
        (("--environment", "staging"), []),
        (("--since", "1h"), []),
    ],
    ids=["all", "limit", "workflow", "bundle", "shadow", "arm", "since", "until", "slice", "score", "environment", "ago"],
)
def test_exchanges_are_listed_newest_first_by_what_is_asked(
    kept: Path, segue: Segue, words: tuple[str, ...], numbers: list[int]
) -> None:
    """Archived and waiting ones alike."""
    assert listed(segue, *words) == [f"x{number:06d}" for number in numbers]


def test_the_list_reads_as_a_table(kept: Path, segue: Segue) -> None:
    """With what went wrong where something did."""
    typed = segue("exchanges", "list")
    lines = typed.out.splitlines()
    assert lines[0].split() == ["id", "at", "workflow", "arm", "bundle", "status", "ms", "tokens", "worst", "score"]
    assert lines[1].split()[:4] == ["x000003", "2026-01-02", "13:00:00", "reply"]
    assert "timeout" in lines[1]
    assert "contract=0" in lines[3]


def test_one_exchange_is_shown_with_its_bodies(kept: Path, segue: Segue) -> None:
    """Text as text; nothing in it steers the terminal."""
    typed = segue("exchanges", "show", "x000000")
    assert '"ask": "ü"' in typed.out
    assert "812000000" in typed.out
    assert "\x1b" not in typed.out
    assert segue("exchanges", "show", "x000001", "--json").json["scores"] == {"contract": 0.0, "contract.schema": 0.0}
    typed = segue("exchanges", "show", "x9")
    assert typed.code == 1
    assert "no exchange 'x9'" in typed.err
    assert "segue exchanges list" in typed.err


def test_what_came_of_an_exchange_is_shown_beside_it(kept: Path, segue: Segue) -> None:
    """Ratings with their scale, texts, who said so; and nothing beside another exchange."""
    settings = SpoolSettings(SPOOL, "w1", "r0", segment_bytes=16 * 1024, spare_bytes=0, ahead_bytes=0)
    spool = Spool(settings, monotonic=lambda: 0)
    rating = Outcome("x000000", "rating", "app", "k1", NOON, value=2.0, lowest=1.0, highest=5.0, author="ada")
    correction = Outcome("x000000", "correction", "app", "k1", NOON, text=BodyNote("full", 12))
    assert spool.append(rating) is not None
    assert spool.append(correction, b"Dear \x1b Ms Ruf") is not None
    spool.close()
    typed = segue("exchanges", "show", "x000000")
    assert "rating 2 of 1 to 5, by ada" in typed.out
    assert "Ms Ruf" in typed.out
    assert "\x1b" not in typed.out
    (found, other) = (segue("exchanges", "show", f"x00000{one}", "--json").json["outcomes"] for one in (0, 1))
    assert [(one["kind"], one.get("value")) for one in sorted(found, key=lambda one: str(one["kind"]))] == [
        ("correction", None),
        ("rating", 2.0),
    ]
    assert other == []


def test_an_export_can_be_read_back(kept: Path, segue: Segue) -> None:
    """All of it, bodies included, oldest day first; into a file that was not there."""
    typed = segue("exchanges", "export", "--workflow", "reply")
    read = [read_exchange_line(line, f"line {number}") for number, line in enumerate(typed.out.splitlines(), 1)]
    assert [one.exchange.id for one in read] == ["x000000", "x000001", "x000003"]
    assert read[0] == ExchangeLog(SPOOL, ARCHIVE).find("x000000")
    assert {one.response for one in read} == {b"\xff\x1b[2J"}
    assert segue("exchanges", "export", "--out", "all.jsonl", "--json").json == {"exchanges": 4, "file": "all.jsonl"}
    assert len(Path("all.jsonl").read_text().splitlines()) == 4
    typed = segue("exchanges", "export", "--out", "all.jsonl")
    assert typed.code == 1
    assert "all.jsonl is there already" in typed.err
    typed = segue("exchanges", "export", "--out", "no/all.jsonl")
    assert "mkdir -p no" in typed.err
    (light,) = segue("exchanges", "export", "--shadow", "--without-bodies").out.splitlines()
    assert "body" not in json.loads(light)["request"]
    assert len(segue("exchanges", "export", "--limit", "3").out.splitlines()) == 3


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--since", "yesterday"), "'yesterday' is no time. Write 2026-11-21"),
        (("--score-below", "contract"), "is no SCORE=NUMBER"),
        (("--score-below", "contract=low"), "is no SCORE=NUMBER"),
        (("--where", "lang"), "is no NAME=VALUE"),
        (("--arm", "both"), "'both' is not one of"),
        (("--shadow", "--arm", "candidate"), "exclude each other"),
        (("--bundle", "abc"), "Name it: --workflow WORKFLOW"),
        (("--workflow", "replay"), "no workflow in the log 'replay'. Did you mean 'reply'?"),
        (("--limit", "0"), "0 is not in the range"),
    ],
    ids=["time", "score", "number", "slice", "arm", "shadow", "bundle", "workflow", "limit"],
)
def test_what_cannot_be_meant_is_told_with_its_remedy(kept: Path, segue: Segue, words: tuple[str, ...], told: str) -> None:
    """By name, before anything is read."""
    typed = segue("exchanges", "list", *words)
    assert typed.code in (1, 2)
    assert told in " ".join(typed.err.split())


def test_a_workspace_without_a_log_is_told_how_to_get_one(workspace: Path, segue: Segue) -> None:
    """No gateway ran here."""
    for words in (("list",), ("show", "x"), ("export",), ("check",)):
        typed = segue("exchanges", *words)
        assert typed.code == 1
        assert "Start one: segue gateway" in typed.err


def test_a_damaged_ledger_is_told_and_repaired(kept: Path, segue: Segue) -> None:
    """Everything can be asked for meanwhile."""
    assert segue("exchanges", "check", "--json").json["holds"]
    (ARCHIVE / "ledger.db").write_bytes(b"nonsense" * 2_000)
    assert listed(segue) == ["x000003", "x000002", "x000001", "x000000"]
    typed = segue("exchanges", "check")
    assert typed.code == 1
    assert "4 exchanges (1 not yet shipped), 0 outcomes." in typed.out
    assert "segue exchanges check --repair" in typed.err
    typed = segue("exchanges", "check", "--repair")
    assert typed.code == 0
    assert "The exchange log's ledger was damaged; it was worked out anew from the files: 3 records in 2." in typed.out
    found = segue("exchanges", "check", "--json").json
    assert (found["holds"], found["exchanges"]["appended"]) == (True, 4)


def test_what_could_not_be_read_is_told(kept: Path, segue: Segue) -> None:
    """How much, where, and what to do with it; a torn part has no number of records."""
    assert "Set aside" not in segue("exchanges", "check").out
    assert segue("exchanges", "check", "--json").json["set_aside"]["files"] == 0
    (segment,) = SPOOL.iterdir()
    segment.write_bytes(segment.read_bytes().rstrip(b"\0")[:-20])
    shipper = Shipper(SPOOL, ARCHIVE, clock=lambda: NOON)
    shipper.step()
    shipper.close()
    (rest,) = (ARCHIVE / "unreadable").iterdir()
    (ARCHIVE / "unreadable" / "being-written.tmp").write_bytes(b"half")
    told = segue("exchanges", "check")
    assert told.code == 0
    assert f"Set aside because it could not be read: 1 file ({rest.stat().st_size} bytes) in " in told.out
    assert "look into it, then delete it" in told.out
    found = segue("exchanges", "check", "--json").json["set_aside"]
    assert (Path(found["folder"]).resolve(), found["files"]) == (rest.parent.resolve(), 1)
    assert found["bytes"] == rest.stat().st_size > 0


def test_a_folder_nobody_may_look_into_is_not_an_empty_one(kept: Path, segue: Segue, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unknown is not zero; root may look everywhere, so the refusal is made here."""
    folder = ARCHIVE / "unreadable"
    folder.mkdir()
    iterdir = Path.iterdir

    def refused(path: Path) -> Any:
        if path.name == folder.name:
            raise PermissionError(13, "Permission denied", str(path))
        return iterdir(path)

    monkeypatch.setattr(Path, "iterdir", refused)
    typed = segue("exchanges", "check")
    assert typed.code == 1
    assert "unreadable: Permission denied." in " ".join(typed.err.split())


def test_repair_leaves_a_gateway_at_work_alone(kept: Path, segue: Segue) -> None:
    """It repairs by itself."""
    shipper = Shipper(SPOOL, ARCHIVE, clock=lambda: NOON)
    typed = segue("exchanges", "check", "--repair")
    shipper.close()
    assert typed.code == 1
    assert "A gateway ships to this log" in typed.err
