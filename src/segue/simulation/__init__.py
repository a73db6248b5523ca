"""A plan tried out before it is used: simulated outcomes through the shipped evidence, many runs side by side. Pure.

`setting` is what a plan means, `scenario` what may be wrong with a candidate, `trouble` with the comparison itself; `traffic`
and `outcomes` are what is drawn; `shadow`, `canary` (with its `guards`) and `soak` are the stages, `chunk` a seeded piece of
work; `result` are the figures, `blindness` what each step can see, `wording` the sentences.
"""

from segue.simulation.chunk import CHUNK, Runs, Simulator, Work, join, share_out
from segue.simulation.result import ScenarioResult, Simulation, conclude, summarise
from segue.simulation.scenario import Scenario, ScenarioError, default_scenarios, late_remark, read_scenario
from segue.simulation.setting import Facts, Gap, Setting, fill_plan, find_gaps, settle, watched_slices
from segue.simulation.traffic import Traffic, block_hours
from segue.simulation.trouble_text import default_troubles, read_trouble

__all__ = [
    "CHUNK",
    "Facts",
    "Gap",
    "Runs",
    "Scenario",
    "ScenarioError",
    "ScenarioResult",
    "Setting",
    "Simulation",
    "Simulator",
    "Traffic",
    "Work",
    "block_hours",
    "conclude",
    "default_scenarios",
    "default_troubles",
    "fill_plan",
    "find_gaps",
    "join",
    "late_remark",
    "read_scenario",
    "read_trouble",
    "settle",
    "share_out",
    "summarise",
    "watched_slices",
]
