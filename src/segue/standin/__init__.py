"""Stand-ins for hosted models: a local server that speaks the published APIs, answers from a script, makes trouble if told.

Demos, benchmarks and tests put it in the place of a provider. Start it with `python -m segue.standin`, or in a test with
`async with StandIn(...) as base_url`. It is validated against the official SDKs (`tests/wire`).
"""

from segue.standin.script import Script
from segue.standin.server import StandIn
from segue.standin.settings import StandInSettings, Trouble

__all__ = ["Script", "StandIn", "StandInSettings", "Trouble"]
