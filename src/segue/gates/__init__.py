"""Gates: from what was measured on two arms to a verdict with its evidence. Pure.

`tally` gathers a stream of paired cases into sufficient statistics; `findings` judges one metric on one slice;
`operations` sets latency and cost side by side; `decision` combines all of it by one table; `report` is the value that the
terminal, the HTML page, Markdown and JSON all render.
"""
