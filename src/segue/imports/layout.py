"""Reads Segue's own layout: a folder with cases, recordings and labels as JSON Lines, gzipped or not.

Cases are in the form of a suite (`docs/suite-format.md`); the system message `@name.txt` stands for a file of the folder.
Recordings and labels are joined by `case_id`, `model` and `repeat`, never by position.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from pathlib import Path

from segue.errors import InputError
from segue.imports.base import ImportedExchange, ImportedLabel, Release, Report
from segue.imports.layout_case import CaseReader
from segue.imports.layout_output import read_failure, read_reply
from segue.imports.lines import read_objects
from segue.imports.reading_pass import Flaw, ReadingPass
from segue.imports.release_sketch import ReleaseSketches
from segue.imports.selection import Where
from segue.imports.source import StreamedSource
from segue.imports.timestamps import read_timestamp
from segue.imports.values import MAX_REPEAT, count_of, kind_of, label_of, micro_usd, number_of, text_of
from segue.model import Case, Json, Usage

_LABEL_KEYS = frozenset({"case_id", "model", "repeat", "labeler", "label"})


class LayoutSource(StreamedSource):
    """A folder in our layout, as streams. Every pass reads its file from the start; nothing is held between lines."""

    def __init__(self, folder: Path, *, report: Report, where: Where | None = None) -> None:
        super().__init__(report=report, where=where)
        self._folder = folder
        self._cases_file = _file_of(folder, "cases")
        self._recordings_file = _file_of(folder, "recordings")
        self._labels_file = _file_of(folder, "labels", needed=False)

    def _read_cases(self, reading: ReadingPass) -> Iterator[Case]:
        reader = CaseReader(self._folder)
        for row in read_objects(self._required(self._cases_file), reading):
            flaws: list[Flaw] = []
            case = reader.read(row, flaws)
            if case is None:
                reading.reject(*flaws)
            else:
                yield case

    def _read_exchanges(self, reading: ReadingPass) -> Iterator[ImportedExchange]:
        for row in read_objects(self._required(self._recordings_file), reading):
            flaws: list[Flaw] = []
            exchange = _read_exchange(row, flaws)
            if exchange is None:
                reading.reject(*flaws)
            else:
                yield exchange

    def _read_labels(self, reading: ReadingPass) -> Iterator[ImportedLabel]:
        if self._labels_file is None:
            return
        for row in read_objects(self._labels_file, reading):
            flaws: list[Flaw] = []
            label = _read_label(row, flaws)
            if label is None:
                reading.reject(*flaws)
            else:
                yield label

    def _find_releases(self, left_out: Set[str]) -> Mapping[str, Release]:
        """Looks at three fields of each line: four times as fast as reading the exchanges."""
        sketches = ReleaseSketches()
        for row in read_objects(self._required(self._recordings_file), ReadingPass.quiet()):
            name, params, case_id = row.get("model"), row.get("params") or {}, row.get("case_id")
            if (
                isinstance(name, str | int)
                and isinstance(params, dict)
                and not isinstance(case_id, list | dict)
                and str(case_id) not in left_out
            ):
                sketches.add(str(name), str(row.get("snapshot") or name), params)
        return sketches.releases()

    @staticmethod
    def _required(file: Path | None) -> Path:
        assert file is not None, "checked when the source was made"
        return file


def read_layout(path: Path | str, *, report: Report, where: Where | None = None) -> LayoutSource:
    """A source over the folder `path` with `cases`, `recordings` and, if there are any, `labels` (`.jsonl` or `.jsonl.gz`).

    `where` chooses cases (`{"task": "prime"}`). `InputError` where the folder or a needed file is absent, or is there twice.
    """
    return LayoutSource(Path(path), report=report, where=where)


def _file_of(folder: Path, stem: str, *, needed: bool = True) -> Path | None:
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder.", fix="Name a folder that holds cases.jsonl and recordings.jsonl.")
    found = [file for ending in (".jsonl", ".jsonl.gz") if (file := folder / f"{stem}{ending}").is_file()]
    if len(found) == 2:
        raise InputError(f"{folder} holds {found[0].name} and {found[1].name}.", fix="Keep one of the two.")
    if not found and needed:
        raise InputError(f"{folder} holds no {stem}.jsonl and no {stem}.jsonl.gz.", fix="Add the file, or name another folder.")
    return found[0] if found else None


def _read_exchange(row: dict[str, Json], flaws: list[Flaw]) -> ImportedExchange | None:
    release = text_of(row, "model", flaws)
    case_id = text_of(row, "case_id", flaws)
    snapshot = text_of(row, "snapshot", flaws) if row.get("snapshot") is not None else release
    params = row.get("params")
    if params is None:
        params = {}
    elif not isinstance(params, dict):
        flaws.append(Flaw("params", f"It has to be an object, not {kind_of(params)}.", "Write {} where there are none."))
    failure = read_failure(row.get("error"), flaws)
    reply = None if failure else read_reply(row, flaws)
    usage = Usage(
        input_tokens=count_of(row.get("input_tokens"), "input_tokens", flaws),
        output_tokens=count_of(row.get("output_tokens"), "output_tokens", flaws),
        reasoning_tokens=count_of(row.get("reasoning_tokens"), "reasoning_tokens", flaws),
        cached_tokens=count_of(row.get("cached_tokens"), "cached_tokens", flaws),
    )
    latency_s = number_of(row.get("latency_s"), "latency_s", flaws)
    ttft_s = number_of(row.get("ttft_s"), "ttft_s", flaws)
    cost_usd = number_of(row.get("cost_usd"), "cost_usd", flaws)
    repeat = count_of(row.get("repeat"), "repeat", flaws, most=MAX_REPEAT)
    if flaws:
        return None
    return ImportedExchange(
        release=release,
        snapshot=snapshot,
        params=params,
        case_id=case_id,
        repeat=repeat or 0,
        reply=reply,
        failure=failure,
        usage=usage,
        latency_ms=None if latency_s is None else latency_s * 1000,
        ttft_ms=None if ttft_s is None else ttft_s * 1000,
        cost_microusd=micro_usd(cost_usd),
        at=read_timestamp(row.get("recorded_at")),
    )


def _read_label(row: dict[str, Json], flaws: list[Flaw]) -> ImportedLabel | None:
    release = text_of(row, "model", flaws)
    case_id = text_of(row, "case_id", flaws)
    labeler = text_of(row, "labeler", flaws)
    repeat = count_of(row.get("repeat"), "repeat", flaws, most=MAX_REPEAT)
    label = label_of(row.get("label"))
    if not label:
        flaws.append(
            Flaw("label", "There is no label.", "Write a class or a number, or remove the line: no label is not a bad label.")
        )
    if flaws or not label:
        return None
    detail = {key: value for key, value in row.items() if key not in _LABEL_KEYS}
    return ImportedLabel(release=release, case_id=case_id, repeat=repeat, labeler=labeler, label=label, detail=detail or None)
