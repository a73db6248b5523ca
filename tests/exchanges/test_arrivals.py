"""A reader that comes back gets each record once, whatever was shipped, merged or forgotten meanwhile."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from segue.exchanges.arrivals import Arrivals
from tests.exchanges.builders import DAY, NOON, a_log, a_shipper, a_spool, an_outcome, drain, fill

TOLD = ("identity", "exchange", "kind", "at_ns")


def arrivals(folder: Path, **given: int) -> Arrivals:
    """Of `reply`, from the beginning."""
    return Arrivals(a_log(folder), "reply", since_ns=given.get("since_ns", 0), columns=("id", "at_ns"), outcome_columns=TOLD)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_each_record_comes_once_however_files_are_merged(tmp_path: Path, seed: int) -> None:
    """Small files, merged between looks with others that were not read yet."""
    draw, reader = Random(seed), arrivals(tmp_path)
    spool, shipper = a_spool(tmp_path), a_shipper(tmp_path)
    seen: list[str] = []
    told: list[str] = []
    written = 0
    for _ in range(40):
        count = draw.randrange(1, 12)
        fill(spool, range(written, written + count))
        assert spool.append(an_outcome(f"x{written:06d}"), b"") is not None
        written += count
        if draw.random() < 0.8:
            drain(shipper)
        if draw.random() < 0.4:
            shipper.tidy()
        if draw.random() < 0.5:
            found = reader.read()
            if found.is_anew:
                seen, told = [], []
            seen += [one for table in found.exchanges for one in table["id"].to_pylist()]
            told += [one for table in found.outcomes for one in table["exchange"].to_pylist()]
    drain(shipper)
    found = reader.read()
    seen += [one for table in found.exchanges for one in table["id"].to_pylist()]
    told += [one for table in found.outcomes for one in table["exchange"].to_pylist()]
    assert sorted(seen) == [f"x{number:06d}" for number in range(written)]
    assert len(told) == len(set(told)) == 40
    shipper.close()
    spool.close()


def test_what_waits_in_the_spool_is_told_of_and_not_given(tmp_path: Path) -> None:
    """How old the oldest is says up to where the log is complete."""
    spool, shipper = a_spool(tmp_path), a_shipper(tmp_path)
    fill(spool, range(3))
    drain(shipper)
    fill(spool, range(3, 5))
    fill(spool, range(5, 7), workflow="other")
    found = arrivals(tmp_path).read()
    assert sum(table.num_rows for table in found.exchanges) == 3
    assert (found.n_waiting, found.waiting_ns) == (2, NOON + 3)
    shipper.close()
    spool.close()


def test_older_files_and_other_workflows_are_not_opened(tmp_path: Path) -> None:
    """A year of traffic costs nothing where a day is asked for."""
    spool, shipper = a_spool(tmp_path), a_shipper(tmp_path)
    fill(spool, range(2))
    fill(spool, range(2, 4), workflow="other")
    fill(spool, range(4, 6), at_ns=NOON + 2 * DAY)
    drain(shipper)
    found = arrivals(tmp_path, since_ns=NOON + DAY).read()
    assert [one for table in found.exchanges for one in table["id"].to_pylist()] == ["x000004", "x000005"]
    shipper.close()
    spool.close()
