"""Reads Inspect's logs: `.eval` archives and `.json`, one sample at a time. Inspect itself is not needed.

A log's model is a release, a sample is a case, an epoch a repeat, each score a label. A sample that ended in an error is a
failure and has no label.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from pathlib import Path

from segue.errors import Fault, InputError
from segue.imports.base import ImportedExchange, ImportedLabel, Release, Report
from segue.imports.inspect_file import InspectLog, open_logs, sample_key, samples_of, with_own_names
from segue.imports.inspect_sample import case_of, labels_of, outcome_of
from segue.imports.paths import files_of
from segue.imports.reading_pass import ROWS, Flaw, ReadingPass
from segue.imports.release_sketch import ReleaseSketches
from segue.imports.seen_cases import SeenCases, mark_of
from segue.imports.selection import Where
from segue.imports.source import StreamedSource
from segue.imports.values import MAX_REPEAT, count_of
from segue.model import Case, Json

ENDINGS = (".eval", ".json")


class InspectSource(StreamedSource):
    """Logs of one task as streams: one sample in memory at a time, and about 250 bytes per case."""

    def __init__(
        self,
        paths: Sequence[Path],
        *,
        report: Report,
        where: Where | None,
        releases: Sequence[str] | None,
        slices: Sequence[str] | None,
    ) -> None:
        super().__init__(report=report, where=where)
        self._slices = slices
        self._logs = with_own_names(_of_one_task(open_logs(paths, releases), where))
        for log in self._logs:
            if log.status != "success":
                what = f"The evaluation did not end well (status '{log.status}'); what it holds is read."
                report(Fault(what, "Run it to its end, or mind the missing samples.", str(log.path), severity="warning"))

    def _read_cases(self, reading: ReadingPass) -> Iterator[Case]:
        seen = SeenCases()
        for log in self._logs:
            known: set[str] = set()
            for sample in self._samples(log, reading, skip=known):
                flaws: list[Flaw] = []
                case = case_of(sample, log, self._slices, flaws)
                if case is None:
                    reading.refuse(*flaws)
                    continue
                if (key := sample_key(reading.part)) is not None:
                    known.add(key)
                sight = seen.sight(case.case_id, mark_of({**case.body(), "metadata": None}))[1]
                if sight == "clash":
                    what = "The id stood for another sample before (other input, target or slices)."
                    reading.refuse(Flaw("id", what, "Compare logs of the same data set."))
                elif sight == "new":
                    reading.count.read += 1
                    yield case

    def _read_exchanges(self, reading: ReadingPass) -> Iterator[ImportedExchange]:
        for log in self._logs:
            for sample in self._samples(log, reading):
                flaws: list[Flaw] = []
                key = _key_of(sample, flaws)
                outcome = outcome_of(sample, log.model, flaws)
                if outcome is None or key is None:
                    reading.refuse(*flaws)
                    continue
                reading.count.read += 1
                yield ImportedExchange(
                    release=log.release,
                    snapshot=log.snapshot,
                    params=log.params,
                    case_id=key[0],
                    repeat=key[1],
                    reply=outcome.reply,
                    failure=outcome.failure,
                    usage=outcome.usage,
                    latency_ms=outcome.latency_ms,
                    cost_microusd=outcome.cost_microusd,
                    at=outcome.at,
                )

    def _read_labels(self, reading: ReadingPass) -> Iterator[ImportedLabel]:
        for log in self._logs:
            for sample in self._samples(log, reading):
                key = _key_of(sample, [])
                if key is None or outcome_of(sample, log.model, []) is None:
                    continue
                for labeler, label, detail in labels_of(sample):
                    reading.count.read += 1
                    yield ImportedLabel(
                        release=log.release, case_id=key[0], repeat=key[1], labeler=labeler, label=label, detail=detail
                    )

    def releases(self) -> Mapping[str, Release]:
        """Known from the heads of the logs."""
        sketches = ReleaseSketches()
        for log in self._logs:
            sketches.add(log.release, log.snapshot, log.params)
        return sketches.releases()

    def _samples(self, log: InspectLog, reading: ReadingPass, *, skip: Set[str] = frozenset()) -> Iterator[dict[str, Json]]:
        """The samples that are JSON objects. Members whose sample key is in `skip` by then are not even unpacked."""
        for sample in samples_of(log, reading, skip):
            if isinstance(sample, dict):
                yield sample
            else:
                reading.refuse(Flaw(None, "A sample has to be an object.", "Export the log again."), level=ROWS)


def read_inspect(
    path: Path | str | Sequence[Path | str],
    *,
    report: Report,
    where: Where | None = None,
    releases: Sequence[str] | None = None,
    slices: Sequence[str] | None = None,
) -> InspectSource:
    """A source over one or more logs of the same task, or folders of them.

    Each log is a release, called after its model, or by `releases` in the order of the logs; a second log of the same model is
    `model#2`. `slices` names the keys of the samples' metadata that become slices (all scalar ones without it).
    Where the logs are of several tasks, `where={"task": ...}` chooses one. `InputError` for what is no log.
    """
    return InspectSource(files_of(path, endings=ENDINGS), report=report, where=where, releases=releases, slices=slices)


def _of_one_task(logs: Sequence[InspectLog], where: Where | None) -> list[InspectLog]:
    wanted = where.get("task") if isinstance(where, Mapping) else None
    names = {wanted} if isinstance(wanted, str) else set(wanted or ())
    chosen = [log for log in logs if not names or log.task in names]
    tasks = sorted({log.task for log in chosen or logs})
    if len(tasks) > 1 or not chosen:
        shown = ", ".join(f"'{task}'" for task in tasks)
        what = "No log is of the task asked for." if not chosen else f"The logs are of {len(tasks)} tasks."
        raise InputError(f"{what} There are: {shown}.", fix=f"Choose one: where={{'task': '{tasks[0]}'}}.")
    return chosen


def _key_of(sample: Mapping[str, Json], flaws: list[Flaw]) -> tuple[str, int] | None:
    """`(case id, repeat)`: epochs count from 1, repeats from 0."""
    sample_id = sample.get("id")
    epoch = count_of(sample.get("epoch", 1), "epoch", flaws, most=MAX_REPEAT)
    if isinstance(sample_id, bool) or not isinstance(sample_id, str | int) or sample_id == "":
        flaws.append(Flaw("id", "The sample has no id.", "Export the log again."))
        return None
    if not epoch:
        flaws.append(Flaw("epoch", "It has to be a whole number from 1.", "Export the log again."))
        return None
    return str(sample_id), epoch - 1
