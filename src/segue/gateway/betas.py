"""The request header `anthropic-beta`, by which a client of Anthropic asks for what its API does not do by itself.

SDKs send it unasked, so without leave (`serving.may_set`) it goes no further, and the answer says so. With leave it goes to
bundles of Anthropic's dialect as it is, and a bundle of another dialect cannot be told the request. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from segue.errors import Fault, InputError
from segue.gateway.applied import BETAS, CODEC_OF, AppliedBundle
from segue.gateway.http import Header
from segue.wire.neutral.refusal import NAMES

NAME = BETAS.encode()
_IGNORED: Sequence[Header] = ((b"segue-ignored", NAME),)


def read_betas(headers: Iterable[Header]) -> bytes | None:
    """What a head asks for, in one line where it says it in several; an empty one asks for nothing."""
    return b",".join(value for name, value in headers if name == NAME and value) or None


def refuse_betas(applied: AppliedBundle) -> None:
    """Raise `InputError` if a bundle cannot be told what the workflow lets its application ask for."""
    if BETAS in applied.may_set and applied.dialect != "anthropic":
        fault = Fault(
            what=f"{NAMES[CODEC_OF[applied.dialect]]} has no such header, and bundle {applied.bundle.short} speaks that.",
            fix="Leave it out, or serve the workflow with a bundle of Anthropic Messages.",
            path=BETAS,
        )
        raise InputError.from_faults([fault], subject="the request")


def with_betas(headers: Sequence[Header], betas: bytes, applied: AppliedBundle) -> Sequence[Header]:
    """The headers of a call, these betas beside those that the provider's entry names; without leave as they are."""
    if BETAS not in applied.may_set:
        return headers
    said = [*(value for name, value in headers if name == NAME), betas]
    each = dict.fromkeys(one.strip() for value in said for one in value.split(b","))
    return [*(header for header in headers if header[0] != NAME), (NAME, b",".join(one for one in each if one))]


def tell_ignored(applied: AppliedBundle) -> Sequence[Header]:
    """What an answer says of the header where it went no further."""
    return () if BETAS in applied.may_set else _IGNORED
