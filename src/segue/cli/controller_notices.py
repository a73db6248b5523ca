"""What a controller does for notices when it begins to act: sends what was left, and names what keeps any from being sent."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from segue.controller.controller import Controller


class Warned(Protocol):
    """Who is told."""

    def warned(self, workflow: str, text: str) -> None:
        """Something that somebody has to see to, though everything goes on."""


@dataclass
class NoticesBegun:
    """Called with the controller whenever it begins to act; says each thing once."""

    telling: Warned
    _said: set[tuple[str, str]] = field(default_factory=set)

    def __call__(self, controller: Controller) -> None:
        """Off the controller's way, but for reading which upgrades are open."""
        from segue.controller.notices import Webhooks
        from segue.controller.reading import read_record
        from segue.errors import TamperError

        notices = controller.world.notices
        if not isinstance(notices, Webhooks):
            return
        notices.begin()
        for record in controller.world.store.list_upgrades(environment=controller.environment, only_open=True):
            # One that cannot be read is told as such, elsewhere.
            with suppress(TamperError):
                for text in notices.unset(read_record(record)):
                    if (record.workflow, text) not in self._said:
                        self._said.add((record.workflow, text))
                        self.telling.warned(record.workflow, text)
