"""Opens Inspect logs of both forms: what the head says of the run, and the samples one after the other."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from pathlib import Path

import orjson

from segue.errors import InputError
from segue.imports.json_walk import JsonWalkError, walk_json
from segue.imports.lines import DAMAGE, open_bytes
from segue.imports.reading_pass import ROWS, Flaw, ReadingPass
from segue.imports.zip_members import DamagedMemberError, ZipMembers
from segue.model import Json

VERSION = 2
"""The newest version of the log format that was tried."""

_HEADS = ("header.json", "_journal/start.json")
_SAMPLE = re.compile(r"samples/(.*)_epoch_[0-9]+\.json", re.DOTALL)
_SAMPLES = ("samples", "*")
_JSON_HEAD = tuple((key,) for key in ("version", "status", "eval", "plan"))
_RUN_SETTINGS = frozenset(
    {
        "adaptive_connections",
        "attempt_timeout",
        "batch",
        "cache",
        "fail_on_refusal",
        "max_connections",
        "max_retries",
        "stream_idle_timeout",
        "timeout",
    }
)


@dataclass(frozen=True)
class InspectLog:
    """The head of one log. `params` holds what shapes the answers: the generation settings, the solvers and their arguments."""

    path: Path
    status: str
    task: str
    model: str
    release: str
    snapshot: str
    params: Mapping[str, Json]


def open_logs(paths: Sequence[Path], releases: Sequence[str] | None) -> list[InspectLog]:
    """The heads of all logs. A release is called after the model, or by `releases`. `InputError` for a file that is no log."""
    if releases is not None and len(releases) != len(paths):
        raise InputError(f"{len(releases)} releases are named for {len(paths)} logs.", fix="Name one release per log.")
    logs = [_log_of(path, _head_of(path)) for path in paths]
    return [replace(log, release=name) for log, name in zip(logs, releases, strict=True)] if releases else logs


def with_own_names(logs: Sequence[InspectLog]) -> list[InspectLog]:
    """The logs with releases that differ: a second one of a name is `name#2`."""
    used: dict[str, int] = {}
    named = []
    for log in logs:
        times = used[log.release] = used.get(log.release, 0) + 1
        named.append(log if times == 1 else replace(log, release=f"{log.release}#{times}"))
    return named


def samples_of(log: InspectLog, reading: ReadingPass, skip: Set[str]) -> Iterator[Json]:
    """The samples of a log, moved to on the pass; one that cannot be read is refused there."""
    return _json_samples(log.path, reading) if _is_json(log.path) else _zip_samples(log.path, reading, skip)


def sample_key(member: str | None) -> str | None:
    """The part of a member's name that all epochs of a sample share."""
    found = _SAMPLE.fullmatch(member) if member else None
    return found.group(1) if found else None


def _zip_samples(path: Path, reading: ReadingPass, skip: Set[str]) -> Iterator[Json]:
    with ZipMembers(path) as archive:
        names = [name for name in archive.names if _SAMPLE.fullmatch(name)]
        for number, name in enumerate(names, start=1):
            if skip and sample_key(name) in skip:
                continue
            reading.move(str(path), None, part=name, mark=number)
            try:
                yield parse_json(archive.read(name))
            except DamagedMemberError as error:
                reading.refuse(Flaw(None, error.what, error.fix), level=ROWS)
            except ValueError:
                reading.refuse(Flaw(None, "It is no JSON.", "Export the log again."), level=ROWS)


def _json_samples(path: Path, reading: ReadingPass) -> Iterator[Json]:
    with open_bytes(path) as stream:
        try:
            for found in walk_json(stream, (_SAMPLES,)):
                reading.move(str(path), found.line)
                try:
                    yield parse_json(found.raw)
                except ValueError:
                    reading.refuse(Flaw(None, "The sample is no JSON.", "Export the log again."), level=ROWS)
        except JsonWalkError as error:
            reading.move(str(path), error.line)
            reading.tell([Flaw(None, error.what, error.fix)], level=ROWS)
        except DAMAGE as error:
            reading.move(str(path), (reading.line or 0) + 1)
            what = f"The file is damaged from here on ({type(error).__name__})."
            reading.tell([Flaw(None, what, "Copy it again.")], level=ROWS)


def parse_json(raw: bytes) -> Json:
    """JSON as Inspect writes it: a score may be `NaN`, which JSON does not have; it is read as unknown.

    `ValueError` for what is no JSON even so.
    """
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError:
        if b"NaN" not in raw and b"Infinity" not in raw:
            raise
    try:
        value = json.loads(raw, parse_constant=lambda _: None)
        orjson.dumps(value)
    except (TypeError, RecursionError) as error:
        raise ValueError("no JSON") from error
    return value


def _head_of(path: Path) -> dict[str, Json]:
    head = _json_head(path) if _is_json(path) else _zip_head(path)
    if not isinstance(head.get("eval"), dict) or not isinstance(head["eval"].get("model"), str):
        raise InputError(f"{path} is not an Inspect log: it names no model.", fix="Name the .eval or .json file of a run.")
    version = head.get("version")
    if isinstance(version, int) and version > VERSION:
        raise InputError(
            f"{path} is of log version {version}; up to {VERSION} is read.", fix="Convert it with `inspect log convert`."
        )
    return head


def _zip_head(path: Path) -> dict[str, Json]:
    """The header, or what was written at the start where the run never came to write one."""
    with ZipMembers(path) as archive:
        for name in _HEADS:
            if name in archive.names:
                try:
                    head = parse_json(archive.read(name))
                except ValueError as error:
                    raise InputError(f"{name} of {path} is no JSON.", fix="Export the log again.") from error
                except DamagedMemberError as error:
                    raise InputError(f"{name} of {path} cannot be read.", fix=error.fix) from error
                return head if isinstance(head, dict) else {}
    raise InputError(f"{path} is not an Inspect log: it has no header.", fix="Name the .eval file of a run.")


def _json_head(path: Path) -> dict[str, Json]:
    head: dict[str, Json] = {}
    with open_bytes(path) as stream:
        try:
            for found in walk_json(stream, _JSON_HEAD):
                head[found.path[0]] = parse_json(found.raw)
                if len(head) == len(_JSON_HEAD):
                    break
        except (JsonWalkError, ValueError, *DAMAGE):
            return head
    return head


def _log_of(path: Path, head: Mapping[str, Json]) -> InspectLog:
    run = head["eval"]
    plan = head.get("plan") if isinstance(head.get("plan"), dict) else {}
    assert isinstance(plan, dict)
    params: dict[str, Json] = {}
    for settings in (run.get("model_generate_config"), plan.get("config")):
        if isinstance(settings, dict):
            params.update({key: value for key, value in settings.items() if value is not None and key not in _RUN_SETTINGS})
    steps = [
        {"solver": step.get("solver"), "params": step.get("params") or {}}
        for step in plan.get("steps") or ()
        if isinstance(step, dict)
    ]
    model_args = run.get("model_args")
    plain_args = {
        key: value
        for key, value in (model_args.items() if isinstance(model_args, dict) else ())
        if isinstance(value, str | int | float)
    }
    for key, value in (("solvers", steps), ("task_args", run.get("task_args")), ("model_args", plain_args)):
        if value:
            params[key] = value
    model = run["model"]
    status = head.get("status")
    return InspectLog(
        path=path,
        status=status if isinstance(status, str) else "started",
        task=str(run.get("task") or "default").rpartition("/")[2] or "default",
        model=model,
        release=model,
        snapshot=model.partition("/")[2] or model,
        params=params,
    )


def _is_json(path: Path) -> bool:
    return path.name.removesuffix(".gz").endswith(".json")
