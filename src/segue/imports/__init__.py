"""Imports: results a team already has, as cases, exchanges and labels that can be gated today.

`read_layout`, `read_table`, `read_promptfoo` and `read_inspect` give an `ImportSource` each; `ingest` stores one, `write_suite`
writes its cases into a workspace.
"""

from segue.imports.base import (
    Count,
    Counts,
    ImportedCase,
    ImportedExchange,
    ImportedLabel,
    ImportSource,
    Place,
    Release,
    Report,
)
from segue.imports.ingest import ingest
from segue.imports.inspect_log import read_inspect
from segue.imports.layout import read_layout
from segue.imports.promptfoo import read_promptfoo
from segue.imports.release_labels import label_for, labels_for
from segue.imports.selection import Where
from segue.imports.suite_file import write_suite
from segue.imports.summary import ImportProgress, ImportSummary, ReleaseSummary
from segue.imports.table import read_table
from segue.imports.table_mapping import ReleaseColumns, TableMapping
from segue.imports.table_presets import PRESETS

__all__ = [
    "PRESETS",
    "Count",
    "Counts",
    "ImportProgress",
    "ImportSource",
    "ImportSummary",
    "ImportedCase",
    "ImportedExchange",
    "ImportedLabel",
    "Place",
    "Release",
    "ReleaseColumns",
    "ReleaseSummary",
    "Report",
    "TableMapping",
    "Where",
    "ingest",
    "label_for",
    "labels_for",
    "read_inspect",
    "read_layout",
    "read_promptfoo",
    "read_table",
    "write_suite",
]
