"""The command line. Parses, calls, prints; what things mean is decided elsewhere.

Exit codes (`docs/cli.md`): 0 pass or done, 10 caution, 11 hold, 12 fail, 1 could not do it, 2 wrong usage, 130 interrupted.
Modules are imported by the command that needs them, so that `segue --help` starts fast.
"""

from segue.cli.app import main

__all__ = ["main"]
