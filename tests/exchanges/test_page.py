"""What docs/exchange-log.md says is what the package does."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

import xxhash

from segue.exchanges.columns import EXCHANGES, OUTCOMES, VERSION, VERSION_KEY
from segue.exchanges.frame import EXCHANGE, HEAD_SIZE, MAGIC, OUTCOME, write_frame
from segue.exchanges.frame import VERSION as FRAME_VERSION
from segue.exchanges.segment import MAGIC as SEGMENT_MAGIC
from segue.exchanges.segment import START
from segue.exchanges.spool import SpoolSettings

PAGE = Path(__file__).parent.parent.parent / "docs" / "exchange-log.md"
TEXT = PAGE.read_text(encoding="utf-8")


def test_the_examples_of_the_page_run() -> None:
    """All its Python blocks, one after another, print what they are said to print."""
    test = doctest.DocTestParser().get_doctest(
        "\n".join(re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)), {}, "page", "", 0
    )
    assert len(test.examples) > 15
    failures: list[str] = []
    doctest.DocTestRunner(verbose=False).run(test, out=failures.append)
    assert not failures, "".join(failures)


def test_the_tables_list_every_column_in_order() -> None:
    """With its type."""
    first, second = TEXT.split("### `exchanges`")[1].split("### `outcomes`")
    for text, schema in ((first, EXCHANGES), (second, OUTCOMES)):
        assert re.findall(r"^\| `(\w+)` \| ([^|]+) \|", text, re.MULTILINE) == [(one.name, str(one.type)) for one in schema]


def test_the_layout_of_frames_is_as_told() -> None:
    """Byte for byte, for a reader in another language."""
    buffer = bytearray(64)
    write_frame(buffer, 0, OUTCOME, b"head", b"ask", b"say")
    kind, version = (int.from_bytes(buffer[at : at + 2], "little") for at in (8, 10))
    lengths = [int.from_bytes(buffer[at : at + 4], "little") for at in (12, 16, 20)]
    assert (bytes(buffer[:4]), kind, version, lengths) == (b"SgF1", 2, 2, [4, 3, 3])
    assert bytes(buffer[24:36]) == b"headasksay\0\0"
    assert buffer[4:8] == (xxhash.xxh3_64_intdigest(bytes(buffer[8:34])) & 0xFFFFFFFF).to_bytes(4, "little")
    for words in (
        f"`{MAGIC.decode()}`",
        f"`{SEGMENT_MAGIC.decode()}`",
        f"kind: {EXCHANGE} exchange, {OUTCOME} outcome",
        f"version, now {FRAME_VERSION}",
        f"| {HEAD_SIZE} | | head",
        f"| {START} | | the first frame",
        f"(`{VERSION_KEY.decode()}`, now {VERSION})",
        f"`largest_body` ({SpoolSettings.largest_body >> 20} MiB)",
    ):
        assert words in TEXT, words
