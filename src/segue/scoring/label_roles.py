"""Who stands behind recorded labels: people, a judge model, or a rule. Pure.

A judge's word gates nothing until it was held against people's (`docs/judges.md`), so it has to be known as a judge's. What a
workflow declares counts; without it, the labeler's name tells, by convention. Knows nothing of how labels are stored.
"""

from __future__ import annotations

import re
from typing import Literal, get_args

LabelRole = Literal["human", "judge", "rule"]
ROLES: tuple[LabelRole, ...] = get_args(LabelRole)

_MODEL_GRADED = re.compile(r"inspect:model_graded_\w+(/.*)?")
"""Inspect's own scorers that ask a model (`model_graded_qa`, `model_graded_fact`)."""


def role_of(labeler: str, declared: object = None) -> LabelRole | None:
    """The declared role; else what stands before the colon (`judge:gpt-4`), or is the whole name. `None` is unknown."""
    named = declared if declared is not None else labeler.partition(":")[0]
    for role in ROLES:
        if named == role:
            return role
    return "judge" if _MODEL_GRADED.fullmatch(labeler) else None
