"""Asking a judge model: its settings, its identity, one question and one reformulation, and the difference between not
understood, refused and not reachable.

A judge that cannot be understood leaves its score open; it never fails an output. What is asked is in
`segue.scoring.judge_prompts`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from pydantic import Field, model_validator

from segue.errors import Fault, InputError
from segue.model import Case, Json, Message, Parameters, Reply, Score, ScorerSpec, digest_of
from segue.model.exchange import ScoreStatus
from segue.model.request import ModelOutcome, ModelRequest, Provider
from segue.scoring.base import ScorerIdentity
from segue.scoring.context import ScoringContext
from segue.scoring.judge_prompts import (
    PROMPT_VERSION,
    Asked,
    Scale,
    Verdict,
    ask_judge,
    read_verdict,
    render_case,
    render_reply,
)
from segue.scoring.settings import Settings, read_settings

KEY_SHOWN = 16
"""Digits of a question's key that a score's detail keeps."""
MOST_WHY = 1_000
"""Characters of a judge's reason that are kept."""


class JudgeSettings(Settings):
    """Settings that the pointwise and the pairwise judge share."""

    provider: str = Field(min_length=1)
    """Entry of `segue.yaml` that is asked."""
    snapshot: str = Field(min_length=1)
    """The judge model, pinned: a dated snapshot, no floating alias."""
    rubric: str | None = Field(default=None, min_length=1)
    """What to judge by, as text."""
    rubric_file: str | None = Field(default=None, min_length=1)
    """The same in a file of the workflow's folder. Exactly one of the two is given."""
    parameters: Parameters = Parameters()
    """Sampling parameters of the judge. What is left out is not sent."""
    show_reference: bool = False
    """Whether the judge sees the case's reference."""
    max_chars: int = Field(default=60_000, ge=100, le=2_000_000)
    """Above this many characters of input, reference and answer the case is unscored: a judge that saw a part judges a part."""

    @model_validator(mode="after")
    def _one_rubric(self) -> JudgeSettings:
        if (self.rubric is None) == (self.rubric_file is None):
            raise ValueError("give either rubric or rubric_file")
        return self


S = TypeVar("S", bound=JudgeSettings)


@dataclass(frozen=True, slots=True)
class Silence:
    """No verdict, and why: `unscored` where the judge did not give one, `error` where it could not be asked."""

    status: ScoreStatus
    reason: str


@dataclass(frozen=True, slots=True)
class Answered:
    """What a judge gave back, and what it cost. `cost_microusd` and tokens are `None` where a call did not say.

    `asked` names each question by the beginning of its key, with its cost: an answer that served twice is paid once.
    """

    verdict: Verdict | Silence
    calls: int
    cost_microusd: float | None
    input_tokens: int | None
    output_tokens: int | None
    asked: Mapping[str, float | None] = field(default_factory=dict)

    def spending(self) -> dict[str, Json]:
        """Calls, cost and tokens, for a score's detail."""
        return {
            "calls": self.calls,
            "cost_microusd": self.cost_microusd,
            "input_tokens": self.input_tokens,
            "output_tokens": self.output_tokens,
            "asked": dict(self.asked),
        }


@dataclass(frozen=True)
class Judge:
    """A judge model with its rubric and scale, ready to be asked."""

    identity: ScorerIdentity
    provider: Provider
    settings: JudgeSettings
    rubric: str
    scale: Scale

    async def ask(self, case: Case, replies: Sequence[Reply]) -> Answered:
        """Ask about one reply, or two in the order A, B. Asks once more, reformulated, if the answer cannot be read.

        Never raises for what the judge or its provider does.
        """
        reference = self.settings.show_reference
        size = len(render_case(case)) + sum(len(render_reply(reply)) for reply in replies)
        if reference and case.reference is not None:
            size += len(str(case.reference))
        if size > self.settings.max_chars:
            why = f"The material has {size} characters; the judge is shown up to {self.settings.max_chars} (max_chars)."
            return Answered(Silence("unscored", why), 0, 0.0, 0, 0)
        outcomes: list[tuple[str, ModelOutcome]] = []
        silence = Silence("unscored", "The judge was not asked.")
        for again in (False, True):
            asked = ask_judge(self.rubric, self.scale, case, replies, reference=reference, again=again)
            request = self._request(asked, case)
            outcome = await self.provider.ask(request)
            outcomes.append((request.idempotency_key[:KEY_SHOWN], outcome))
            if outcome.failure is not None:
                silence = Silence("error", f"The judge could not be asked ({outcome.failure.kind}).")
                break
            assert outcome.reply is not None
            verdict = read_verdict(outcome.reply.text, self.scale)
            if verdict is not None and outcome.reply.refusal is None:
                return _answered(verdict, outcomes)
            silence = Silence("unscored", _why_unread(outcome.reply))
        return _answered(silence, outcomes)

    def _request(self, asked: Asked, case: Case) -> ModelRequest:
        return ModelRequest(
            snapshot=self.settings.snapshot,
            messages=(Message(role="user", content=asked.question),),
            system=asked.system,
            parameters=self.settings.parameters,
            tools=(),
            idempotency_key=digest_of([self.identity.digest, asked.system, asked.question]),
            case_id=case.case_id,
            response_schema=asked.schema,
        )


def read_judge(model: type[S], spec: ScorerSpec, context: ScoringContext) -> tuple[S, str, Provider]:
    """Settings, rubric and provider of a declared judge. Raises `InputError` with all faults."""
    settings, faults = read_settings(model, spec)
    rubric, provider = "", None
    if settings is not None:
        rubric, more = _read_rubric(settings, context)
        faults = [*faults, *more]
        providers = context.providers or {}
        provider = providers.get(settings.provider)
        if provider is None:
            known = ", ".join(sorted(providers)) or "none"
            what = f"The judge's provider '{settings.provider}' is not available here."
            faults.append(Fault(what, f"Name a provider of segue.yaml; there are: {known}.", path="provider"))
    if settings is None or provider is None or faults:
        raise InputError.from_faults(faults, subject=f"the scorer '{spec.name}'")
    return settings, rubric, provider


def identify_judge(spec: ScorerSpec, settings: JudgeSettings, rubric: str) -> ScorerIdentity:
    """Everything that can change a verdict: model, parameters, the rubric's text wherever it stands, the prompts' version."""
    body = settings.model_dump(mode="json", exclude={"rubric", "rubric_file", "parameters"})
    body["parameters"] = settings.parameters.model_dump(mode="json", exclude_defaults=True)
    return ScorerIdentity(
        name=spec.name,
        type=spec.type,
        version="1",
        settings={**body, "rubric": digest_of(rubric), "prompt": PROMPT_VERSION},
    )


def score_of(name: str, silence: Silence, detail: Json) -> Score:
    """A score that stays open."""
    return Score(name, None, None, silence.status, silence.reason, detail)


def _read_rubric(settings: JudgeSettings, context: ScoringContext) -> tuple[str, list[Fault]]:
    if settings.rubric is not None:
        text = settings.rubric.strip()
        return text, [] if text else [Fault("The rubric is empty.", "Say what a good answer is.", path="rubric")]
    assert settings.rubric_file is not None
    if context.workflow_dir is None:
        return "", [
            Fault("There is no workflow folder to read the rubric from.", "Give the rubric as text.", path="rubric_file")
        ]
    folder = context.workflow_dir.resolve()
    file = (folder / settings.rubric_file).resolve()
    if not file.is_relative_to(folder):
        return "", [Fault("The rubric lies outside the workflow's folder.", "Move it into the folder.", path="rubric_file")]
    return _read_text(file, settings.rubric_file)


def _read_text(file: Path, shown: str) -> tuple[str, list[Fault]]:
    try:
        # Line ends and blanks around differ between editors; the digest of a rubric must not.
        text = file.read_text(encoding="utf-8").replace("\r\n", "\n").strip()
    except (OSError, UnicodeDecodeError) as error:
        return "", [
            Fault(f"The rubric cannot be read ({type(error).__name__}).", "Check the path.", file=shown, path="rubric_file")
        ]
    if not text:
        return "", [Fault("The rubric is empty.", "Say what a good answer is.", file=shown, path="rubric_file")]
    return text, []


def _why_unread(reply: Reply) -> str:
    if reply.refusal is not None or reply.finish_reason in ("refusal", "content_filter"):
        return "The judge refused to judge, also when asked again."
    if reply.finish_reason == "length":
        return "The judge's answer was cut off before its verdict. Raise parameters.max_output_tokens."
    return "The judge's answer was not the JSON verdict asked for, also when asked again."


def _answered(verdict: Verdict | Silence, outcomes: Sequence[tuple[str, ModelOutcome]]) -> Answered:
    costs = [outcome.cost_microusd for _, outcome in outcomes]
    read = [outcome.usage.input_tokens for _, outcome in outcomes]
    written = [outcome.usage.output_tokens for _, outcome in outcomes]
    return Answered(
        verdict=Verdict(verdict.value, verdict.why[:MOST_WHY]) if isinstance(verdict, Verdict) else verdict,
        calls=len(outcomes),
        cost_microusd=None if None in costs else sum(cost for cost in costs if cost is not None),
        input_tokens=None if None in read else sum(count for count in read if count is not None),
        output_tokens=None if None in written else sum(count for count in written if count is not None),
        asked={key: outcome.cost_microusd for key, outcome in outcomes},
    )
