"""`python -m segue.standin`: a stand-in server of its own, until it is told to end. Its first line is its base URL."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from pathlib import Path

from segue.model import Case
from segue.providers.scripted_config import ScriptedConfig
from segue.standin.script import Script
from segue.standin.server import StandIn
from segue.standin.settings import TROUBLE_KINDS, StandInSettings, Trouble


def parse_trouble(text: str) -> Trouble:
    """`kind[:share[:attempts[:retry_after_s]]]`, such as `rate_limit:0.1:1:2`."""
    kind, *rest = text.split(":")
    names = ("share", "attempts", "retry_after_s")
    if kind not in TROUBLE_KINDS or len(rest) > len(names):
        raise argparse.ArgumentTypeError(f"'{text}' is no trouble. Kinds: {', '.join(TROUBLE_KINDS)}.")
    try:
        return Trouble.model_validate({"kind": kind, **dict(zip(names, rest, strict=False))})
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"'{text}' is not kind:share:attempts:retry_after_s, with a share from 0 to 1."
        ) from None


def parse_arguments(arguments: list[str]) -> tuple[StandInSettings, Script | None, str, int]:
    """Settings, script, host and port."""
    parser = argparse.ArgumentParser(prog="python -m segue.standin", description="A local server that speaks a provider's API.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--dialect", choices=("openai", "anthropic"), default="openai")
    parser.add_argument("--latency-ms", type=float, default=0.0)
    parser.add_argument("--ttft-share", type=float, default=0.3)
    parser.add_argument("--text", default=StandInSettings().text, help="what it answers")
    parser.add_argument("--reasoning-tokens", type=int, default=0)
    parser.add_argument("--key", help="refuse calls without this key")
    parser.add_argument("--rate-limit-above", type=int, help="answer 429 to more calls at once")
    parser.add_argument(
        "--trouble", type=parse_trouble, action="append", default=[], metavar="KIND[:SHARE[:ATTEMPTS[:RETRY_AFTER_S]]]"
    )
    parser.add_argument("--script", type=Path, help="JSON of a scripted provider: {type, seed, models, realtime}")
    parser.add_argument("--suite", type=Path, help="JSON Lines of the cases whose references a script answers with")
    parser.add_argument("--root", type=Path, help="where the files of `changed` are looked for")
    found = parser.parse_args(arguments)
    script = None
    if found.script is not None:
        cases = [] if found.suite is None else found.suite.read_bytes().splitlines()
        config = ScriptedConfig.model_validate_json(found.script.read_bytes())
        script = Script(config, [Case.model_validate_json(line) for line in cases if line.strip()], found.root)
    settings = StandInSettings(
        dialect=found.dialect,
        latency_ms=found.latency_ms,
        ttft_share=found.ttft_share,
        text=found.text,
        reasoning_tokens=found.reasoning_tokens,
        key=found.key,
        rate_limit_above=found.rate_limit_above,
        troubles=tuple(found.trouble),
    )
    return settings, script, found.host, found.port


async def serve(settings: StandInSettings, script: Script | None, host: str, port: int) -> None:
    """Serve until SIGINT or SIGTERM."""
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, ended.set)
    async with StandIn(settings, script=script, host=host, port=port) as base_url:
        sys.stdout.write(f"{base_url}\n")
        sys.stdout.flush()
        await ended.wait()


if __name__ == "__main__":
    asyncio.run(serve(*parse_arguments(sys.argv[1:])))
