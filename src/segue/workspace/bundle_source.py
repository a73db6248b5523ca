"""Makes a `Bundle` of its source: the YAML of one bundle and the files it names.

A source has the fields of `segue.model.Bundle` without `workflow`, which the folder says. Files are put in their place first
and the whole is then parsed as a bundle once, so a fault in `tools.json` is found like one in the YAML, and shown where it is.
What only others know, the digests of suite and fallback, comes from functions that are passed in.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from segue.errors import Fault, InputError, SegueError
from segue.model import Bundle
from segue.workspace.document import Document, ValuePath
from segue.workspace.json_file import read_json
from segue.workspace.shape import parse
from segue.workspace.text_file import YAML_LIMIT, Root, read_text
from segue.workspace.yaml_file import read_yaml

TEXT_SUFFIXES = (".md", ".txt", ".prompt", ".j2", ".jinja")
"""A prompt of one line that ends in one of these is the name of a file."""

Lookup = Callable[[str], str]
"""A name → a digest. Raises `SegueError` where there is none; its faults are shown at the place of the name."""


@dataclass(slots=True)
class BundleReading:
    """The bundle if it could be made, every fault, and what later faults need: the document, and the files prompts came from.

    `used` are all files the source names, `names` what it calls its suite and its fallback.
    """

    bundle: Bundle | None = None
    document: Document | None = None
    faults: list[Fault] = field(default_factory=list)
    prompt_files: dict[str, str] = field(default_factory=dict)
    used: set[Path] = field(default_factory=set)
    names: dict[str, str] = field(default_factory=dict)


def read_bundle_source(
    root: Root, folder: Path, path: Path, *, workflow: str, default_suite: str | None, suite: Lookup, fallback: Lookup
) -> BundleReading:
    """Read the bundle source at `path`; the files it names are relative to the workflow's `folder`.

    `default_suite` is taken where the source has no `suite`.
    """
    reading = BundleReading()
    text = read_text(root, path, limit=YAML_LIMIT)
    reading.faults += text.faults
    if text.value is None:
        return reading
    document = read_yaml(text.value, root.shown(path))
    reading.faults += document.faults
    if document.value is None:
        return reading
    source = _Source(root, folder, document.value, reading)
    if isinstance(document.value.value, dict):
        source.refuse_workflow()
        source.take_prompts()
        source.take_json(("tools",))
        source.take_contract()
        source.take_digest("suite", suite, default=default_suite)
        source.take_digest("fallback", fallback, default=None)
        source.add_workflow(workflow)
    shaped = parse(Bundle, source.document, given=("workflow",))
    reading.document = source.document
    reading.faults += shaped.faults
    if shaped.value is not None and not any(fault.severity == "error" for fault in reading.faults):
        reading.bundle = _digestible(shaped.value, source.document, reading)
    return reading


def _digestible(bundle: Bundle, document: Document, reading: BundleReading) -> Bundle | None:
    try:
        _ = bundle.digest
    except InputError as error:
        reading.faults.append(document.fault((), error.what, error.fix))
        return None
    return bundle


@dataclass(slots=True)
class _Source:
    """A source on its way to a bundle: `document` is replaced as files take their places in it."""

    root: Root
    folder: Path
    document: Document
    reading: BundleReading

    def refuse_workflow(self) -> None:
        if self.document.at(("workflow",)) is not None:
            what = "'workflow' is not a key of a bundle source: the folder says which workflow it is."
            self.reading.faults.append(self.document.fault(("workflow",), what, "Delete the line."))
            self.document = self.document.without(("workflow",))

    def add_workflow(self, workflow: str) -> None:
        self.document = self.document.grafted(("workflow",), workflow, {})

    def take_prompts(self) -> None:
        for name in ("system", "template"):
            path: ValuePath = ("prompt", name)
            written = self.document.at(path)
            if not isinstance(written, str):
                continue
            if is_prompt_file(written):
                text = self._read(path, written)
                if text is None:
                    self._drop(path)
                    continue
                self.reading.prompt_files[name] = self.root.shown(self.folder / written.strip())
                written = text
                if not text.strip():
                    what = "The prompt file is empty."
                    self._warn(path, what, "Write the prompt into it, or delete the key.")
            self.document = self.document.grafted(path, written.removesuffix("\n"), {})

    def take_contract(self) -> None:
        written = self.document.at(("contract",))
        if isinstance(written, str):
            self.document = self.document.grafted(("contract",), {"json_schema": written}, {})
            self.take_json(("contract", "json_schema"), named_at=("contract",))
        else:
            self.take_json(("contract", "json_schema"))

    def take_json(self, path: ValuePath, *, named_at: ValuePath | None = None) -> None:
        """Put the content of the JSON file that is named at `path` there."""
        named_at = named_at or path
        written = self.document.at(path)
        if not isinstance(written, str):
            return
        content: Document | None = None
        if not written.strip().endswith(".json"):
            fix = "Name a .json file, by its path from the workflow's folder, or write the content here."
            self.reading.faults.append(self.document.fault(named_at, "This is neither a JSON file nor its content.", fix))
        else:
            text = self._read(named_at, written.strip())
            if text is not None:
                file = self.root.shown(self.folder / written.strip())
                parsed = read_json(text, file)
                self.reading.faults += parsed.faults
                content = parsed.value if not parsed.faults else None
        if content is None:
            self._drop(path)
            return
        self.document = self.document.grafted(path, content.value, content.places)

    def take_digest(self, name: str, lookup: Lookup, *, default: str | None) -> None:
        """Replace a name by the digest that `lookup` gives for it."""
        written = self.document.at((name,))
        if written is None and default is not None:
            written = default
        if not isinstance(written, str) or not written:
            return
        self.reading.names[name] = written
        try:
            digest = lookup(written)
        except SegueError as error:
            self._explain(name, error)
            if self.document.at((name,)) is not None:
                self._drop((name,))
        else:
            self.document = self.document.grafted((name,), digest, {})

    def _explain(self, name: str, error: SegueError) -> None:
        for fault in error.faults:
            if fault.file is not None:
                self.reading.faults.append(fault)
            else:
                fix = fault.fix or error.fix or "Correct the name."
                self.reading.faults.append(
                    self.document.fault((name,), fault.what, fix, likely=fault.likely, severity=fault.severity)
                )

    def _warn(self, path: ValuePath, what: str, fix: str) -> None:
        self.reading.faults.append(self.document.fault(path, what, fix, severity="warning"))

    def _drop(self, path: ValuePath) -> None:
        self.document = self.document.without(path)

    def _read(self, path: ValuePath, name: str) -> str | None:
        """The text of the file named at `path`; faults about the name are shown there, those about the content in the file."""
        found = self.root.find(self.folder, name)
        faults = list(found.faults)
        text: str | None = None
        if found.value is not None:
            self.reading.used.add(found.value.resolve())
            read = read_text(self.root, found.value)
            text = read.value
            faults += read.faults
        for fault in faults:
            if fault.line is None:
                place = self.document.place(path)
                missing = f"{fault.file}: {fault.what}" if fault.file else fault.what
                at = self.document.fault(path, missing, fault.fix, likely=fault.likely)
                self.reading.faults.append(at if place.line is not None else fault)
            else:
                self.reading.faults.append(fault)
        return text


def is_prompt_file(written: str) -> bool:
    """Whether a prompt is written as the name of a file: one line, without spaces, that ends like one."""
    line = written.strip()
    return bool(line) and not any(char.isspace() for char in line) and line.endswith(TEXT_SUFFIXES)
