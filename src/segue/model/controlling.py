"""What is declared of the controller: which keys its HTTP API takes, what each allows, and in whose name it may act."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from segue.model.base import Frozen
from segue.model.plan_people import Person

ControllerPermission = Literal["read", "operate", "tickets"]


class ControllerKey(Frozen):
    """One key of the API. `operate` opens upgrades and acts on them; `tickets` tells how many support tickets there were.

    No `people` is everybody: whoever has the key may act in anyone's name. No `workflows` is all of them.
    """

    name: str = Field(min_length=1, max_length=100)
    hash: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    permissions: tuple[ControllerPermission, ...] = ("read",)
    people: tuple[Person, ...] = ()
    workflows: tuple[str, ...] = ()

    def may(self, permission: ControllerPermission, workflow: str | None = None) -> bool:
        """Whether it allows this, of this workflow where one is named."""
        here = workflow is None or not self.workflows or workflow in self.workflows
        return permission in self.permissions and here

    def speaks_for(self, person: str) -> bool:
        """Whether it may act in this name."""
        return not self.people or person in self.people


class ControllerSettings(Frozen):
    """The controller of a workspace. Keys are rotated by having two of them for a while."""

    keys: tuple[ControllerKey, ...] = ()
