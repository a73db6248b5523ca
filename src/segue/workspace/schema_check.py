"""Whether a JSON Schema is one: known types and well-formed keywords, references that lead somewhere, and nothing remote."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING

from segue.errors import Fault, Severity
from segue.model import Json
from segue.workspace.document import Document, ValuePath, clipped

if TYPE_CHECKING:
    import jsonschema_rs

_NEWEST = "https://json-schema.org/draft/2020-12/schema"


def check_schema(document: Document, path: ValuePath, *, severity: Severity = "error") -> Iterator[Fault]:
    """The faults of the schema at `path` of `document`. Nothing is fetched: a reference to another address is a fault."""
    import jsonschema_rs

    schema = document.at(path)
    found = False
    if isinstance(schema, dict) and schema.get("$schema", _NEWEST) == _NEWEST:
        seen: set[ValuePath] = set()
        for error in _metaschema().iter_errors(schema):
            at = (*path, *error.instance_path)
            if at in seen:
                continue
            seen.add(at)
            found = True
            yield document.fault(at, *_explain(at, document.at(at)), severity=severity)
    if found:
        return
    try:
        jsonschema_rs.validator_for(schema, retriever=_refuse)
    except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError, RecursionError) as error:
        at = (*path, *getattr(error, "instance_path", ()))
        reason = str(getattr(error, "message", error))
        yield document.fault(at, *_explain_reference(reason, at, document.at(at)), severity=severity)


@cache
def _metaschema() -> jsonschema_rs.Validator:
    import jsonschema_rs

    return jsonschema_rs.validator_for({"$ref": _NEWEST})


def _refuse(_: str) -> Json:
    raise ValueError("remote")


_TYPES = "string, number, integer, boolean, object, array, null"


def _explain(at: ValuePath, written: Json) -> tuple[str, str]:
    key = clipped(str(at[-1])) if at else "the schema"
    if key == "type":
        shown = f"'{clipped(written)}'" if isinstance(written, str) else "This"
        return f"{shown} is not a type of JSON Schema.", f"Write one of {_TYPES}, or a list of them."
    if key == "required":
        return "'required' is not a list of property names.", 'Write "required": ["name", …] beside "properties".'
    return f"'{key}' is not what JSON Schema (2020-12) takes there.", "Compare it with the keyword's definition."


def _explain_reference(reason: str, at: ValuePath, written: Json) -> tuple[str, str]:
    if "retrieving it failed" in reason:
        return "The schema refers to another address.", "Copy what it refers to under $defs, and refer to #/$defs/NAME."
    if "does not exist" in reason:
        return "A $ref of the schema leads nowhere.", "Define what it names under $defs, or correct the reference."
    if "regex" in reason:
        return "The pattern is not a regular expression.", "Escape brackets and backslashes that are meant literally."
    if "meta-schema" in reason:
        return "'$schema' names no known draft of JSON Schema.", f"Write {_NEWEST}, or leave '$schema' out."
    return _explain(at, written)
