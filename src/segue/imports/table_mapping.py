"""Which columns of a table mean what. Read from YAML or JSON like any other setting, or taken from a preset."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from segue.imports.values import MAX_REPEAT
from segue.model import Frozen

Names = str | tuple[str, ...]


class ReleaseColumns(Frozen):
    """The columns of one release in a wide table: one row per case, several releases beside each other."""

    output: str
    error: str | None = None
    latency: str | None = None
    ttft: str | None = None
    cost: str | None = None
    input_tokens: str | None = None
    output_tokens: str | None = None
    reasoning_tokens: str | None = None
    labels: dict[str, str] = Field(default_factory=dict)

    def columns(self) -> dict[str, str]:
        """Setting → column."""
        fields = ("output", "error", "latency", "ttft", "cost", "input_tokens", "output_tokens", "reasoning_tokens")
        named = {field: name for field in fields if (name := getattr(self, field)) is not None}
        return {**named, **{f"labels.{labeler}": name for labeler, name in self.labels.items()}}


class TableMapping(Frozen):
    """Columns by meaning. A long table has one row per answer and names the release in `release`, or is one release per file.

    A wide table has `wide` instead of `release` and `output`: release → columns. `case_id` may join several columns with a
    hyphen; without it, ids are made of a digest of the input. `slices`, `variables`, `params`, `metadata`: name → column, or a
    list of columns named alike. `required` names the settings whose column must be there (all of them where it is `None`);
    the others may be absent.
    """

    case_id: Names | None = None
    input: str | None = None
    system: str | None = None
    reference: str | None = None
    task: str | None = None
    kind: str | None = None
    cluster: str | None = None
    slices: dict[str, str] | tuple[str, ...] = ()
    variables: dict[str, str] | tuple[str, ...] = ()
    metadata: dict[str, str] | tuple[str, ...] = ()

    release: str | None = None
    release_prefix: str = ""
    snapshot: str | None = None
    params: dict[str, str] | tuple[str, ...] = ()
    repeat: str | None = None
    at: str | None = None
    output: str | None = None
    error: str | None = None
    latency: str | None = None
    ttft: str | None = None
    cost: str | None = None
    input_tokens: str | None = None
    output_tokens: str | None = None
    reasoning_tokens: str | None = None
    labels: dict[str, str] = Field(default_factory=dict)
    wide: dict[str, ReleaseColumns | str] = Field(default_factory=dict)

    latency_unit: Literal["s", "ms"] = "s"
    cost_unit: Literal["usd", "cent", "microusd"] = "usd"
    clashing_ids: Literal["fault", "number"] = "fault"
    delimiter: str | None = Field(default=None, min_length=1, max_length=1)
    encoding: Literal["utf-8", "latin-1", "cp1252"] = "utf-8"
    required: tuple[str, ...] | None = None
    most_repeats: int = Field(default=MAX_REPEAT, ge=1, le=MAX_REPEAT)

    @model_validator(mode="after")
    def _is_long_or_wide(self) -> TableMapping:
        if bool(self.wide) == (self.output is not None):
            raise ValueError("name either output (one row per answer) or wide (one column per release)")
        if self.wide and (self.release or self.labels or self.error):
            raise ValueError("a wide table has its release, labels and error under wide")
        if self.input is None and not self.variables:
            raise ValueError("name the column of the input, or the columns of the variables")
        return self

    def arms(self) -> dict[str | None, ReleaseColumns]:
        """Release → columns; a long table has one entry under `None`."""
        if self.wide:
            return {name: ReleaseColumns(output=one) if isinstance(one, str) else one for name, one in self.wide.items()}
        assert self.output is not None, "checked when the mapping was made"
        return {
            None: ReleaseColumns(
                output=self.output,
                error=self.error,
                latency=self.latency,
                ttft=self.ttft,
                cost=self.cost,
                input_tokens=self.input_tokens,
                output_tokens=self.output_tokens,
                reasoning_tokens=self.reasoning_tokens,
                labels=self.labels,
            )
        }

    def shared_columns(self) -> dict[str, str]:
        """Setting → column, for all that is not of one arm."""
        found: dict[str, str] = {}
        for field in ("input", "system", "reference", "task", "kind", "cluster", "release", "snapshot", "repeat", "at"):
            if (name := getattr(self, field)) is not None:
                found[field] = name
        found.update({f"case_id.{name}": name for name in self.id_columns()})
        for field in ("slices", "variables", "metadata", "params"):
            found.update({f"{field}.{name}": column for name, column in named(getattr(self, field)).items()})
        return found

    def case_columns(self) -> tuple[str, ...]:
        """The columns a case is made of; metadata may differ from row to row."""
        fields = (self.input, self.system, self.reference, self.task, self.kind, self.cluster)
        lists = (self.slices, self.variables)
        several = [column for columns in lists for column in named(columns).values()]
        return (*self.id_columns(), *(one for one in fields if one is not None), *several)

    def id_columns(self) -> tuple[str, ...]:
        """The columns a case id is made of."""
        if self.case_id is None:
            return ()
        return (self.case_id,) if isinstance(self.case_id, str) else self.case_id

    def is_required(self, setting: str) -> bool:
        """Whether the column of `setting` (or of `labels.x`, by its first word) must be there."""
        return self.required is None or setting in self.required or setting.partition(".")[0] in self.required


def named(columns: dict[str, str] | tuple[str, ...]) -> dict[str, str]:
    """Name → column; a plain list names each after its column."""
    return columns if isinstance(columns, dict) else {name: name for name in columns}
