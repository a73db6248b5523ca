"""Checking a value against a JSON Schema, compiled once; what is wrong is told without the value's content."""

from __future__ import annotations

from segue.model import Json


class SchemaCheck:
    """A compiled JSON Schema. Nothing is fetched: a reference to another document is a fault of the schema."""

    def __init__(self, schema: Json) -> None:
        """Raises `ValueError` with a sentence where `schema` is no valid JSON Schema."""
        from segue.scoring.contract_clauses import compile_schema  # only scorers with a schema pay for loading it

        try:
            self._validator = compile_schema(schema)
        except (ValueError, TypeError, RecursionError) as error:
            what = str(getattr(error, "message", error)).splitlines() or [type(error).__name__]
            raise ValueError(f"this is no valid JSON Schema: {what[0][:200]}") from error

    def fault(self, value: Json) -> str:
        """The first thing wrong with `value`, by its place and the rule it breaks; empty if nothing is."""
        try:
            for error in self._validator.iter_errors(value):
                place = ".".join(str(step) for step in error.instance_path) or "the whole answer"
                rule = next((str(step) for step in reversed(error.schema_path) if isinstance(step, str)), "schema")
                return f"the answer's JSON breaks the schema at {place} ({rule})"
        except (ValueError, RecursionError):
            return "the answer's JSON cannot be checked against the schema"
        return ""
