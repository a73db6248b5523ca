"""The frozen base of everything that is parsed once at the edge."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any, Self

from pydantic import BaseModel, ConfigDict

Json = Any
"""A JSON value. Typed as `Any`: mypy cannot follow a recursive alias through pydantic."""


class Frozen(BaseModel):
    """A value: unknown keys are faults, nothing changes after parsing.

    NaN and infinities stay what they are when a value is written as JSON, so that its digest is refused and not that of null.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", populate_by_name=True, protected_namespaces=(), ser_json_inf_nan="constants"
    )

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """A changed copy. What the original had worked out (its digest) is left behind: it is not the copy's."""
        copied = super().model_copy(update=update, deep=deep)
        for kind in type(copied).__mro__:
            for name, attribute in vars(kind).items():
                if isinstance(attribute, cached_property):
                    copied.__dict__.pop(name, None)
        return copied
