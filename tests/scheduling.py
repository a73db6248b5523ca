"""Which tests go to the same worker: those that share something dear to make. All others go to whichever worker is free.

A table, and no `xdist_group` marks: with pytest 9.2 pytest-xdist 3.8 takes no notice of those
(https://github.com/pytest-dev/pytest-xdist/issues/1386).
"""

from __future__ import annotations

from xdist.scheduler import LoadScopeScheduling

TOGETHER = {
    "tests/recorded/test_expected_numbers.py": "recorded",
    "tests/recorded/test_seven_statements.py": "recorded",
    "tests/docs/test_readme.py::test_the_picture_of_real_output_is_real": "recorded",
    "tests/recorded/test_replay.py": "replay",
    "tests/examples/test_demo.py": "demo",
    "tests/gateway/clients/test_client_errors.py": "clients",
    "tests/gateway/clients/test_javascript.py": "clients",
    "tests/gateway/clients/test_langchain.py": "clients",
    "tests/gateway/clients/test_llm_comply.py": "clients",
    "tests/gateway/clients/test_python_sdks.py": "clients",
    "tests/gateway/clients/test_five_minutes.py": "five minutes",
}
"""Beginnings of the tests' names, and what they share: the imported recordings with their comparisons, the demo's first run, a
gateway with its stand-ins."""


class TogetherScheduling(LoadScopeScheduling):
    """Longest groups first, then the tests in their order."""

    def _split_scope(self, nodeid: str) -> str:
        return next((group for beginning, group in TOGETHER.items() if nodeid.startswith(beginning)), nodeid)
