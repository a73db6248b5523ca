"""The label scorer: reads a class out of the answer; right where it is the reference's.

Per-class precision and recall and the confusion matrix are worked out of its labels by `segue.scoring.classes`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import partial
from typing import Literal

from pydantic import Field, model_validator

from segue.model import Case, Exchange, Score, ScorerSpec
from segue.scoring.answer import final_text
from segue.scoring.json_output import Find, read_json
from segue.scoring.label_rules import Which, read_choice, read_first_line, read_survey, read_yes_no
from segue.scoring.pattern import compile_pattern
from segue.scoring.pure import PureScorer
from segue.scoring.reference import NO_REFERENCE, ReferenceSettings, accepted_texts, follow_path, reference_of, scalar_text
from segue.scoring.regex import extract as extract_group
from segue.scoring.settings import SettingError, Word

Read = Callable[[str], str | None]


class LabelSettings(ReferenceSettings):
    """Settings of `label`."""

    extract: Literal["first_line", "choice", "yes_no_bracket", "survey_answered", "json_field", "regex"] = "first_line"
    """How the class is read out of the answer."""
    labels: tuple[Word, ...] = ()
    """The classes there are. Where set, anything else that is read counts as no class."""
    map: dict[Word, Word] = Field(default_factory=dict)
    """What is read → the class it stands for, such as `{positive: pos}`."""
    expect: Word | None = None
    """The class that is right for every case, whatever its reference. For `survey_answered` it is `answered`."""
    field: str | None = None
    """For `json_field`: dotted path of the class in the answer's JSON."""
    find: Find = "whole"
    """For `json_field`: where the JSON may stand."""
    pattern: str | None = None
    """For `regex`: the pattern; without groups the whole match is the class."""
    group: int | str | None = None
    """For `regex`: number or name of the group that is the class; the first group, if there is one."""
    which: Which = "first"
    """For `choice` and `regex`: which match counts."""
    ignore_case: bool = True
    """Whether upper and lower case are the same in classes and patterns."""
    max_characters: int = Field(default=20_000, ge=1, le=200_000)
    """For `regex`: a longer answer is not tried, and is unscored."""

    @model_validator(mode="after")
    def _rule_has_what_it_needs(self) -> LabelSettings:
        for rule, key, value in (("json_field", "field", self.field), ("regex", "pattern", self.pattern)):
            if self.extract == rule and not value:
                raise SettingError(key, f"extract: {rule} needs {key}")
            if self.extract != rule and value is not None:
                raise SettingError(key, f"{key} is only for extract: {rule}")
        if self.pattern is not None:
            try:
                compiled = compile_pattern(self.pattern, ignore_case=self.ignore_case)
            except ValueError as error:
                raise SettingError("pattern", str(error)) from error
            if self.group is not None and self.group not in {*range(compiled.groups + 1), *compiled.groupindex}:
                raise SettingError("group", f"group {self.group!r} is not among the pattern's groups")
        return self


class LabelScorer(PureScorer[LabelSettings]):
    """1 where the class read is the reference's. `Score.label` is the class; `None`, and 0, where none could be read."""

    type = "label"
    version = "1"
    settings_model = LabelSettings

    def __init__(self, spec: ScorerSpec, settings: LabelSettings) -> None:
        super().__init__(spec, settings)
        self._read = _reader(settings)
        self._classes = {self._key(label): label for label in settings.labels}
        self._map = {self._key(raw): label for raw, label in settings.map.items()}
        self._expect = settings.expect
        if settings.expect is None and settings.extract == "survey_answered":
            self._expect = "answered"

    def score(self, case: Case, exchange: Exchange) -> Sequence[Score]:
        wanted = (self._expect,) if self._expect is not None else accepted_texts(reference_of(case, self.settings))
        if not wanted:
            return self.unscored(NO_REFERENCE)
        text = final_text(exchange)
        if self.settings.extract == "regex" and len(text) > self.settings.max_characters:
            return self.unscored(f"the answer is longer than max_characters ({self.settings.max_characters})")
        read = self._read(text)
        if read is None:
            return self.passed(False, reason="no class could be read")
        label = self._map.get(self._key(read), read)
        if self._classes:
            known = self._classes.get(self._key(label))
            if known is None:
                return self.passed(False, reason="what was read is not among the classes")
            label = known
        key = self._key(label)
        for one in wanted:
            if key == self._key(one):
                return self.passed(True, label=one)
        return self.passed(False, label=label)

    def _key(self, label: str) -> str:
        label = label.strip()
        return label.casefold() if self.settings.ignore_case else label


def _reader(settings: LabelSettings) -> Read:
    match settings.extract:
        case "yes_no_bracket":
            return read_yes_no
        case "survey_answered":
            return read_survey
        case "choice":
            return partial(read_choice, which=settings.which)
        case "json_field":
            return partial(_read_field, field=settings.field or "", find=settings.find)
        case "regex":
            compiled = compile_pattern(settings.pattern or "", ignore_case=settings.ignore_case)
            group = settings.group if settings.group is not None else min(compiled.groups, 1)
            return partial(_read_group, compiled=compiled, group=group, which=settings.which)
        case "first_line":
            return read_first_line


def _read_field(text: str, *, field: str, find: Find) -> str | None:
    value, _ = read_json(text, find)
    return scalar_text(follow_path(value, field))


def _read_group(text: str, *, compiled: re.Pattern[str], group: int | str, which: Which) -> str | None:
    return extract_group(compiled, text, group, which)
