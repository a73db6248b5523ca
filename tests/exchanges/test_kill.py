"""Real processes, killed with SIGKILL wherever they are: nothing that was said to be kept is lost, nothing is there twice."""

from __future__ import annotations

import mmap
import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from segue.exchanges.reading import open_segments
from segue.exchanges.record import decode_exchange
from tests.exchanges.a_writer import body_of
from tests.exchanges.builders import a_log, a_shipper, drain

HERE = Path(__file__).parent
SURROUNDINGS = {**os.environ, "PYTHONPATH": str(HERE.parent.parent / "src")}


def killed_writer(folder: Path, run: str, seed: int, after: int) -> int:
    """How many records a writer kept until it was killed, as soon as it had kept `after`."""
    said = folder / f"said-{run}"
    said.write_bytes(bytes(8))
    command = [sys.executable, str(HERE / "a_writer.py"), str(folder / "spool"), run, str(seed), str(said)]
    with said.open("r+b") as file, mmap.mmap(file.fileno(), 8) as told:
        process = subprocess.Popen(command, env=SURROUNDINGS)
        while int.from_bytes(told[:], "little") < after:
            assert process.poll() is None
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
        return int.from_bytes(told[:], "little")


def held(folder: Path) -> Counter[str]:
    """Ids in the spool; every body is what it has to be, every segment finished, none torn."""
    counts: Counter[str] = Counter()
    for reader in open_segments(folder / "spool"):
        with reader:
            for frame in reader.frames():
                name, length = decode_exchange(frame.head).id, len(frame.request)
                assert bytes(frame.request) == bytes(frame.response) == body_of(name, length)
                counts[name] += 1
            assert reader.ending is not None
            assert reader.ending.is_finished
            assert reader.ending.torn_at is None
    return counts


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_a_killed_writer_loses_nothing_it_said_it_kept(tmp_path: Path) -> None:
    """Twenty-four kills at random moments; then all is shipped by shippers that are killed as well, and counted again."""
    rng = np.random.default_rng(4)
    kept: set[str] = set()
    for life in range(24):
        count = killed_writer(tmp_path, f"life{life:02d}", life, int(rng.integers(1, 600)))
        kept.update(f"life{life:02d}-{number}" for number in range(count))
    written = held(tmp_path)
    assert len(kept) > 24
    assert kept <= set(written)
    assert set(written.values()) == {1}
    assert len(written) - len(kept) <= 24, "at most the one that was being said is unsaid, per life"
    deaths = 0
    for moment in (2, 3, 6, 8):
        command = [sys.executable, str(HERE / "a_shipper.py"), str(tmp_path / "spool"), str(tmp_path / "archive"), str(moment)]
        deaths += subprocess.run(command, env=SURROUNDINGS, check=False).returncode == -signal.SIGKILL
        log = a_log(tmp_path)
        assert log.recount().readable == len(written)
    assert deaths >= 3
    last = a_shipper(tmp_path, batch_bytes=8 << 20)
    drain(last)
    last.close()
    assert Counter(row.exchange.id for row in a_log(tmp_path).iterate(with_bodies=False)) == written
    assert not list((tmp_path / "spool").iterdir())
