"""Images and files by URL: a data URL holds the bytes themselves. Pure text; nothing is fetched or unpacked."""

from __future__ import annotations

import re

from segue.wire.neutral.conversation import Blob, Url

_DATA_URL = re.compile(r"data:([\w.+/-]+);base64,(.*)", re.DOTALL)


def source_from_url(url: str) -> Blob | Url:
    """The bytes of a data URL in base64, else the URL."""
    found = _DATA_URL.fullmatch(url)
    return Url(url) if found is None else Blob(found.group(1), found.group(2))


def source_from_data(data: str) -> Blob:
    """File data as OpenAI takes it: a data URL, or base64 alone, which does not say what it is."""
    found = source_from_url(data)
    return found if isinstance(found, Blob) else Blob("", data)


def data_url(blob: Blob) -> str:
    """The bytes as a data URL; base64 alone where nobody said what it is."""
    return f"data:{blob.media_type};base64,{blob.data}" if blob.media_type else blob.data


def plain_detail(detail: str | None) -> str | None:
    """How closely to look at an image; `auto` is what is done when nobody says."""
    return None if detail == "auto" else detail
