"""Papers: what people read, rendered from values that were worked out elsewhere.

Terminal, HTML and Markdown say the same sentences about the same `segue.gates.report.Report`. Nothing here judges or
estimates; what a paper adds is order, words for numbers, and geometry. Each renderer is imported from its own module, so
that a command which prints nothing pays for none: `terminal`, `html`, `markdown`.
"""
