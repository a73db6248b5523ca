"""Reads promptfoo's results files (`promptfoo eval -o results.json`, `results.version` 3).

A provider with a prompt is a release, a test is a case whose `vars` are its variables, a repeated test is a repeat, the grading
and each named score are labels. An error is a failure and has no label; a failed assertion is an answer with the label 0.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson

from segue.errors import InputError
from segue.imports.base import ImportedExchange, ImportedLabel, Release, Report
from segue.imports.json_walk import JsonWalkError, walk_json
from segue.imports.lines import DAMAGE, open_bytes
from segue.imports.paths import files_of
from segue.imports.promptfoo_release import PromptfooRelease, name_releases, read_release
from segue.imports.promptfoo_row import case_id_of, case_of, judged_labelers, labels_of, outcome_of
from segue.imports.reading_pass import ROWS, Flaw, ReadingPass
from segue.imports.release_sketch import ReleaseSketches
from segue.imports.selection import Where
from segue.imports.source import StreamedSource
from segue.imports.timestamps import read_timestamp
from segue.imports.values import kind_of
from segue.model import Case, Json

VERSION = 3
_ROWS = ("results", "results", "*")
_PROMPTS = ("results", "prompts", "*")
_VERSION = ("results", "version")
_TIMESTAMP = ("results", "timestamp")
_PROVIDERS = ("config", "providers")


@dataclass(frozen=True)
class _File:
    """One results file: its releases by prompt index, and when it was evaluated."""

    path: Path
    releases: Mapping[int, PromptfooRelease]
    at: str | None


@dataclass(frozen=True)
class _Row:
    """One row as read, with the case it belongs to."""

    body: dict[str, Json]
    case_id: str
    release: PromptfooRelease
    repeat: int
    at: str | None


class PromptfooSource(StreamedSource):
    """Results files as streams: one row in memory at a time, and about 200 bytes per test and release."""

    def __init__(self, paths: Sequence[Path], *, report: Report, where: Where | None, slices: Sequence[str] | None) -> None:
        super().__init__(report=report, where=where)
        self._slices = slices
        self._files = _describe(paths)

    def _read_cases(self, reading: ReadingPass) -> Iterator[Case]:
        seen: set[str] = set()
        for row in self._rows(reading):
            if row.case_id in seen:
                continue
            seen.add(row.case_id)
            flaws: list[Flaw] = []
            case = case_of(row.body, row.case_id, self._slices, flaws)
            if case is None:
                reading.refuse(*flaws)
            else:
                reading.count.read += 1
                yield case

    def _read_exchanges(self, reading: ReadingPass) -> Iterator[ImportedExchange]:
        for row in self._rows(reading):
            flaws: list[Flaw] = []
            outcome = outcome_of(row.body, flaws)
            if outcome is None or flaws:
                reading.refuse(*flaws)
                continue
            reading.count.read += 1
            yield ImportedExchange(
                release=row.release.name,
                snapshot=row.release.snapshot,
                params=row.release.params,
                case_id=row.case_id,
                repeat=row.repeat,
                reply=outcome.reply,
                failure=outcome.failure,
                usage=outcome.usage,
                latency_ms=outcome.latency_ms,
                cost_microusd=outcome.cost_microusd,
                at=row.at,
            )

    def _read_labels(self, reading: ReadingPass) -> Iterator[ImportedLabel]:
        for row in self._rows(reading):
            if outcome_of(row.body, []) is None:
                continue
            self.roles.update(dict.fromkeys(judged_labelers(row.body), "judge"))
            for labeler, label, detail in labels_of(row.body):
                reading.count.read += 1
                yield ImportedLabel(
                    release=row.release.name,
                    case_id=row.case_id,
                    repeat=row.repeat,
                    labeler=labeler,
                    label=label,
                    detail=detail,
                )

    def releases(self) -> Mapping[str, Release]:
        """Known from the heads of the files."""
        sketches = ReleaseSketches()
        prompts = {}
        for file in self._files:
            for release in file.releases.values():
                sketches.add(release.name, release.snapshot, release.params)
                prompts[release.name] = release.prompt
        return sketches.releases(prompts)

    def _rows(self, reading: ReadingPass) -> Iterator[_Row]:
        """The rows that can be read, numbered by release and case."""
        repeats: dict[tuple[str, str], int] = {}
        for file in self._files:
            for body, line in _raw_rows(file.path, reading):
                reading.move(str(file.path), line)
                flaws: list[Flaw] = []
                release = _release_of(body, file, flaws)
                case_id = case_id_of(body, flaws) if isinstance(body, dict) else None
                if release is None or case_id is None:
                    reading.refuse(*flaws, level=ROWS)
                    continue
                key = (release.name, case_id)
                repeat = repeats.get(key, 0)
                repeats[key] = repeat + 1
                yield _Row(body, case_id, release, repeat, file.at)


def read_promptfoo(
    path: Path | str | Sequence[Path | str],
    *,
    report: Report,
    where: Where | None = None,
    slices: Sequence[str] | None = None,
) -> PromptfooSource:
    """A source over one or more results files, gzipped or not.

    `slices` names the keys of a test's `metadata` (and `description`) that become slices; without it, all metadata that is
    text, number or truth value does. `InputError` for a file that is not such a result.
    """
    return PromptfooSource(files_of(path), report=report, where=where, slices=slices)


def _describe(paths: Sequence[Path]) -> list[_File]:
    """Reads what is said once per file, and the first row of each release."""
    read = []
    for path in paths:
        version: Json = None
        timestamp: Json = None
        providers: Json = None
        prompts: list[Json] = []
        first_rows: dict[int, dict[str, Json]] = {}
        has_rows = False
        for found_path, value in _values(path):
            if found_path == _VERSION:
                version = orjson.loads(value)
                if version != VERSION:
                    raise _wrong_version(path, version)
            elif found_path == _TIMESTAMP:
                timestamp = orjson.loads(value)
            elif found_path == _PROVIDERS:
                providers = orjson.loads(value)
            elif found_path == _PROMPTS:
                prompts.append(orjson.loads(value))
            else:
                has_rows = True
                if not prompts or len(first_rows) < len(prompts):
                    _remember_first(value, first_rows, len(prompts))
        if version is None:
            raise _wrong_version(path, version)
        if not has_rows:
            raise InputError(f"{path} holds no results.", fix="Run the evaluation to its end and export it again.")
        releases = {index: read_release(index, row, prompts, providers) for index, row in sorted(first_rows.items())}
        read.append((path, releases, read_timestamp(timestamp)))
    named = name_releases([releases for _, releases, _ in read])
    return [_File(path, releases, at) for (path, _, at), releases in zip(read, named, strict=True)]


def _values(path: Path) -> Iterator[tuple[tuple[str, ...], bytes]]:
    """What `_describe` needs, up to where the document breaks; the passes over the rows tell where that is."""
    with open_bytes(path) as stream:
        try:
            for found in walk_json(stream, (_VERSION, _TIMESTAMP, _PROMPTS, _PROVIDERS, _ROWS)):
                yield found.path, found.raw
        except (JsonWalkError, *DAMAGE):
            return
        except orjson.JSONDecodeError as error:
            raise InputError(f"{path} is not a promptfoo results file.", fix="Export it again.") from error


def _raw_rows(path: Path, reading: ReadingPass) -> Iterator[tuple[Json, int]]:
    with open_bytes(path) as stream:
        try:
            for found in walk_json(stream, (_ROWS,)):
                try:
                    yield orjson.loads(found.raw), found.line
                except orjson.JSONDecodeError as error:
                    reading.move(str(path), found.line)
                    reason = error.msg.partition(":")[0]
                    reading.refuse(Flaw(None, f"The result is not JSON: {reason}.", "Export the file again."), level=ROWS)
        except JsonWalkError as error:
            reading.move(str(path), error.line)
            reading.tell([Flaw(None, error.what, error.fix)], level=ROWS)
        except DAMAGE as error:
            reading.move(str(path), (reading.line or 0) + 1)
            reading.tell(
                [Flaw(None, f"The file is damaged from here on ({type(error).__name__}).", "Export it again.")], level=ROWS
            )


def _release_of(row: Json, file: _File, flaws: list[Flaw]) -> PromptfooRelease | None:
    if not isinstance(row, dict):
        flaws.append(Flaw(None, f"A result has to be an object, not {kind_of(row)}.", "Export the file again."))
        return None
    index = row.get("promptIdx")
    release = file.releases.get(index) if isinstance(index, int) else None
    if release is None:
        flaws.append(Flaw("promptIdx", "It names no prompt of this file.", "Export the file again."))
    return release


def _remember_first(value: bytes, first_rows: dict[int, dict[str, Json]], prompts: int) -> None:
    """Note the row as the first of its prompt. An index beyond the file's prompts (where it lists any) is none."""
    try:
        row = orjson.loads(value)
    except orjson.JSONDecodeError:
        return
    index = row.get("promptIdx") if isinstance(row, dict) else None
    if isinstance(index, int) and not isinstance(index, bool) and index >= 0 and (not prompts or index < prompts):
        first_rows.setdefault(index, row)


def _wrong_version(path: Path, version: Json) -> InputError:
    if version is None:
        what = f"{path} is not a promptfoo results file: it has no results.version."
    else:
        what = f"{path} has results.version {version if isinstance(version, int) else 'of another kind'}; {VERSION} is read."
    return InputError(
        what, fix="Export it with `promptfoo eval -o results.json`, or `promptfoo export eval <id> -o results.json`."
    )
