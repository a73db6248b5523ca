"""A judgement as JSON and back, exactly: what an entry of the log was decided on, for status and history to read again.

JSON has no infinities, so they are written as words. Pure; it knows nothing of where a judgement came from.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import inf, isfinite, nan
from typing import Any, get_args

from segue.evidence.sequential.grid import Unit
from segue.evidence.sequential.sequences import Interval
from segue.evidence.sequential.verdicts import Evidence, Judgement, Limit, Settlement, Verdict
from segue.model.base import Json

VERSION = 1
_WORDS = {"inf": inf, "-inf": -inf, "nan": nan}
_VERDICTS: frozenset[str] = frozenset(get_args(Verdict))
_LIMITS: frozenset[str | None] = frozenset((*get_args(Limit), None))


def judgement_as_json(judgement: Judgement) -> Json:
    """Every number and verdict of it. Sentences are left out: they follow from the rest."""
    return {
        "version": VERSION,
        "verdict": judgement.verdict,
        "limit": judgement.limit,
        "rollback_log_e": _number(judgement.rollback_log_e),
        "hold_log_e": _number(judgement.hold_log_e),
        "culprits": [list(one) for one in judgement.culprits],
        "cells": [_evidence_as_json(one) for one in judgement.cells],
    }


def judgement_from_json(stored: Json) -> Judgement:
    """What `judgement_as_json` wrote. `ValueError` for anything else."""
    if not isinstance(stored, dict) or stored.get("version") != VERSION:
        raise ValueError(f"This is no judgement of version {VERSION}.")
    try:
        return Judgement(
            _one_of(stored["verdict"], _VERDICTS),
            _one_of(stored["limit"], _LIMITS),
            _read(stored["rollback_log_e"]),
            _read(stored["hold_log_e"]),
            tuple((str(metric), str(name)) for metric, name in stored["culprits"]),
            tuple(_evidence_from_json(one) for one in stored["cells"]),
        )
    except (KeyError, TypeError) as error:
        raise ValueError(f"This judgement cannot be read: {error!r}.") from error


def _evidence_as_json(one: Evidence) -> Json:
    settlement = one.settlement
    return {
        "metric": one.metric,
        "slice": one.slice,
        "verdict": one.verdict,
        "limit": one.limit,
        "log_e": _number(one.log_e),
        "bound": _number(one.bound),
        "effect": _number(one.effect),
        "interval": [_number(one.interval.low), _number(one.interval.high)],
        "exposed": one.exposed,
        "matured": one.matured,
        "asked": one.asked,
        "labelled": one.labelled,
        "incumbent_labelled": one.incumbent_labelled,
        "settlement": None
        if settlement is None
        else {"question": settlement.question, "outcomes": settlement.outcomes, "days": _number(settlement.days)},
        "void": one.void,
        "unit": {"name": one.unit.name, "factor": _number(one.unit.factor), "one": one.unit.one},
    }


def _evidence_from_json(stored: Mapping[str, Any]) -> Evidence:
    low, high = stored["interval"]
    settled, unit = stored["settlement"], stored["unit"]
    return Evidence(
        metric=stored["metric"],
        slice=stored["slice"],
        verdict=_one_of(stored["verdict"], _VERDICTS),
        limit=_one_of(stored["limit"], _LIMITS),
        log_e=_read(stored["log_e"]),
        bound=_perhaps(stored["bound"]),
        effect=_perhaps(stored["effect"]),
        interval=Interval(_perhaps(low), _perhaps(high)),
        exposed=stored["exposed"],
        matured=stored["matured"],
        asked=stored["asked"],
        labelled=stored["labelled"],
        incumbent_labelled=stored["incumbent_labelled"],
        settlement=None if settled is None else Settlement(settled["question"], settled["outcomes"], _perhaps(settled["days"])),
        void=stored["void"],
        unit=Unit(unit["name"], _read(unit["factor"]), unit["one"]),
    )


def _number(value: float | None) -> Json:
    if value is None:
        return None
    number = float(value)
    return number if isfinite(number) else str(number)


def _read(stored: Any) -> float:
    if isinstance(stored, str) and stored in _WORDS:
        return _WORDS[stored]
    if type(stored) not in (int, float):
        raise TypeError(f"{stored!r} is no number")
    return float(stored)


def _perhaps(stored: Any) -> float | None:
    return None if stored is None else _read(stored)


def _one_of(stored: Any, allowed: frozenset[Any]) -> Any:
    if stored not in allowed:
        raise ValueError(f"{stored!r} is none of {', '.join(sorted(map(str, allowed)))}.")
    return stored
