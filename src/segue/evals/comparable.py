"""Whether two arms were measured with the same ruler: scorers, judges, labelers, prices. Refuses with the reason if not."""

from __future__ import annotations

from collections.abc import Iterator

from segue.errors import Fault, InputError, NotComparableError, NotFoundError
from segue.evals.arms import AnyScorer, PreparedArm, spec_of
from segue.evals.plan import Price
from segue.model import Usage, Workflow
from segue.store.base import Store

ASKED_TYPES = ("judge", "pairwise")
"""Scorers that ask a model: `compare` reads what they said, and does not ask again."""


def require_same_ruler(old: PreparedArm, new: PreparedArm) -> None:
    """Both arms have the same scorers: name, type, version, settings. `NotComparableError` names what differs."""
    faults = []
    for before, after in zip(old.scorers, new.scorers, strict=True):
        if before.identity != after.identity:
            what = f"The scorer '{before.identity.name}' is not the same on both arms ({_difference(before, after)})."
            faults.append(Fault(what, "Score both arms by the same one: run segue eval, which asks for what is missing."))
    if faults:
        raise NotComparableError("The two arms were not measured with the same ruler.", faults=faults)


def _difference(before: AnyScorer, after: AnyScorer) -> str:
    one, two = before.identity, after.identity
    if one.version != two.version:
        return f"version {one.version} and {two.version}"
    if isinstance(one.settings, dict) and isinstance(two.settings, dict):
        keys = sorted(key for key in {*one.settings, *two.settings} if one.settings.get(key) != two.settings.get(key))
        return "another " + ", ".join(keys)
    return "other settings"


def require_same_evidence(store: Store, workflow: Workflow, old: PreparedArm, new: PreparedArm, *, asks: bool) -> None:
    """What was said from outside was said of both arms by the same labeler and judge.

    `asks`: models will be asked for what a judge has not said yet. `NotComparableError`, `InputError`.
    """
    faults = list(_labelers(store, workflow, old, new))
    if not asks:
        faults.extend(_judges(store, workflow, old, new))
    if faults:
        raise NotComparableError("The two arms were not measured with the same ruler.", faults=faults)


def _labelers(store: Store, workflow: Workflow, old: PreparedArm, new: PreparedArm) -> Iterator[Fault]:
    there = {arm.behaviour: store.labelers(arm.behaviour) for arm in (old, new)}
    for spec in workflow.scorers:
        if spec.type != "recorded_label":
            continue
        labeler = str(spec.settings().get("labeler", ""))
        lacking = [arm for arm in (old, new) if labeler not in there[arm.behaviour]]
        if len(lacking) == 2:
            known = {name for names in there.values() for name in names}
            raise NotFoundError.naming("labeler", labeler, known, fix=f"Correct it in workflow.yaml ({spec.name}.labeler).")
        for arm in lacking:
            others = ", ".join(there[arm.behaviour]) or "nobody"
            yield Fault(
                f"{spec.name} reads the labels of {labeler}, and the outputs of {arm.named.label} were labelled by {others}.",
                "Let one labeler label both arms, or use a scorer that needs none.",
            )


def _judges(store: Store, workflow: Workflow, old: PreparedArm, new: PreparedArm) -> Iterator[Fault]:
    gated = {*workflow.gate.primary, *workflow.gate.guardrails}
    for before, after in zip(old.scorers, new.scorers, strict=True):
        name = before.identity.name
        spec = spec_of(workflow, name)
        if spec is None or spec.type not in ASKED_TYPES:
            continue
        silent = [
            arm
            for arm, scorer in ((old, before), (new, after))
            if next(store.iter_scores(arm.behaviour, arm.key_of(scorer)), None) is None
        ]
        if len(silent) == 1:
            yield Fault(
                f"The outputs of {silent[0].named.label} were not judged by the judge '{name}' as it is set up now; the other "
                "arm's were. Another judge or rubric is another ruler.",
                "Judge both alike: segue eval asks the judge for what is missing.",
            )
        elif silent and name in gated and before.identity.type == "pairwise" and old.behaviour == new.behaviour:
            raise InputError(
                f"The judge '{name}' gates {workflow.name} and compares two bundles: of two runs of one it has nothing to say.",
                fix="Gate on another metric to see a bundle's noise, or compare two bundles.",
            )
        elif silent and name in gated:
            raise InputError(
                f"The judge '{name}' gates {workflow.name} and has judged neither arm as it is set up now.",
                fix="Let it judge: segue eval asks it for what is missing.",
            )


def need_repricing(store: Store, old: PreparedArm, new: PreparedArm) -> bool:
    """Whether the costs of the two arms come from different price lists, or a list and a recording."""
    sources = {source for arm in (old, new) for source in store.cost_sources(arm.behaviour)}
    return len(sources) > 1


def require_prices(old: PreparedArm, new: PreparedArm, price: Price) -> None:
    """Both models have a price today. `NotComparableError` names the ones that have none."""
    unpriced = [arm for arm in (old, new) if price(arm.named.bundle, Usage(input_tokens=1000, output_tokens=1000)) is None]
    if unpriced:
        models = ", ".join(arm.named.bundle.model.snapshot for arm in unpriced)
        raise NotComparableError(
            f"The costs of the two arms were worked out from different prices, and today's list has no price for {models}.",
            fix="Name it under prices: in segue.yaml; then both arms are priced alike from their tokens.",
        )
