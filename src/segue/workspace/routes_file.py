"""`routes.yaml`: routes as a team keeps them in git, to be put in force by `segue route apply`.

Bundles are labels or digests here, and shares may be written as `5%`. What is in force is the store's: this is what it should
be. Whether the one may take the place of the other is not for this module to say.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from segue.model import Frozen
from segue.model.route import ConversationRule, Share
from segue.workspace.shape import parse
from segue.workspace.text_file import YAML_LIMIT, Root, read_text
from segue.workspace.yaml_file import read_yaml

FILE = "routes.yaml"


def _as_share(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return float(value.strip().removesuffix("%")) / 100.0 if value.strip().endswith("%") else value
    except ValueError:
        return value


WrittenShare = Annotated[Share, BeforeValidator(_as_share)]
Ref = Annotated[str, Field(min_length=1, max_length=200)]


class WrittenRule(Frozen):
    """A segment, as in a route."""

    segment: str = Field(min_length=1)
    share: WrittenShare
    where: dict[str, tuple[str, ...]] = Field(default_factory=dict)


class WrittenShadow(Frozen):
    """A shadow, as in a route."""

    share: WrittenShare = 1.0
    max_in_flight: int = Field(default=64, ge=1)
    per_second: float | None = Field(default=None, gt=0)
    usd_per_day: float | None = Field(default=None, gt=0)


class WrittenRoute(Frozen):
    """A route, as in `segue.model.route`; bundles are labels or digests."""

    incumbent: Ref
    candidate: Ref | None = None
    share: WrittenShare = 0.0
    segments: tuple[WrittenRule, ...] = ()
    salt: str = ""
    shadow: WrittenShadow | None = None
    fallback: Ref | None = None
    conversations: ConversationRule = "switch"


class RoutesFile(Frozen):
    """The routes of one environment, by workflow. A workflow that is not in it is left as it is."""

    version: Literal[1]
    environment: str = Field(default="production", pattern=r"^[a-z][a-z0-9-]*$")
    routes: dict[str, WrittenRoute]


def read_routes(root: Path, path: Path) -> RoutesFile:
    """Raises `InputError` with every fault of the file and its line."""
    here = Root(root)
    text = read_text(here, path, limit=YAML_LIMIT)
    shown = here.shown(path)
    found = read_yaml(text.unwrap(shown), shown)
    document = found.value
    if document is None or found.faults:
        found.unwrap(shown)
    assert document is not None, "no document has a fault"
    return parse(RoutesFile, document).unwrap(shown)


def write_routes(file: RoutesFile) -> str:
    """As YAML, without what is the default; shares in per cent."""
    import io

    from ruamel.yaml import YAML

    body = file.model_dump(mode="json", exclude_defaults=True)
    for route in body["routes"].values():
        for part in (route, *route.get("segments", ()), *([route["shadow"]] if "shadow" in route else ())):
            if "share" in part:
                part["share"] = f"{100 * part['share']:.10g}%"
    stream = io.StringIO()
    yaml = YAML()
    yaml.default_flow_style = False
    yaml.dump(body, stream)
    return stream.getvalue()
