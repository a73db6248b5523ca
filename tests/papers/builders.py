"""Reports to render: built by the real gates from synthetic pairs, so that every figure in them is a real figure.

`a_support_report` is the product's main story, `a_pass_report` its quiet one; the others are awkward on purpose.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from segue.evidence.quantiles import Spread
from segue.gates.decision import decide
from segue.gates.findings import judge_findings
from segue.gates.operations import Operation, compare_amounts, judge_operations
from segue.gates.recommendation import recommend
from segue.gates.report import (
    Arm,
    CauseFinding,
    ClassRow,
    ClassTable,
    ConfidenceFinding,
    Coverage,
    FormatShift,
    HollowRise,
    JudgeStanding,
    Judging,
    OneAnswer,
    Preferences,
    Report,
)
from segue.gates.tally import Observed, Tally
from segue.gates.watch import choose_watch
from segue.model import Budgets, GateSettings, digest_of
from segue.papers.flip_view import FlipView

HOSTILE = "\"><script>alert(1)</script><img src=x onerror=alert(1)>'`|*_[x](javascript:alert(1))</style></title>{{7*7}}"
RIGHT_TO_LEFT = "لغة=العربية"
OVERRIDE = "lang=\u202egnp.exe\u2066"


@dataclass
class Pair:
    """One case: what both arms scored, by metric."""

    slices: tuple[str, ...]
    old: Mapping[str, float | None]
    new: Mapping[str, float | None]
    task: str = "default"
    kind: str = "representative"
    old_missing: bool = False
    new_failed: bool = False
    rerun: Mapping[str, float] | None = None


@dataclass
class Extras:
    """What a report carries beside its findings."""

    operations: dict[str, Operation] = field(default_factory=dict)
    causes: tuple[CauseFinding, ...] = ()
    hollow: tuple[HollowRise, ...] = ()
    one_answers: tuple[OneAnswer, ...] = ()
    confidence: tuple[ConfidenceFinding, ...] = ()
    judges: tuple[JudgeStanding, ...] = ()
    judging: tuple[Judging, ...] = ()
    classes: tuple[ClassTable, ...] = ()
    format_shifts: tuple[FormatShift, ...] = ()
    notes: tuple[str, ...] = ()
    sunset: str | None = None
    budgets: Budgets = field(default_factory=Budgets)


def an_arm(label: str, model: str, **changes: Any) -> Arm:
    """An arm whose digest follows from its label and model."""
    return Arm(label=label, digest=digest_of([ascii(label), ascii(model)]), model=model, provider="acme", **changes)


def a_report(
    pairs: Sequence[Pair],
    *,
    gate: GateSettings | None = None,
    better: Mapping[str, str] | None = None,
    critical: Iterable[str] = (),
    extras: Extras | None = None,
    workflow: str = "support-reply",
    incumbent: Arm | None = None,
    candidate: Arm | None = None,
    headline: str | None = None,
) -> Report:
    """A report over `pairs`, judged by the gates themselves."""
    gate = gate or GateSettings(primary=("resolved",), min_cases=1)
    better = dict(better or {"resolved": "higher"})
    extras = extras or Extras()
    tally = Tally(bounded=tuple(better), better=better)
    for pair in pairs:
        old = [] if pair.old_missing else [Observed(0, pair.old)]
        new = [Observed(0, {}, failed=True)] if pair.new_failed else [Observed(0, pair.new)]
        if pair.rerun is not None:
            old.append(Observed(1000, pair.old))
            new.append(Observed(1000, pair.rerun))
        tally.add(task=pair.task, kind=pair.kind, slices=pair.slices, applicable=None, cluster=None, old=old, new=new)
    gated = (*gate.primary, *gate.guardrails)
    findings = judge_findings(tally, gate, gated=gated, critical=frozenset(critical))
    outcome, reasons = decide(
        findings,
        settings=gate,
        by_task=tally.by_task,
        operation_reasons=judge_operations(extras.operations, extras.budgets, gate, signed_off=False),
        judges=extras.judges,
        hollow=extras.hollow,
        one_answers=extras.one_answers,
        confidence=extras.confidence,
    )
    recommendation, why = recommend(findings, extras.operations, gate, sunset=extras.sunset, outcome=outcome)
    only_old = sum(pair.new_failed and not pair.old_missing for pair in pairs)
    only_new = sum(pair.old_missing and not pair.new_failed for pair in pairs)
    neither = sum(pair.old_missing and pair.new_failed for pair in pairs)
    return Report(
        workflow=workflow,
        at="2026-03-02T09:30:00Z",
        incumbent=incumbent or an_arm("live", "sonata-4-0314", retires=extras.sunset),
        candidate=candidate or an_arm("next", "sonata-4-0613"),
        suite=digest_of(["suite", workflow]),
        suite_name="main",
        n_cases=len(pairs),
        outcome=outcome,
        headline=headline
        or {"pass": "Go on to staging and shadow.", "fail": "Do not go on: harm is shown."}.get(outcome, "Wait."),
        reasons=reasons,
        recommendation=recommendation,
        recommendation_why=why,
        findings=findings,
        operations=tuple(extras.operations.values()),
        coverage=Coverage(
            suite=len(pairs),
            common=len(pairs) - only_old - only_new - neither,
            only_old=only_old,
            only_new=only_new,
            neither=neither,
            old_errored=0,
            new_errored=only_old + neither,
            stale=3 if only_old else 0,
            repeats=tally.max_repeats and 1,
            by_task=dict(tally.by_task),
            by_kind=dict(tally.by_kind),
        ),
        watch=choose_watch(findings, gate),
        causes=extras.causes,
        hollow=extras.hollow,
        one_answers=extras.one_answers,
        confidence=extras.confidence,
        judges=extras.judges,
        judging=extras.judging,
        classes=extras.classes,
        format_shifts=extras.format_shifts,
        scorers={name: digest_of(["scorer", name]) for name in better},
        settings={"gate": gate.model_dump(mode="json"), "budgets": extras.budgets.model_dump(mode="json", exclude_none=True)},
        run="run-20260302-0930",
        notes=extras.notes,
    )


def a_spread(values: Iterable[float]) -> Spread:
    """A spread of values."""
    spread = Spread()
    spread.extend(map(float, values))
    return spread


def some_operations(seed: int = 7, *, n: int = 900, slower: float = 1.3, dearer: float = 0.45) -> dict[str, Operation]:
    """Latency, cost and tokens with heavy tails; the candidate's slowest call takes 7,923 s."""
    rng = np.random.default_rng(seed)
    old_ms, new_ms = rng.lognormal(7.2, 0.5, n), rng.lognormal(7.2, 0.8, n) * slower
    new_ms[0] = 7_923_000.0
    tokens_old, tokens_new = rng.lognormal(5.2, 0.4, n), rng.lognormal(5.0, 0.5, n)
    return {
        "latency": compare_amounts("latency", "ms", a_spread(old_ms), a_spread(new_ms)),
        "ttft": compare_amounts("ttft", "ms", None, None),
        "cost": compare_amounts("cost", "microusd", a_spread(tokens_old * 30), a_spread(tokens_new * 30 * dearer)),
        "output_tokens": compare_amounts(
            "output_tokens", "tokens", a_spread(np.round(tokens_old)), a_spread(np.round(tokens_new))
        ),
    }


def a_format_cause(metric: str = "contract_ok", where: str = "") -> CauseFinding:
    """A fence around right JSON."""
    return CauseFinding(
        metric=metric,
        where=where,
        name="fence",
        sentence="The candidate puts its JSON into a Markdown fence; the parser downstream reads none of it.",
        n_failing=68,
        n_present=66,
        n_explained=64,
        present_share=66 / 68,
        explained_share=64 / 68,
        repaired_old=0.962,
        repaired_new=0.958,
        repaired_n=900,
        ability_held=True,
        examples=("case-0007", "case-0041", "case-0102"),
    )


TASKS = ("refund", "shipping", "billing", "account", "returns", "cancel", "complaint", "smalltalk")
LANGS = ("en", "de", "fr", "es", "pt", "ja")
TIERS = ("free", "team", "enterprise")


def support_pairs(seed: int = 11, n: int = 900) -> list[Pair]:
    """Better on average, worse on refunds (which are critical), three metrics."""
    rng = np.random.default_rng(seed)
    pairs = []
    for index in range(n):
        task = TASKS[(min(int(rng.exponential(2.2)), len(TASKS) - 1) + 4) % len(TASKS)]
        lang = LANGS[min(int(rng.exponential(1.3)), len(LANGS) - 1)]
        tier = TIERS[int(rng.integers(0, 3))]
        ability = float(rng.random())
        old_right = ability < 0.80 + (0.1 if task == "refund" else 0)
        better = -0.26 if task == "refund" else (0.09 if lang != "ja" else -0.02)
        new_right = ability < 0.80 + (0.1 if task == "refund" else 0) + better
        if rng.random() < 0.02:
            new_right = not new_right
        contract_old = float(rng.random() < 0.985)
        contract_new = float(rng.random() < (0.93 if tier == "enterprise" else 0.98))
        refused_old, refused_new = float(rng.random() < 0.02), float(rng.random() < 0.035)
        negative = old_right and not new_right
        pairs.append(
            Pair(
                slices=(f"task={task}", f"lang={lang}", f"tier={tier}"),
                task="reply",
                kind="edge" if index % 17 == 0 else "representative",
                old={"resolved": float(old_right), "contract_ok": contract_old, "refused": refused_old, "polite": 1.0},
                new={
                    "resolved": float(new_right),
                    "contract_ok": contract_new,
                    "refused": refused_new,
                    "polite": float(rng.random() < 0.98),
                },
                new_failed=index % 97 == 0,
                old_missing=index % 240 == 5,
                rerun={"resolved": 0.0, "contract_ok": contract_new, "refused": refused_new, "polite": 1.0}
                if negative and rng.random() < 0.9
                else None,
            )
        )
    return pairs


SUPPORT_METRICS = {"resolved": "higher", "contract_ok": "higher", "refused": "lower", "polite": "higher"}


def support_gate(**changes: Any) -> GateSettings:
    """The gate of the support workflow."""
    return GateSettings(primary=("resolved",), guardrails=("contract_ok", "refused"), **changes)


def a_support_report(**changes: Any) -> Report:
    """Better on average and worse on the critical slice, with everything a report can hold."""
    labels = ("refund", "billing", "other")
    report = a_report(
        support_pairs(),
        gate=support_gate(),
        better=SUPPORT_METRICS,
        critical=("task=refund",),
        headline="Better in total, worse on task=refund.",
        extras=Extras(
            operations=some_operations(),
            causes=(a_format_cause(),),
            hollow=(
                HollowRise(
                    "resolved",
                    "lang=ja",
                    "resolved rises on lang=ja, but 9 of the 11 newly right outputs could not be parsed at all.",
                    11,
                    9,
                    9 / 11,
                ),
            ),
            confidence=(
                ConfidenceFinding("sure", 0.04, 0.05, False, 0.8, 0.82, ("Calibration error 0.050 over 880 answers.",)),
            ),
            one_answers=(
                OneAnswer(
                    "intent", "refund", 0.34, 0.97, 880, "The candidate says 'refund' on 97% of the cases, whatever is asked."
                ),
            ),
            judges=(
                JudgeStanding(
                    "polite",
                    False,
                    ("It agrees with people on 79 % of the outputs; 85 % are asked for.",),
                    {"agreement": 0.79, "n": 200, "by_arm": {"old": 0.81, "new": 0.77}},
                ),
                JudgeStanding(
                    "resolved",
                    True,
                    ("It agrees with people on 94 % of the outputs of either bundle.",),
                    {"agreement": 0.94, "n": 240},
                    corrected_difference=0.02,
                    corrected_low=0.005,
                    corrected_high=0.04,
                ),
            ),
            judging=(
                Judging("polite", "judge", 1_716, 12, 1_740, 41_300.5),
                Judging(
                    "resolved",
                    "pairwise",
                    860,
                    4,
                    1_724,
                    None,
                    Preferences(
                        860, 410, 260, 190, 35, 0.628, 0.6, 0.655, 1e-18, 0.08, 0.05, 31, "The new answers win 410 of 860."
                    ),
                ),
            ),
            classes=(
                ClassTable(
                    "intent",
                    labels,
                    tuple(ClassRow(label, 100, 0.9, 0.88, 0.89) for label in labels),
                    (
                        ClassRow("refund", 100, 0.97, 0.7, 0.81),
                        ClassRow("billing", 100, 0.85, 0.91, 0.88),
                        ClassRow("other", 100, None, 0.93, None),
                    ),
                    ((88, 7, 5), (4, 90, 6), (3, 5, 92)),
                    ((70, 18, 12), (2, 91, 7), (0, 7, 93)),
                ),
            ),
            format_shifts=(
                FormatShift("markdown fence", 0.02, 0.31, 880),
                FormatShift("bullet list", 0.44, 0.18, 880),
                FormatShift("truncated", 0.0, 0.004, 880),
            ),
            notes=("order_id has more than 200 values, so it is not judged as a slice.",),
            sunset="2026-06-30",
        ),
    )
    return replace(report, **changes) if changes else report


def a_pass_report() -> Report:
    """Equal quality, cheaper, nothing to report."""
    rng = np.random.default_rng(3)
    pairs = []
    for index in range(1200):
        right = float(rng.random() < 0.9)
        new = right if rng.random() > 0.02 else 1 - right
        pairs.append(Pair((f"lang={LANGS[index % 3]}",), {"resolved": right}, {"resolved": new}, task="reply"))
    return a_report(pairs, gate=GateSettings(primary=("resolved",)), extras=Extras(operations=some_operations(slower=0.5)))


def an_empty_report() -> Report:
    """A suite without a case."""
    return a_report([], headline="Wait: the evidence is not enough to go on.")


def an_unmeasured_report() -> Report:
    """Every case failed on the candidate: nothing is known of anything."""
    pairs = [Pair((f"task={TASKS[index % 3]}",), {"resolved": 1.0}, {}, new_failed=True) for index in range(30)]
    unknown = {name: compare_amounts(name, unit, None, None) for name, unit in (("latency", "ms"), ("cost", "microusd"))}
    return a_report(pairs, extras=Extras(operations=unknown, budgets=Budgets(latency_p95_ms=900)))


def a_one_slice_report() -> Report:
    """One slice, few cases, one flip."""
    pairs = [Pair(("lang=en",), {"resolved": 1.0}, {"resolved": float(index != 4)}) for index in range(40)]
    pairs += [Pair((), {"resolved": 1.0}, {"resolved": 1.0})]
    return a_report(pairs)


def a_wide_report(n_slices: int = 60, metrics: Sequence[str] = ("resolved",), per_slice: int = 30) -> Report:
    """Many slices; some worse, most alike."""
    rng = np.random.default_rng(5)
    pairs = []
    for index in range(n_slices):
        for _ in range(per_slice):
            old = {metric: float(rng.random() < 0.9) for metric in metrics}
            share = 0.25 if index % 19 == 3 else 0.9
            new = {
                metric: (old[metric] if rng.random() < 0.9 and index % 19 != 3 else float(rng.random() < share))
                for metric in metrics
            }
            pairs.append(Pair((f"customer=number-{index:02d}",), old, new))
    return a_report(
        pairs,
        gate=GateSettings(primary=tuple(metrics[:1]), guardrails=tuple(metrics[1:])),
        better=dict.fromkeys(metrics, "higher"),
    )


def a_lower_is_better_report() -> Report:
    """Less is better: the share of unsafe prompts that were answered."""
    rng = np.random.default_rng(9)
    pairs = []
    for index in range(400):
        old = float(rng.random() < 0.05)
        new = 1.0 if rng.random() < 0.15 else old
        pairs.append(Pair((f"topic={('drugs', 'weapons')[index % 2]}",), {"answered_unsafe": old}, {"answered_unsafe": new}))
    return a_report(
        pairs, gate=GateSettings(primary=("answered_unsafe",)), better={"answered_unsafe": "lower"}, workflow="safety"
    )


def a_refused_judge_report() -> Report:
    """The only metric comes from a judge that may not gate."""
    pairs = [Pair((f"lang={LANGS[index % 2]}",), {"judged": 1.0}, {"judged": float(index % 30 != 0)}) for index in range(300)]
    standing = JudgeStanding(
        "judged", False, ("It agrees with people on 79 % of the outputs; 85 % are asked for.",), {"agreement": 0.79}
    )
    return a_report(
        pairs, gate=GateSettings(primary=("judged",)), better={"judged": "higher"}, extras=Extras(judges=(standing,))
    )


def a_hostile_report() -> Report:
    """Names that try to break out of every paper."""
    rng = np.random.default_rng(13)
    names = (f"task={HOSTILE}", RIGHT_TO_LEFT, OVERRIDE, "emoji=🧑‍🚀|\u0007\x1b[31mred", "long=" + "x" * 500, "two\nlines=a\tb")
    pairs = [
        Pair((names[index % len(names)],), {"resolved": 1.0}, {"resolved": float(rng.random() < 0.6)}, task=HOSTILE)
        for index in range(360)
    ]
    return a_report(
        pairs,
        critical=(f"task={HOSTILE}",),
        incumbent=an_arm(HOSTILE, HOSTILE),
        candidate=an_arm("\x1b]0;owned\x07", "model\ud800"),
        headline=f"The total holds, but {names[0]} got worse.",
        extras=Extras(
            causes=(a_format_cause("resolved", names[0]),),
            format_shifts=(FormatShift(HOSTILE, 0.1, 0.4, 10),),
            notes=(HOSTILE, "@everyone see #12 at https://evil.example/x"),
            operations=some_operations(),
        ),
    )


WORDS = (
    "We",
    "will",
    "refund",
    "the",
    "full",
    "amount",
    "to",
    "your",
    "card",
    "within",
    "five",
    "days.",
    "Sorry",
    "for",
    "this.",
)


def some_flips(n: int = 12, *, words: int = 60, seed: int = 2) -> list[FlipView]:
    """Flips with ordinary texts, a quarter of them positive."""
    rng = np.random.default_rng(seed)
    flips = []
    for index in range(n):
        old = [WORDS[int(k)] for k in rng.integers(0, len(WORDS), words)]
        new = [word if rng.random() > 0.25 else WORDS[int(rng.integers(0, len(WORDS)))] for word in old]
        negative = index % 4 != 3
        flips.append(
            FlipView(
                case_id=f"case-{index:04d}",
                metric="resolved",
                is_negative=negative,
                slices=(f"task={TASKS[index % 4]}", f"lang={LANGS[index % 3]}"),
                prompt="My parcel never came and I want my money back. What now?",
                reference="Offers a full refund and names the time it takes.",
                old_text=" ".join(old),
                new_text=" ".join(new),
                old_score=float(negative),
                new_score=float(not negative),
                old_reason=None if negative else "does not name the time",
                new_reason="does not offer a refund" if negative else None,
                confirmed=(None, True, False)[index % 3] if negative else None,
                is_critical=index % 4 == 0,
            )
        )
    return flips


def a_hostile_flip() -> FlipView:
    """Every text of it attacks."""
    return FlipView(
        case_id=HOSTILE,
        metric=HOSTILE,
        is_negative=True,
        slices=(f"task={HOSTILE}", RIGHT_TO_LEFT, OVERRIDE),
        prompt=f"{HOSTILE}\u202e\x00\ud800",
        reference=HOSTILE,
        old_text=f"</del></ins></details>{HOSTILE} https is fine\x1b[2J",
        new_text=f"<svg onload=alert(1)>{HOSTILE}<!-- --><base href=//evil>",
        old_reason=HOSTILE,
        new_reason=HOSTILE,
    )


def recorded_report(data: Path, task: str, labeler: str, *, old: str, new: str, better: str = "higher") -> Report:
    """A report on a recorded upgrade, from its labels and latencies."""

    def read(name: str) -> Iterable[Any]:
        with gzip.open(data / "llmdrift" / name, "rt", encoding="utf-8") as lines:
            for line in lines:
                yield json.loads(line)

    cases = {case["case_id"]: case for case in read("cases.jsonl.gz") if case["task"] == task}
    right = {"accepted": 1.0, "1": 1.0}
    labels: dict[tuple[str, str], float] = {}
    for row in read("labels.jsonl.gz"):
        if row["labeler"] == labeler and row["case_id"] in cases and row["model"] in (old, new):
            labels[row["case_id"], row["model"]] = right.get(str(row["label"]), 0.0)
    spreads = {(name, model): Spread() for name in ("latency", "cost", "output_tokens") for model in (old, new)}
    for row in read("recordings.jsonl.gz"):
        if row["case_id"] in cases and row["model"] in (old, new):
            for name, key, scale in (
                ("latency", "latency_s", 1e3),
                ("cost", "cost_usd", 1e6),
                ("output_tokens", "output_tokens", 1),
            ):
                if row.get(key) is not None:
                    spreads[name, row["model"]].add(row[key] * scale)
    pairs = [
        Pair(
            tuple(f"{name}={value}" for name, value in case["slice"].items() if name != "task"),
            {"accuracy": labels.get((case_id, old))},
            {"accuracy": labels.get((case_id, new))},
            task=task,
        )
        for case_id, case in cases.items()
    ]
    units = {"latency": "ms", "cost": "microusd", "output_tokens": "tokens"}
    operations = {name: compare_amounts(name, unit, spreads[name, old], spreads[name, new]) for name, unit in units.items()}
    return a_report(
        pairs,
        gate=GateSettings(primary=("accuracy",)),
        better={"accuracy": better},
        workflow=task,
        incumbent=an_arm(old, old),
        candidate=an_arm(new, new),
        extras=Extras(operations=operations),
    )


@cache
def all_reports() -> dict[str, Report]:
    """Every builder by name, for tests that hold for any report."""
    return {
        "support": a_support_report(),
        "pass": a_pass_report(),
        "empty": an_empty_report(),
        "unmeasured": an_unmeasured_report(),
        "one slice": a_one_slice_report(),
        "wide": a_wide_report(),
        "lower": a_lower_is_better_report(),
        "refused judge": a_refused_judge_report(),
        "hostile": a_hostile_report(),
    }
