"""Evidence that stays valid under continuous looking: the statistics of shadow, canary and soak.

`cells` holds what is counted, `maturity` counts it; `null` and `betting` are the question and the bet, `process` the capital;
`paired` is shadow's form, `detector` the soak's; `ratio_test` guards assignment and labels; `combination` joins many cells;
`sequences` gives intervals for screens, `series` plots, `wald` what would settle a question; `grid` is all cells of an upgrade
at once, and `judgement` makes one value, `Evidence`, of each.
"""
