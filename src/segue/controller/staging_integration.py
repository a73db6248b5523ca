"""The team's own integration command, run on both answers of shadow pairs, the way a contract's command is in an eval.

A command takes a process for each answer, so a bounded number of pairs is looked at: those with the smallest draw, which is an
even sample whatever order they come in.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from pathlib import Path

from segue.controller.staging_gate import IntegrationSeen
from segue.drift.live_pair import LivePair
from segue.model import Case, CommandCheck, Exchange, Reply, Score
from segue.scoring.command import CommandRunner

MOST_PAIRS = 200
MOST_NAMED = 5


class IntegrationSample:
    """Keeps the pairs that the command will see. Give it every pair."""

    def __init__(self, most: int = MOST_PAIRS) -> None:
        self._most = most
        self._held: list[tuple[int, str, Reply | None, Reply | None]] = []

    def add(self, pair: LivePair) -> None:
        """One more. Where the incumbent gave no answer there is nothing to break; a candidate without one breaks."""
        if pair.old.failed or (pair.old.reply is None and pair.new.reply is None):
            return
        draw = -int.from_bytes(blake2b(pair.pair.encode(), digest_size=8).digest(), "big")
        entry = (draw, pair.pair, pair.old.reply, pair.new.reply)
        if len(self._held) < self._most:
            heapq.heappush(self._held, entry)
        elif draw > self._held[0][0]:
            heapq.heapreplace(self._held, entry)

    async def run(self, argv: Sequence[str], folder: Path, environ: Mapping[str, str]) -> IntegrationSeen:
        """Run the command on both answers of each."""
        runner = CommandRunner(CommandCheck(argv=tuple(argv)), folder, environ)
        pairs = sorted(self._held, key=lambda one: one[1])
        # As many at once as the runner's own threads allow: it bounds them itself.
        scores = await asyncio.gather(*(asyncio.gather(_judge(runner, old), _judge(runner, new)) for _, _, old, new in pairs))
        return _summed(argv, [(pair, old, new) for (_, pair, _, _), (old, new) in zip(pairs, scores, strict=True)])


async def _judge(runner: CommandRunner, reply: Reply | None) -> Score | None:
    if reply is None:
        return None
    case = Case(case_id="replayed", messages=())
    exchange = Exchange(behaviour="", case_id="replayed", input_digest="", reply=reply)
    return await runner.judge("integration", case, exchange)


def _summed(argv: Sequence[str], judged: Sequence[tuple[str, Score | None, Score | None]]) -> IntegrationSeen:
    counts = dict.fromkeys(("n_broken", "n_mended", "n_both_broken", "n_unknown"), 0)
    named: list[str] = []
    said, trouble = "", ""
    for pair, old, new in judged:
        values = [None if score is None else score.value for score in (old, new)]
        if None in values:
            counts["n_unknown"] += 1
            unknown = next((one for one in (old, new) if one is not None and one.value is None), None)
            trouble = trouble or ("" if unknown is None else unknown.reason)
        elif values == [1.0, 0.0]:
            counts["n_broken"] += 1
            named.append(pair)
            said = said or ("" if new is None else new.reason)
        elif values == [0.0, 1.0]:
            counts["n_mended"] += 1
        elif values == [0.0, 0.0]:
            counts["n_both_broken"] += 1
    return IntegrationSeen(
        argv=tuple(argv), n_pairs=len(judged), reason=said or trouble, pairs=tuple(named[:MOST_NAMED]), **counts
    )
