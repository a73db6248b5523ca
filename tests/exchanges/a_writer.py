"""A process that appends for ever, until somebody kills it; how many records it kept stands in a mapped file.

`python a_writer.py FOLDER RUN SEED SAID`: bodies differ in length, and follow from the id, so that a reader can check them.
Saying so takes no system call, so that the death comes in the middle of appending more often than not.
"""

from __future__ import annotations

import mmap
import sys
from pathlib import Path

import numpy as np

from segue.exchanges import BodyNote, ServedExchange, SpoolSettings, SpoolThread


def body_of(exchange_id: str, length: int) -> bytes:
    """What a body of this length is in this exchange."""
    return (exchange_id.encode() * (length // len(exchange_id) + 1))[:length]


def main(folder: Path, run: str, seed: int, said: Path) -> None:
    """Append and tell."""
    lengths = np.random.default_rng(seed).integers(0, 3_000, 1_000).tolist()
    settings = SpoolSettings(folder, "w0", run, segment_bytes=256 * 1024, spare_bytes=0, ahead_bytes=64 * 1024)
    number = 0
    with said.open("r+b") as file, mmap.mmap(file.fileno(), 8) as told, SpoolThread(settings) as spool:
        while True:
            name, length = f"{run}-{number}", lengths[number % len(lengths)]
            note = BodyNote("full", length)
            body = body_of(name, length)
            if spool.append(ServedExchange(name, number, "reply", request=note, response=note), body, body) is not None:
                number += 1
                told[:] = number.to_bytes(8, "little")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), Path(sys.argv[4]))
