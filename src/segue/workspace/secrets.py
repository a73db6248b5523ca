"""Finds keys and passwords written where only references to the environment belong. Pure; never repeats what it found."""

from __future__ import annotations

import re
from collections.abc import Iterator

from segue.errors import Fault
from segue.model import Json
from segue.workspace.document import Document, ValuePath

REFERENCE = re.compile(r"\$\{[A-Za-z_][A-Za-z0-9_]*\}")

_KEY_SHAPES = re.compile(
    r"""(?x)
    \b sk-[A-Za-z0-9_-]{8,}                     # OpenAI, Anthropic (sk-ant-), OpenRouter (sk-or-)
    | \b (?:gsk|xai|pplx|hf|r8|fw|nvapi|lsv2|pk-lf|sk-lf)[_-][A-Za-z0-9_-]{16,}
    | \b AIza[A-Za-z0-9_-]{30,}                 # Google
    | \b (?:AKIA|ASIA)[A-Z0-9]{16}              # AWS
    | \b gh[pousr]_[A-Za-z0-9]{20,} | \b github_pat_[A-Za-z0-9_]{20,}
    | \b eyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}   # a JSON web token
    | (?i: \b bearer \s+ [A-Za-z0-9._~+/-]{16,} )
    | -----BEGIN\ [A-Z\ ]*PRIVATE\ KEY-----
    """
)
_SECRET_NAMES = re.compile(
    r"(?i)^(?:x[-_])?(?:.*[-_])?(?:api[-_]?key|apikey|auth[-_]?token|access[-_]?token|token|secret|password|passwd|authorization|secret[-_]?key|private[-_]?key)$"
)
_URL_PASSWORD = re.compile(r"://[^/\s:@]*:(?P<password>[^/\s@]+)@")


def has_key_shape(text: str) -> bool:
    """Whether `text` holds something of the form of a provider's key, a token or a private key."""
    return _KEY_SHAPES.search(text) is not None


def find_secrets(document: Document, *, by_name: bool) -> Iterator[Fault]:
    """A fault for each text that looks like a secret; `by_name` also goes by keys such as `api_key` and `password`."""
    yield from _walk(document, document.value, (), by_name)


def _walk(document: Document, value: Json, path: ValuePath, by_name: bool) -> Iterator[Fault]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _walk(document, inner, (*path, key), by_name)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _walk(document, inner, (*path, index), by_name)
    elif isinstance(value, str):
        yield from _look_at(document, value, path, by_name)


def _look_at(document: Document, text: str, path: ValuePath, by_name: bool) -> Iterator[Fault]:
    name = next((step for step in reversed(path) if isinstance(step, str)), "")
    literal = REFERENCE.sub("", text).strip()
    password = _URL_PASSWORD.search(text)
    if password is not None and not REFERENCE.fullmatch(password["password"]):
        what, fix = (
            "A password is written into an address.",
            "Write ${NAME} in its place, set NAME in the environment, and change the password.",
        )
    elif has_key_shape(text) or (by_name and _SECRET_NAMES.match(name) and literal):
        what = "A secret is written into the file; whoever reads the repository has it."
        fix = "Delete it, revoke it, and name an environment variable instead: `api_key_env: MY_PROVIDER_KEY`."
    else:
        return
    yield document.fault(path, what, fix)
