"""The words of Segue as frozen values. Pure: no clock, no randomness, no files, no network."""

from segue.model.base import Frozen, Json
from segue.model.bundle import PARTS, Bundle, ModelRef, Parameters, Prompt
from segue.model.case import Case, CaseKind, Suite, suite_digest
from segue.model.contract import CommandCheck, Contract, CountRule
from segue.model.conversation import ImagePart, Message, TextPart, ToolCall, ToolSpec
from segue.model.digest import canonical_json, digest_of, short_id
from segue.model.exchange import Exchange, Failure, RecordedLabel, Reply, Score, TokenLogprob, Usage
from segue.model.workflow import Budgets, GateSettings, JudgeCalibrationSpec, Metric, ScorerSpec, SliceSpec, Workflow

__all__ = [
    "PARTS",
    "Budgets",
    "Bundle",
    "Case",
    "CaseKind",
    "CommandCheck",
    "Contract",
    "CountRule",
    "Exchange",
    "Failure",
    "Frozen",
    "GateSettings",
    "ImagePart",
    "Json",
    "JudgeCalibrationSpec",
    "Message",
    "Metric",
    "ModelRef",
    "Parameters",
    "Prompt",
    "RecordedLabel",
    "Reply",
    "Score",
    "ScorerSpec",
    "SliceSpec",
    "Suite",
    "TextPart",
    "TokenLogprob",
    "ToolCall",
    "ToolSpec",
    "Usage",
    "Workflow",
    "canonical_json",
    "digest_of",
    "short_id",
    "suite_digest",
]
