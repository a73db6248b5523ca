"""Measurements of Segue beside its alternatives and beside itself at another size. `python -m benchmarks --help`.

Every figure is a ratio within one run: machines differ and are seldom idle. Nothing here asserts a time; tests do not either.
"""
