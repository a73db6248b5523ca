"""A process that ships, and kills itself at the moment it is told: `python a_shipper.py SPOOL ARCHIVE MOMENT`."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from segue.exchanges.shipper import Shipper, ShipSettings


def main(spool: Path, archive: Path, moment: int) -> None:
    """Ship and tidy until the moment comes, or nothing is left."""
    left = moment

    def reached(_: str) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    settings = ShipSettings(batch_bytes=4_000_000, fan_in=2, grace_ns=0)
    shipper = Shipper(spool, archive, clock=lambda: 1_767_268_800_000_000_000, settings=settings, reached=reached)
    going = True
    while going:
        going = shipper.step().has_more
    shipper.tidy()
    shipper.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
