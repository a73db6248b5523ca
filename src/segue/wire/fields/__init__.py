"""Which field of which dialect is carried to the others, refused or dropped: the tables that codecs, docs and tests share."""

from collections.abc import Mapping

from segue.wire.fields.anthropic import ANTHROPIC
from segue.wire.fields.chat import CHAT
from segue.wire.fields.responses import RESPONSES
from segue.wire.fields.table import Field, Fields
from segue.wire.neutral.conversation import Dialect

FIELDS: Mapping[Dialect, Fields] = {one.dialect: one for one in (CHAT, RESPONSES, ANTHROPIC)}

__all__ = ["ANTHROPIC", "CHAT", "FIELDS", "RESPONSES", "Field", "Fields"]
