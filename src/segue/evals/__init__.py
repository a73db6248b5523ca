"""Running an eval and comparing its two arms: from bundles, suites and stored exchanges to a report.

`estimate` says what a run will cost; `run` asks the models, safely interruptible; `scoring_pass` scores what is stored;
`compare` walks both arms and judges; `causes` looks for a mechanical reason behind new failures.
"""
