"""Memory does not grow with the number of recordings and labels."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from segue.imports import read_layout, read_promptfoo
from tests.imports.builders import Faults, a_case, a_folder, a_label, a_promptfoo_file, a_promptfoo_row, a_recording


def peak_of(run: Callable[[], Iterable[object]]) -> int:
    """Bytes at the highest point of iterating."""
    tracemalloc.start()
    try:
        for _ in run():
            pass
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("kind", ["exchanges", "labels"])
def test_ten_times_the_records_take_no_more_memory(tmp_path: Path, kind: str) -> None:
    """The layout reader holds one record."""
    peaks = []
    for number in (600, 6000):
        recordings = [a_recording(repeat=one, output="x" * 200) for one in range(number)]
        labels = [a_label(repeat=one) for one in range(number)]
        folder = a_folder(tmp_path / str(number), [a_case()], recordings, labels)
        source = read_layout(folder, report=Faults().append, where={"task": "default"})
        list(source.cases())
        peaks.append(peak_of(getattr(source, kind)))
    assert peaks[1] < peaks[0] + 50_000


def test_a_long_results_file_is_not_held(tmp_path: Path) -> None:
    """promptfoo's file is one document; its rows are taken out one by one."""
    peaks = []
    for number in (100, 1000):
        rows = [a_promptfoo_row(testIdx=one, metadata={"pad": "x" * 2000}) for one in range(number)]
        source = read_promptfoo(a_promptfoo_file(tmp_path / f"{number}.json", rows), report=Faults().append)
        peaks.append(peak_of(source.exchanges))
    assert peaks[1] < peaks[0] + 700_000
