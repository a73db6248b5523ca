"""The smallest valid files of each kind, so that a test shows only what matters to it."""

from __future__ import annotations

import gzip
import json
import struct
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import zstandard

from segue.errors import Fault

LLMDRIFT_HEADER = (
    ",Unnamed: 0,model,temperature,max_tokens,trail,dataset,id,query,ref_answer,answer,latency,cost,date,timestamp,"
    "answer_token,latency_per_token"
)
TEMPLATE = "Write of {{topic}}"
AT = "2026-03-01T12:00:00+00:00"


class Faults(list[Fault]):
    """Collects what is reported. `where()` is the short form tests compare."""

    def where(self) -> list[tuple[str, int | None, str | None]]:
        return [(Path(fault.file or "").name, fault.line, fault.path) for fault in self]


def a_case(case_id: str = "a", **fields: Any) -> dict[str, Any]:
    return {"case_id": case_id, "messages": [{"role": "user", "content": f"question {case_id}"}], **fields}


def a_recording(case_id: str = "a", model: str = "old", **fields: Any) -> dict[str, Any]:
    return {"case_id": case_id, "model": model, "snapshot": f"{model}-2026", "params": {}, "output": "answer", **fields}


def a_label(case_id: str = "a", model: str = "old", **fields: Any) -> dict[str, Any]:
    return {"case_id": case_id, "model": model, "labeler": "rule", "label": 1, **fields}


Line = Mapping[str, Any] | str | bytes


def as_lines(rows: Sequence[Line]) -> bytes:
    parts = [row if isinstance(row, bytes) else (row if isinstance(row, str) else json.dumps(row)).encode() for row in rows]
    return b"".join(part + b"\n" for part in parts)


def a_folder(
    path: Path,
    cases: Sequence[Line] | None = None,
    recordings: Sequence[Line] | None = None,
    labels: Sequence[Line] | None = None,
    *,
    packed: bool = False,
) -> Path:
    """A folder in our layout; what is not given is one valid record (labels: no file)."""
    path.mkdir(parents=True, exist_ok=True)
    contents = {
        "cases": [a_case()] if cases is None else cases,
        "recordings": [a_recording()] if recordings is None else recordings,
        "labels": labels,
    }
    for stem, rows in contents.items():
        if rows is not None:
            data = as_lines(rows)
            name = f"{stem}.jsonl.gz" if packed else f"{stem}.jsonl"
            (path / name).write_bytes(gzip.compress(data) if packed else data)
    return path


def a_sample(sample_id: str | int = "s1", epoch: int = 1, answer: str = "42", **fields: Any) -> dict[str, Any]:
    """One sample of an Inspect log, answered in one call."""
    message = {"role": "assistant", "content": answer, "source": "generate", "model": "vendor/model-1"}
    return {
        "id": sample_id,
        "epoch": epoch,
        "input": "six times seven",
        "target": "42",
        "messages": [{"role": "user", "content": "six times seven", "source": "input"}, message],
        "output": {
            "model": "model-1",
            "choices": [{"message": message, "stop_reason": "stop"}],
            "completion": answer,
            "usage": {"input_tokens": 7, "output_tokens": 3, "total_tokens": 10},
            "time": 0.25,
        },
        "scores": {"match": {"value": "C" if answer == "42" else "I", "answer": answer}},
        "metadata": {},
        "model_usage": {"vendor/model-1": {"input_tokens": 7, "output_tokens": 3, "total_tokens": 10}},
        "completed_at": "2026-03-01T10:00:00+00:00",
        "total_time": 0.75,
        "working_time": 0.5,
        **fields,
    }


def a_header(**fields: Any) -> dict[str, Any]:
    """The head of an Inspect log."""
    return {
        "version": 2,
        "status": "success",
        "eval": {
            "task": "sums",
            "model": "vendor/model-1",
            "model_generate_config": {"temperature": 0.3, "max_connections": 8},
            "task_args": {},
            "model_args": {},
        },
        "plan": {"steps": [{"solver": "generate", "params": {}}], "config": {"max_tokens": 77}},
        **fields,
    }


def an_eval_log(
    path: Path,
    samples: Sequence[dict[str, Any] | bytes],
    *,
    header: dict[str, Any] | None = None,
    header_name: str = "header.json",
    zstd: bool = False,
) -> Path:
    """An `.eval` archive as Inspect writes it: deflate before, Zstandard today."""
    members: list[tuple[str, bytes]] = []
    for number, sample in enumerate(samples):
        if isinstance(sample, bytes):
            members.append((f"samples/raw{number}_epoch_1.json", sample))
        else:
            name = f"samples/{sample.get('id')}_epoch_{sample.get('epoch')}.json"
            members.append((name, json.dumps(sample).encode()))
    members.append((header_name, json.dumps(a_header() if header is None else header).encode()))
    if zstd:
        path.write_bytes(zstd_archive(members))
    else:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in members:
                archive.writestr(name, data)
    return path


def zstd_archive(members: Sequence[tuple[str, bytes]]) -> bytes:
    """A zip archive by hand, every member packed with method 93, for Python writes none before 3.14."""
    body, directory = b"", b""
    for name, data in members:
        packed = zstandard.ZstdCompressor().compress(data)
        raw_name = name.encode()
        fields = (63, 0x800, 93, 0, 33, zlib.crc32(data), len(packed), len(data), len(raw_name), 0)
        local = struct.pack("<4sHHHHHIIIHH", b"PK\x03\x04", *fields)
        central = struct.pack("<4sHHHHHHIIIHHHHHII", b"PK\x01\x02", 63, *fields, 0, 0, 0, 0, len(body))
        directory += central + raw_name
        body += local + raw_name + packed
    end = struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, len(members), len(members), len(directory), len(body), 0)
    return body + directory + end


def a_promptfoo_row(topic: str = "cats", prompt: int = 0, **fields: Any) -> dict[str, Any]:
    """One row of a promptfoo result that passed."""
    return {
        "promptIdx": prompt,
        "testIdx": 0,
        "promptId": "0123456789abcdef",
        "provider": {"id": f"openai:chat:model-{prompt}", "label": ""},
        "prompt": {"raw": f"Write of {topic}", "label": "Write of {{topic}}"},
        "vars": {"topic": topic},
        "testCase": {"vars": {"topic": topic}, "assert": [{"type": "contains", "value": "cat"}]},
        "response": {"output": f"All about {topic}", "tokenUsage": {"prompt": 5, "completion": 9, "total": 14}, "cost": 0.002},
        "gradingResult": {"pass": True, "score": 1, "componentResults": [{"pass": True, "score": 1}]},
        "namedScores": {},
        "success": True,
        "score": 1,
        "failureReason": 0,
        "latencyMs": 120,
        "cost": 0.002,
        **fields,
    }


def a_promptfoo_file(
    path: Path, rows: Sequence[dict[str, Any]], *, prompts: int = 2, indent: int | None = 2, **document: Any
) -> Path:
    """A results file with as many providers as `prompts`, all with one prompt."""
    heads = [
        {
            "raw": "Write of {{topic}}",
            "label": "Write of {{topic}}",
            "id": "0123456789abcdef",
            "provider": f"openai:chat:model-{one}",
        }
        for one in range(prompts)
    ]
    results = {"version": 3, "timestamp": "2026-03-01T10:00:00.000Z", "prompts": heads, "results": list(rows), "stats": {}}
    body = {"evalId": "eval-1", "results": results, "config": {"providers": ["openai:chat:model-0"]}, **document}
    path.write_text(json.dumps(body, indent=indent), encoding="utf-8")
    return path
