"""Who has a say in an upgrade, as its plan names them: rules of approval. Who may do what is `segue.upgrade.people`'s."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BeforeValidator, Field

from segue.model.base import Frozen, Json

EVERYONE = "everyone"
EVERY_STEP = "every step"
COMPLETION = "completion"
_STEP = re.compile(r"step ([1-9]\d{0,3})", re.ASCII)


def _read_before(value: Json) -> Json:
    if isinstance(value, str):
        text = " ".join(value.split())
        if text == "soak":
            return EVERYONE
        if text in (EVERYONE, EVERY_STEP, COMPLETION) or _STEP.fullmatch(text):
            return text
    raise ValueError("before is everyone, soak, completion, 'every step', or 'step 2'")


Person = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^\S(.*\S)?$")]
"""A name as the log has it: `SEGUE_AUTHOR`, the login name, or that of an API key."""


class ApprovalRule(Frozen):
    """One of `who` has to say yes `before` the upgrade goes on to there.

    everyone (or soak, which begins with it): before the candidate serves everyone. completion: before the soak is closed.
    """

    name: str = Field(min_length=1)
    who: tuple[Person, ...] = Field(min_length=1)
    before: Annotated[str, BeforeValidator(_read_before)] = EVERYONE

    @property
    def step(self) -> int | None:
        """The step of `step 2`, counted from 0."""
        found = _STEP.fullmatch(self.before)
        return None if found is None else int(found[1]) - 1
