"""A disk that is full: on a file system of a few megabytes. Nobody crashes, nothing acknowledged is lost, all is shipped later.

Needs the right to mount a tmpfs (root); told and left out without it.
"""

from __future__ import annotations

import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from random import Random

import pytest

from segue.errors import StoreError
from segue.exchanges import Spool
from segue.exchanges.keeping import Keeping, KeepingRules
from segue.exchanges.shipper import ship_forever
from tests.exchanges.builders import DAY, HOUR, Clock, a_log, a_shipper, a_spool, an_exchange, drain

MIB = 1 << 20
SEGMENT = 64 * 1024


def a_body(number: int) -> bytes:
    """It does not compress: what is shipped takes up as much as what was spooled."""
    return Random(number).randbytes(1_500)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder with four megabytes."""
    mounted = tmp_path / "disk"
    mounted.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(mounted)], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"no tmpfs can be mounted here: {done.stderr.strip()}")
    yield mounted
    subprocess.run(["umount", "--lazy", str(mounted)], check=True)


def a_small_spool(folder: Path, **given: int) -> Spool:
    """Segments small beside the disk."""
    return a_spool(folder, segment_bytes=SEGMENT, **given)


def append_until_full(spool: Spool, first: int = 0) -> list[str]:
    """Append, tending all the while; the ids of what was kept. Goes on for a while after the first that was not."""
    kept = []
    refused = number = 0
    while refused < 50:
        if spool.append(an_exchange(first + number), a_body(first + number), a_body(-number)) is not None:
            kept.append(f"x{first + number:06d}")
        else:
            refused += 1
        spool.tend()
        number += 1
    return kept


def ids(folder: Path) -> Counter[str]:
    """Each exchange that can be read."""
    return Counter(row.exchange.id for row in a_log(folder).iterate())


def eat(folder: Path) -> Path:
    """Take what is left of the disk."""
    path = folder / "eaten"
    with path.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(64 * 1024))
        except OSError:
            pass
        try:
            while True:
                file.write(bytes(512))
        except OSError:
            pass
    return path


def test_a_spool_that_fills_the_disk_says_so_and_loses_nothing(small_disk: Path) -> None:
    """No exception, no SIGBUS: records are not kept, and counted; what was acknowledged is there, and goes on being there."""
    spool = a_small_spool(small_disk)
    kept = append_until_full(spool)
    state = spool.state
    assert 500 < len(kept) == state.kept
    assert (state.not_kept, state.is_keeping) == (50, False)
    assert state.fault is not None
    assert ids(small_disk) == Counter(kept)
    spool.close()
    assert ids(small_disk) == Counter(kept)


def test_space_left_for_shipping_is_what_gets_the_spool_going_again(small_disk: Path) -> None:
    """With the room that the spool spares, shipping and retention make room, and records are kept again."""
    spool = a_small_spool(small_disk, spare_bytes=MIB)
    kept: list[str] = []
    for life in range(3):
        kept += append_until_full(spool, 10_000 * life)
        assert not spool.state.is_keeping
        ship_and_forget(small_disk)
        spool.tend()
        assert spool.state.is_keeping, "room was made"
    recount = a_log(small_disk).recount()
    assert (recount.appended, recount.waiting) == (spool.state.kept, 0)
    assert spool.state.kept == len(kept) == len(set(kept))
    spool.close()


def ship_and_forget(folder: Path) -> None:
    """Ship as much as there is room for, delete days that are over, and so on until nothing waits."""
    clock = Clock()
    while a_log(folder).recount().waiting:
        shipper = a_shipper(folder, clock, batch_bytes=256 * 1024, rules=KeepingRules(Keeping(days=1)))
        with suppress(OSError, StoreError):
            drain(shipper)
        clock.now += 3 * DAY
        shipper.tidy()
        clock.now += 2 * HOUR
        shipper.tidy()
        shipper.close()


def test_shipping_to_a_full_disk_waits_and_then_ships_all(small_disk: Path, tmp_path: Path) -> None:
    """Each step fails and tells; the spool keeps everything; with room again, all of it is archived, once."""
    spool = a_spool(tmp_path, segment_bytes=SEGMENT)
    for number in range(300):
        assert spool.append(an_exchange(number), a_body(number), a_body(-number)) is not None
        spool.tend()
    (tmp_path / "archive").symlink_to(small_disk)
    shipper = a_shipper(tmp_path, batch_bytes=256 * 1024)
    eaten = eat(small_disk)
    told: list[object] = []
    rounds = iter([True, True, True, False])
    ship_forever(shipper, wait=lambda: next(rounds), told=told.append)
    assert len(told) == 4
    assert all(isinstance(one, OSError | StoreError) for one in told), told
    recount = a_log(tmp_path).recount()
    assert (recount.archived, recount.waiting) == (0, 300)
    assert ids(tmp_path) == Counter(f"x{number:06d}" for number in range(300))
    eaten.unlink()
    drain(shipper)
    recount = a_log(tmp_path).recount()
    assert (recount.archived, recount.waiting, recount.appended) == (300, 0, 300)
    shipper.close()
    spool.close()
    assert ids(tmp_path) == Counter(f"x{number:06d}" for number in range(300))


def test_a_disk_that_fills_up_while_it_ships(small_disk: Path, tmp_path: Path) -> None:
    """Some is archived, the rest waits; each record is in one of the two, also after a restart."""
    spool = a_spool(tmp_path, segment_bytes=SEGMENT)
    for number in range(2_000):
        assert spool.append(an_exchange(number), a_body(number), a_body(-number)) is not None
        spool.tend()
    (tmp_path / "archive").symlink_to(small_disk)
    shipper = a_shipper(tmp_path, batch_bytes=256 * 1024)
    with pytest.raises((OSError, StoreError), match=r"[Nn]o space|full"):
        drain(shipper)
    expected = Counter(f"x{number:06d}" for number in range(2_000))
    recount = a_log(tmp_path).recount()
    assert recount.archived > 0
    assert recount.waiting > 0
    assert recount.appended == 2_000
    assert ids(tmp_path) == expected
    shipper.close()
    subprocess.run(["mount", "-o", "remount,size=32m", str(small_disk)], check=True)
    shipper = a_shipper(tmp_path, batch_bytes=256 * 1024)
    drain(shipper)
    shipper.tidy()
    shipper.close()
    spool.close()
    recount = a_log(tmp_path).recount()
    assert (recount.archived, recount.waiting, recount.appended) == (2_000, 0, 2_000)
    assert ids(tmp_path) == expected
