"""`segue.yaml`: where the state is kept, which providers there are, and prices that differ from the list.

Secrets are references: `api_key_env` names an environment variable, and `${NAME}` in `state` is read from the environment.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Literal

from pydantic import Field

from segue.errors import Fault, InputError
from segue.model import Frozen, Json
from segue.model.controlling import ControllerSettings
from segue.model.serving import GatewaySettings
from segue.providers.pricing import ModelPrice
from segue.store.address import parse_address
from segue.workspace.document import Document, Reading
from segue.workspace.secrets import REFERENCE, find_secrets
from segue.workspace.shape import parse
from segue.workspace.text_file import YAML_LIMIT, Root, read_text
from segue.workspace.yaml_file import read_yaml

FILE = "segue.yaml"
DEFAULT_STATE = ".segue/state.db"


class WorkspaceConfig(Frozen):
    """The content of `segue.yaml`. `state` is a path from its folder, or a database URL.

    `providers` are entries as they are written; `segue.providers.config.parse_provider` reads them. `prices` are by model.
    """

    version: Literal[1]
    state: str = Field(default=DEFAULT_STATE, min_length=1)
    providers: dict[str, dict[str, Json]] = Field(default_factory=dict)
    prices: dict[str, ModelPrice] = Field(default_factory=dict)
    gateway: GatewaySettings = GatewaySettings()
    controller: ControllerSettings = ControllerSettings()


def read_config(root: Root) -> tuple[Reading[WorkspaceConfig], Document | None]:
    """`segue.yaml` with all its faults, secrets among them, and the document the places of later faults come from."""
    path = root.path / FILE
    text = read_text(root, path, limit=YAML_LIMIT)
    if text.value is None:
        return Reading(None, text.faults), None
    document = read_yaml(text.value, FILE)
    if document.value is None:
        return Reading(None, document.faults), None
    shaped = parse(WorkspaceConfig, document.value)
    secrets = tuple(find_secrets(document.value, by_name=True))
    return Reading(shaped.value, (*document.faults, *shaped.faults, *secrets)), document.value


def expand(text: str, environ: Mapping[str, str]) -> str | None:
    """`text` with every `${NAME}` replaced from `environ`; `None` if one of them is unset or empty."""
    names = [match[2:-1] for match in REFERENCE.findall(text)]
    if any(not environ.get(name) for name in names):
        return None
    return REFERENCE.sub(lambda match: environ[match.group()[2:-1]], text)


def unset_references(text: str, environ: Mapping[str, str]) -> Iterator[str]:
    """The names in `text` that `environ` has no value for."""
    for match in REFERENCE.findall(text):
        if not environ.get(match[2:-1]):
            yield match[2:-1]


def check_state(config: WorkspaceConfig, document: Document, environ: Mapping[str, str]) -> Iterator[Fault]:
    """Faults of `state`: references without a value, and `$NAME` where `${NAME}` is meant."""
    for name in unset_references(config.state, environ):
        fix = f"Set it (`export {name}=…`), or write `state: {DEFAULT_STATE}`."
        yield document.fault(("state",), f"The environment variable {name} is not set.", fix)
    expanded = expand(config.state, environ)
    if re.search(r"\$(?!\{[A-Za-z_][A-Za-z0-9_]*\})", config.state):
        yield document.fault(("state",), "'$' stands without ${NAME}.", "Write references to the environment as ${NAME}.")
    elif expanded is not None:
        try:
            parse_address(expanded)
        except InputError as error:
            yield document.fault(("state",), error.what, error.fix)
