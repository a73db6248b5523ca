"""Running an eval and comparing its two arms: from bundles, suites and stored exchanges to a report.

`session` puts the stages in order: `preparing` resolves what was asked for, `forecast` says what it may cost, `asking` leads
the run (`plan`, `run`), `judging` lets judges and commands score (`scoring_pass`, `pair_pass`, `judge_calls`), `compare` walks
both arms and judges, `insights` looks behind the numbers.
"""
