"""What every self-contained page is made with: templates, the texts put into them, and the policy that allows just these."""

from __future__ import annotations

import base64
import hashlib
from functools import lru_cache
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined


@lru_cache(maxsize=1)
def environment() -> Environment:
    """Where templates come from; a name that a template does not get is an error."""
    return Environment(
        loader=PackageLoader("segue.papers", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def asset(name: str) -> str:
    """The text of a file beside the templates."""
    return files("segue.papers").joinpath("templates", name).read_text(encoding="utf-8").strip()


def policy_digest(text: str) -> str:
    """The source expression that allows exactly this inline text."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
