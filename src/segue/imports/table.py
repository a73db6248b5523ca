"""Reads a team's own table: CSV or JSON Lines with a mapping of its columns, in long form or wide.

In a long table every row is one answer, and repeats the case; in a wide one every row is a case, with a column per release.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from segue.errors import Fault, InputError
from segue.imports.base import ImportedExchange, ImportedLabel, Release, Report
from segue.imports.paths import files_of
from segue.imports.reading_pass import ROWS, Flaw, ReadingPass
from segue.imports.release_sketch import ReleaseSketches
from segue.imports.seen_cases import SeenCases, mark_of
from segue.imports.selection import Where
from segue.imports.source import StreamedSource
from segue.imports.table_answer import SharedFields, TableArm, is_answered, read_answer, read_labels, read_shared
from segue.imports.table_case import read_case
from segue.imports.table_mapping import TableMapping
from segue.imports.table_presets import preset
from segue.imports.table_rows import cell, first_json_keys, is_json_lines, read_csv_rows, read_header, read_json_rows
from segue.model import Case, Json


@dataclass(frozen=True)
class _File:
    """One file: its header (CSV) or none (JSON Lines), and the release all its rows are of, where no column tells."""

    path: Path
    header: tuple[str, ...] | None
    delimiter: str
    release: str


@dataclass(frozen=True)
class _Row:
    """One row with its case."""

    cells: dict[str, Json]
    case_id: str
    file: _File
    case: Case | None
    """The case itself in the first row of it, `None` in the others."""


class TableSource(StreamedSource):
    """Tables as streams: one row in memory at a time, and about 250 bytes per case, to tell repeated cases from clashes."""

    def __init__(
        self,
        paths: Sequence[Path],
        mapping: TableMapping,
        *,
        report: Report,
        where: Where | None,
        releases: Sequence[str] | None,
    ) -> None:
        super().__init__(report=report, where=where)
        self._mapping = mapping
        self._arms = [TableArm(name, columns) for name, columns in mapping.arms().items()]
        self._files = _describe(paths, mapping, releases)
        self._case_columns = mapping.case_columns()

    def _read_cases(self, reading: ReadingPass) -> Iterator[Case]:
        for row in self._rows(reading):
            if row.case is not None:
                reading.count.read += 1
                yield row.case

    def _read_exchanges(self, reading: ReadingPass) -> Iterator[ImportedExchange]:
        for row in self._rows(reading):
            for arm in self._arms:
                flaws: list[Flaw] = []
                shared = self._shared(row, arm, flaws)
                answer = read_answer(row.cells, self._mapping, arm, flaws)
                if answer is None and not flaws:
                    continue
                reading.count.read += 1
                if flaws or answer is None:
                    reading.reject(*flaws)
                    continue
                yield ImportedExchange(
                    release=shared.release,
                    snapshot=shared.snapshot,
                    params=shared.params,
                    case_id=row.case_id,
                    repeat=shared.repeat,
                    reply=answer.reply,
                    failure=answer.failure,
                    usage=answer.usage,
                    latency_ms=answer.latency_ms,
                    ttft_ms=answer.ttft_ms,
                    cost_microusd=answer.cost_microusd,
                    at=shared.at,
                )

    def _find_releases(self, left_out: Set[str]) -> Mapping[str, Release]:
        """Looks at what a row says apart from the answers: three times as fast as reading those too."""
        sketches = ReleaseSketches()
        for row in self._rows(ReadingPass.quiet()):
            for arm in self._arms if row.case_id not in left_out else ():
                flaws: list[Flaw] = []
                shared = self._shared(row, arm, flaws)
                if not flaws and is_answered(row.cells, arm):
                    sketches.add(shared.release, shared.snapshot, shared.params)
        return sketches.releases()

    def _shared(self, row: _Row, arm: TableArm, flaws: list[Flaw]) -> SharedFields:
        return read_shared(row.cells, self._mapping, row.file.release if arm.release is None else arm.release, flaws)

    def _read_labels(self, reading: ReadingPass) -> Iterator[ImportedLabel]:
        if not any(arm.columns.labels for arm in self._arms):
            return
        for row in self._rows(reading):
            for arm in self._arms:
                flaws: list[Flaw] = []
                shared = self._shared(row, arm, flaws)
                if flaws or read_answer(row.cells, self._mapping, arm, flaws) is None:
                    continue
                for labeler, label in read_labels(row.cells, arm):
                    reading.count.read += 1
                    yield ImportedLabel(
                        release=shared.release, case_id=row.case_id, repeat=shared.repeat, labeler=labeler, label=label
                    )

    def _rows(self, reading: ReadingPass) -> Iterator[_Row]:
        """The rows whose case can be read. A case that contradicts an earlier one of its id is a fault."""
        seen = SeenCases(number_clashes=self._mapping.clashing_ids == "number")
        known: dict[int, str] = {}
        for file in self._files:
            for cells in self._cells(file, reading):
                mark = mark_of([cell(cells, column) for column in self._case_columns])
                if (case_id := known.get(mark)) is not None:
                    yield _Row(cells, case_id, file, None)
                    continue
                flaws: list[Flaw] = []
                case = read_case(cells, self._mapping, flaws)
                if case is None:
                    reading.refuse(*flaws, level=ROWS)
                    continue
                case_id, sight = seen.sight(case.case_id, mark)
                if sight == "clash":
                    what = "The id stood for another case before (other input, reference or slices)."
                    fix = "Give each case its own id, or have clashing ids numbered."
                    reading.refuse(Flaw("case_id", what, fix), level=ROWS)
                    continue
                known[mark] = case_id
                yield _Row(cells, case_id, file, case.model_copy(update={"case_id": case_id}))

    def _cells(self, file: _File, reading: ReadingPass) -> Iterator[dict[str, Json]]:
        if file.header is None:
            return read_json_rows(file.path, reading)
        return read_csv_rows(file.path, file.header, file.delimiter, self._mapping.encoding, reading)


def read_table(
    path: Path | str | Sequence[Path | str],
    mapping: TableMapping | str,
    *,
    report: Report,
    where: Where | None = None,
    releases: Sequence[str] | None = None,
) -> TableSource:
    """A source over one or more tables of the same columns, gzipped or not.

    `mapping` may be the name of a preset (`llmdrift`). Where no column tells the release, each file is one, called after the
    file or, in the order of the files, by `releases`. JSON Lines are told by their name (`.jsonl`, `.ndjson`).
    `InputError` for a column that is not there, naming the near ones; `NotFoundError` for an unknown preset.
    """
    chosen = preset(mapping) if isinstance(mapping, str) else mapping
    return TableSource(files_of(path), chosen, report=report, where=where, releases=releases)


def _describe(paths: Sequence[Path], mapping: TableMapping, releases: Sequence[str] | None) -> list[_File]:
    names = list(releases or [_stem(path) for path in paths])
    if len(names) != len(paths):
        raise InputError(f"{len(names)} releases are named for {len(paths)} files.", fix="Name one release per file.")
    if mapping.release is None and not mapping.wide and len(set(names)) < len(names):
        raise InputError("Two files would be the same release.", fix="Name one release per file, each its own.")
    wanted = dict(mapping.shared_columns())
    for release, columns in mapping.arms().items():
        wanted.update({f"wide.{release}.{key}" if release else key: name for key, name in columns.columns().items()})
    files, faults = [], []
    for path, name in zip(paths, names, strict=True):
        if is_json_lines(path):
            present, header, delimiter = first_json_keys(path), None, ","
        else:
            present, delimiter = read_header(path, mapping.delimiter, mapping.encoding, list(wanted.values()))
            header = tuple(present)
        faults.extend(_column_faults(path, present, wanted, mapping))
        files.append(_File(path, header, delimiter, name))
    if faults:
        raise InputError.from_faults(faults, subject="the columns of the table")
    return files


def _column_faults(path: Path, present: Sequence[str], wanted: Mapping[str, str], mapping: TableMapping) -> list[Fault]:
    """Wanted columns that are absent, and wanted columns that stand there twice."""
    if not present:
        return [Fault("The file is empty.", "Export the table again, with its header.", str(path))]
    faults = []
    times = Counter(present)
    for setting, column in wanted.items():
        if times[column] > 1:
            faults.append(Fault(f"Two columns are called '{column}'.", "Rename one of them.", str(path), 1, setting))
        elif not times[column] and mapping.is_required(setting):
            near = get_close_matches(column, [name for name in present if name], n=2, cutoff=0.5)
            likely = " or ".join(f"'{name}'" for name in near) or None
            shown = ", ".join(f"'{name}'" for name in present[:12] if name)
            faults.append(Fault(f"There is no column '{column}'.", f"There are: {shown}.", str(path), 1, setting, likely))
    return faults


def _stem(path: Path) -> str:
    return path.name.removesuffix(".gz").rpartition(".")[0] or path.name
