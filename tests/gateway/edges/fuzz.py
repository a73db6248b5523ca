"""Inputs mutated from a corpus, and what must hold of each: `python -m tests.gateway.edges.fuzz --edge sse --inputs 1000000`.

`sse` is the reader of server-sent events, `stream` and `answer` what an upstream sends, `request` what a client does. An input
that fails is written beside the corpus, to be kept there once its cause is known. The name of a file says its edge and its
dialect; between which dialects it goes is tried out anew each time.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import sys
import time
from pathlib import Path

from segue.wire.neutral.conversation import Dialect
from tests.gateway.edges.checks import BUNDLES, CLIENTS, check_answer, check_request, check_sse, check_stream
from tests.gateway.edges.mutation import mutate_bytes, mutate_json, mutate_stream, pieces

CORPUS = Path(__file__).parent / "corpus"
EDGES = ("sse", "stream", "answer", "request")
_MUTATE = {"sse": mutate_bytes, "stream": mutate_stream, "answer": mutate_json, "request": mutate_json}


def corpus(edge: str) -> dict[str, bytes]:
    """The inputs kept for one edge, by the names of their files. Streams are server-sent events, too."""
    kinds = ("sse", "stream") if edge == "sse" else (edge,)
    return {path.name: path.read_bytes() for kind in kinds for path in sorted(CORPUS.glob(f"{kind}-*"))}


def dialect_of(name: str) -> Dialect | None:
    """The dialect that an input is in; none where it is in no dialect, or in one that no bundle speaks."""
    return next((one for one in CLIENTS if one.split("_")[1] in name.split("-")), None)


def check(edge: str, name: str, data: bytes, parts: list[bytes], rng: random.Random) -> int:
    """All that must hold of one input, the other dialect drawn at random. Gives what was accepted of it."""
    if edge == "sse":
        return check_sse(data, parts)
    found = dialect_of(name)
    own: Dialect = rng.choice(list(CLIENTS)) if found is None else found
    if edge == "request":
        return check_request(data, own, rng.choice(list(BUNDLES)))
    if own not in BUNDLES:
        own = rng.choice(list(BUNDLES))
    client = rng.choice(list(CLIENTS))
    if edge == "stream":
        return check_stream(data, parts, client, own)
    return check_answer(data, client, own, rng.choice((200, 200, 200, 200, 400, 500, 529)))


def run(edge: str, inputs: int, seed: int) -> dict[str, float]:
    """So many inputs of one edge; the first that fails is kept and raised."""
    rng = random.Random(seed)
    kept = corpus(edge)
    names, others = list(kept), list(kept.values())
    accepted = 0
    began = time.process_time()
    for number in range(inputs):
        if number and number % 50_000 == 0:
            print(f"{edge}: {number} inputs, {accepted} accepted, {time.process_time() - began:.0f} s of CPU", file=sys.stderr)
        name = rng.choice(names)
        data = kept[name]
        for _ in range(rng.choice((0, 1, 1, 1, 2))):
            data = _MUTATE[edge](data, others, rng)
        parts = pieces(data, rng)
        state = rng.getstate()
        try:
            accepted += check(edge, name, data, parts, rng)
        except BaseException:
            rng.setstate(state)
            failing = name.split("-")[1]
            path = CORPUS / f"{edge}-{failing}-failing-{hashlib.sha256(data).hexdigest()[:12]}"
            path.write_bytes(data)
            print(f"{path}: {data!r}\nin pieces {parts!r}", file=sys.stderr)
            raise
    return {"inputs": inputs, "accepted": accepted, "cpu_s": time.process_time() - began}


def main() -> None:
    """From the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--edge", choices=EDGES, required=True)
    parser.add_argument("--inputs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    print(run(given.edge, given.inputs, given.seed))


if __name__ == "__main__":
    main()
