"""The ledger is worked out anew from the files, whatever became of it: nothing is lost, and nothing is there twice."""

from __future__ import annotations

import shutil
import sqlite3
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from segue.errors import StoreError
from segue.exchanges import ledger as ledgers
from segue.exchanges.feedback import Feedback
from segue.exchanges.keeping import Keeping, KeepingRules
from segue.exchanges.query import Recount
from segue.exchanges.rebuilding import read_archive
from segue.exchanges.shipper import Point, Shipper
from tests.exchanges.builders import DAY, HOUR, NOON, Clock, a_log, a_shipper, a_spool, an_outcome, drain, fill

RULES = KeepingRules(workflows={"half": Keeping(record_share=0.5)})


def ledger_of(folder: Path) -> Path:
    """Its file."""
    return folder / "archive" / ledgers.NAME


def ids(folder: Path) -> Counter[str]:
    """Each exchange that can be read."""
    return Counter(row.exchange.id for row in a_log(folder).iterate())


def delete(path: Path) -> None:
    """Nothing is left."""
    path.unlink()


def empty(path: Path) -> None:
    """A file of no bytes."""
    path.write_bytes(b"")


def garble(path: Path) -> None:
    """No database at all."""
    path.write_bytes(b"\x00garbage\xff" * 3_000)


def truncate(path: Path) -> None:
    """The first half of its pages."""
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2 // 4096 * 4096 + 100])


def overwrite(path: Path) -> None:
    """Pages in the middle hold something else."""
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xa5" * (len(content) - 4096)
    path.write_bytes(content)


def drop_table(path: Path) -> None:
    """A whole database that lacks a table."""
    base = sqlite3.connect(path)
    base.execute("DROP TABLE files")
    base.commit()
    base.close()


DAMAGES = (delete, empty, garble, truncate, overwrite, drop_table)


def a_life(folder: Path) -> Recount:
    """Exchanges of three workflows and two days, outcomes told twice, files merged, some left out, some not yet shipped."""
    spool, clock = a_spool(folder), Clock()
    shipper = a_shipper(folder, clock, rules=RULES, fan_in=3)
    for begin in range(0, 120, 12):
        fill(spool, range(begin, begin + 8))
        fill(spool, range(begin + 8, begin + 12), workflow="half", at_ns=NOON + DAY)
        for _ in range(2):
            assert spool.append(an_outcome(f"x{begin:06d}")) is not None
        drain(shipper)
        shipper.tidy()
        clock.now += HOUR // 2
    fill(spool, range(200, 207))
    shipper.close()
    spool.close()
    return a_log(folder).recount()


@pytest.mark.parametrize("damage", DAMAGES)
def test_whatever_became_of_it_everything_is_there_once(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    """For a reader at once, and for good as soon as a shipper looks; then shipping goes on."""
    before = a_life(tmp_path)
    known, outcomes = ids(tmp_path), Feedback(a_log(tmp_path)).count()
    damage(ledger_of(tmp_path))
    assert ids(tmp_path) == known, "a reader does without"
    assert a_log(tmp_path).recount() == before
    shipper = a_shipper(tmp_path, rules=RULES)
    assert shipper.rebuilt is not None
    assert shipper.rebuilt.why == ("was gone" if damage is delete else "was damaged")
    assert shipper.rebuilt.n_rows >= before.archived
    assert a_log(tmp_path).recount() == before
    drain(shipper)
    shipper.close()
    assert ids(tmp_path) == known
    assert Feedback(a_log(tmp_path)).count() == outcomes
    recount = a_log(tmp_path).recount()
    assert (recount.waiting, recount.appended) == (0, before.appended)
    assert not list((tmp_path / "spool").iterdir())
    following = a_shipper(tmp_path)
    assert following.rebuilt is None
    following.close()


def test_one_from_a_backup_loses_no_file(tmp_path: Path) -> None:
    """Files that it does not know are no remains, unless what they hold is still in the spool or in a file that counts."""
    spool, shipper = a_spool(tmp_path), a_shipper(tmp_path)
    fill(spool, range(100))
    drain(shipper)
    shipper.close()
    shutil.copy(ledger_of(tmp_path), tmp_path / "backup")
    shipper = a_shipper(tmp_path)
    fill(spool, range(100, 200))
    spool.close()
    drain(shipper)
    shipper.close()
    shutil.copy(tmp_path / "backup", ledger_of(tmp_path))
    shipper = a_shipper(tmp_path)
    assert shipper.rebuilt is not None
    assert shipper.rebuilt.why == "was older than its files"
    shipper.close()
    assert ids(tmp_path) == Counter(f"x{number:06d}" for number in range(200))


class Killed(BaseException):
    """Stands for the death of the process."""


@pytest.mark.parametrize("moment", ["written", "renamed", "committed", "merged", "merge_committed"])
@pytest.mark.parametrize("damage", [delete, garble])
def test_a_shipper_that_died_and_lost_it_too(tmp_path: Path, moment: Point, damage: Callable[[Path], None]) -> None:
    """Files of a batch that was not committed are shipped again, or count, but never both."""
    spool, armed = a_spool(tmp_path), False

    def reached(point: Point) -> None:
        if armed and point == moment:
            raise Killed

    shipper = a_shipper(tmp_path, reached=reached, fan_in=2)
    for begin in range(0, 60, 20):
        fill(spool, range(begin, begin + 20))
        drain(shipper)
    fill(spool, range(60, 90))
    fill(spool, range(90, 95), workflow="other")
    armed = True
    with pytest.raises(Killed):
        work(shipper)
    shipper.close()
    damage(ledger_of(tmp_path))
    assert ids(tmp_path) == Counter(f"x{number:06d}" for number in range(95))
    spool.close()
    following = a_shipper(tmp_path, fan_in=2)
    drain(following)
    following.tidy()
    following.close()
    assert ids(tmp_path) == Counter(f"x{number:06d}" for number in range(95))
    assert a_log(tmp_path).recount().appended == 95


def work(shipper: Shipper) -> None:
    """All that a shipper does."""
    drain(shipper)
    shipper.tidy()


def test_damage_while_it_ships_is_mended_by_the_next_step(tmp_path: Path) -> None:
    """The failing step tells of it; nobody has to restart anything."""
    spool, shipper = a_spool(tmp_path), a_shipper(tmp_path)
    fill(spool, range(40))
    drain(shipper)
    garble(ledger_of(tmp_path))
    fill(spool, range(40, 60))
    with pytest.raises(StoreError):
        drain(shipper)
    assert shipper.rebuilt is not None
    drain(shipper)
    shipper.close()
    spool.close()
    assert ids(tmp_path) == Counter(f"x{number:06d}" for number in range(60))


def test_what_is_no_file_of_ours_is_put_aside(tmp_path: Path) -> None:
    """A damaged Parquet file loses its own rows, is counted, and is kept to be looked at."""
    spool, shipper = a_spool(tmp_path), a_shipper(tmp_path)
    for number in range(3):
        fill(spool, range(number * 10, number * 10 + 10))
        drain(shipper)
    spool.close()
    drain(shipper)
    shipper.close()
    broken = sorted((tmp_path / "archive" / "exchanges").rglob("*.parquet"))[0]
    broken.write_bytes(broken.read_bytes()[:-300])
    delete(ledger_of(tmp_path))
    shipper = a_shipper(tmp_path)
    assert shipper.rebuilt is not None
    assert [Path(name).name for name in shipper.rebuilt.unreadable] == [broken.name]
    shipper.close()
    assert ids(tmp_path).total() == 20
    assert [path.name for path in (tmp_path / "archive" / "unreadable").iterdir()] == [f"{NOON}-{broken.name}"]


def test_merged_files_say_where_their_rows_come_from(tmp_path: Path) -> None:
    """So that the files they were made of are known to be the same rows."""
    a_life(tmp_path)
    found = read_archive(tmp_path / "archive", "")
    assert found.covered, "merged files whose parts are still there for readers"
    assert not {file.path for file in found.files} & set(found.covered)
