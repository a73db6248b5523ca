"""The regex scorer: the answer matches a pattern, or what a group of it extracts equals the reference.

Why no pattern can hang a run stands in `segue.scoring.pattern`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

from pydantic import Field, model_validator

from segue.model import Case, Exchange, Score, ScorerSpec
from segue.scoring.answer import final_text
from segue.scoring.pattern import compile_pattern
from segue.scoring.pure import PureScorer
from segue.scoring.reference import NO_REFERENCE, ReferenceSettings, accepted_texts, reference_of
from segue.scoring.settings import SettingError


class RegexSettings(ReferenceSettings):
    """Settings of `regex`."""

    pattern: str = Field(min_length=1)
    """The pattern, in Python's syntax. It is searched for anywhere in the answer; anchor it with `^` and `$`."""
    expect: Literal["match", "no_match", "reference"] = "match"
    """What is right: a match, none, or that what was extracted equals the reference."""
    group: int | str = 0
    """For `reference`: number or name of the group to extract; 0 is the whole match."""
    which: Literal["first", "last"] = "first"
    """For `reference`: which match to extract from."""
    ignore_case: bool = False
    """Whether upper and lower case are the same, in the match and in the comparison."""
    multi_line: bool = False
    """Whether `^` and `$` stand for the beginning and end of each line."""
    dot_all: bool = False
    """Whether `.` stands for line breaks too."""
    max_characters: int = Field(default=20_000, ge=1, le=200_000)
    """A longer answer is not tried, and is unscored."""

    @model_validator(mode="after")
    def _compiles(self) -> RegexSettings:
        try:
            compiled = self.compiled()
        except ValueError as error:
            raise SettingError("pattern", str(error)) from error
        known = {*range(compiled.groups + 1), *compiled.groupindex}
        if self.group not in known:
            raise SettingError("group", f"group {self.group!r} is not among the pattern's groups: {', '.join(map(str, known))}")
        return self

    def compiled(self) -> re.Pattern[str]:
        """The compiled pattern. Raises `ValueError`."""
        return compile_pattern(self.pattern, ignore_case=self.ignore_case, multi_line=self.multi_line, dot_all=self.dot_all)


class RegexScorer(PureScorer[RegexSettings]):
    """1 where the pattern matches, does not match, or extracts the reference."""

    type = "regex"
    version = "1"
    settings_model = RegexSettings

    def __init__(self, spec: ScorerSpec, settings: RegexSettings) -> None:
        super().__init__(spec, settings)
        self._pattern = settings.compiled()

    def score(self, case: Case, exchange: Exchange) -> Sequence[Score]:
        settings = self.settings
        text = final_text(exchange)
        if len(text) > settings.max_characters:
            return self.unscored(f"the answer is longer than max_characters ({settings.max_characters})")
        if settings.expect != "reference":
            return self.passed((self._pattern.search(text) is not None) == (settings.expect == "match"))
        accepted = accepted_texts(reference_of(case, settings))
        if not accepted:
            return self.unscored(NO_REFERENCE)
        extracted = extract(self._pattern, text, settings.group, settings.which)
        if extracted is None:
            return self.passed(False, reason="the pattern extracts nothing")
        if settings.ignore_case:
            return self.passed(extracted.strip().casefold() in {one.strip().casefold() for one in accepted})
        return self.passed(extracted.strip() in {one.strip() for one in accepted})


def extract(pattern: re.Pattern[str], text: str, group: int | str, which: str) -> str | None:
    """What `group` of the first or last match holds; `None` without a match, or where the group took no part in it."""
    found = pattern.search(text)
    if found is not None and which == "last":
        for found in pattern.finditer(text):  # noqa: B007  the last one is what stays
            pass
    return None if found is None else found.group(group)
