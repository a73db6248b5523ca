"""The callable scorer: a team's own Python function."""

from __future__ import annotations

import sys

import pytest

from segue.errors import InputError
from segue.scoring.context import ScoringContext
from tests.scoring.builders import a_case, a_scorer, an_exchange

SOURCE = """
from segue.model import Score

def polite(case, reply):
    return "please" in reply.text.lower()

def share(case, reply):
    return 0.25

def both(case, reply):
    return [Score("metric", 1.0), Score("metric.tone", None, None, "unscored", "no tone")]

def one(case, reply):
    return Score("metric", 0.0, "rude")

def fails(case, reply):
    return case.reference["secret"]

def exits(case, reply):
    raise SystemExit(3)

def gives(case, reply):
    return {"text": "x", "nan": float("nan"), "two": 2, "huge": 10**400, "none": None,
            "negative": -1, "foreign": Score("other", 1.0), "twice": [Score("metric", 1.0)] * 2, "mixed": [1.0]}[reply.text]

async def waits(case, reply):
    return True
"""


@pytest.fixture
def context(tmp_path):
    """A workflow's folder with a module of scorers."""
    (tmp_path / "checks.py").write_text(SOURCE, encoding="utf-8")
    return ScoringContext(workflow_dir=tmp_path)


def built(context, name, **settings):
    return a_scorer("callable", context=context, function=f"checks.py:{name}", **settings)


def run(context, name, text="x", **settings):
    return built(context, name, **settings).score(a_case(), an_exchange(text))


def test_a_truth_value_or_a_number_is_the_score(context):
    """True is 1; a number has to fit the unit."""
    assert [score.value for score in run(context, "polite", "Please wait")] == [1.0]
    assert [score.value for score in run(context, "share", unit="score")] == [0.25]
    assert run(context, "share")[0].status == "error"


def test_scores_of_its_own(context):
    """A function may give labels, reasons and several metrics, if they are declared."""
    assert [score.label for score in run(context, "one")] == ["rude"]
    scores = run(context, "both", metrics=["tone"])
    assert [(score.name, score.status) for score in scores] == [("metric", "scored"), ("metric.tone", "unscored")]
    assert [metric.name for metric in built(context, "both", metrics=["tone"]).metrics] == ["metric", "metric.tone"]
    assert "metrics does not list" in run(context, "both")[0].reason


@pytest.mark.parametrize(("name", "error"), [("fails", "TypeError"), ("exits", "SystemExit")])
def test_an_exception_inside_is_an_error_and_never_a_wrong_answer(context, name, error):
    """The reason names its type, and nothing of the content."""
    (score,) = run(context, name)
    assert (score.status, score.value) == ("error", None)
    assert score.reason == f"the function raised {error}"


@pytest.mark.parametrize("what", ["text", "nan", "two", "huge", "none", "foreign", "twice", "mixed"])
def test_a_result_that_is_no_score_is_an_error(context, what):
    """Text, NaN, a number beyond the unit, a foreign or repeated name: named, not guessed at."""
    (score,) = run(context, "gives", what)
    assert (score.status, score.name) == ("error", "metric")


@pytest.mark.parametrize("unit", ["count", "characters", "tokens", "ms", "microusd", "score", "proportion"])
def test_a_negative_number_fits_no_unit(context, unit):
    """It is said what is wrong, and whose unit it misses; nothing is compared with it."""
    (score,) = run(context, "gives", "negative", unit=unit)
    assert (score.status, score.value) == ("error", None)
    assert score.reason == f"the function returned a negative number; its unit is {unit}"


def test_editing_the_function_makes_another_scorer(context):
    """Scores of two versions of a function are never compared."""
    before = built(context, "polite").identity.digest
    assert built(context, "polite").identity.digest == before
    path = context.workflow_dir / "checks.py"
    path.write_text(SOURCE + "\n# changed\n", encoding="utf-8")
    assert built(context, "polite").identity.digest != before


def test_a_function_of_an_installed_module(tmp_path, monkeypatch):
    """`module:function` needs no workflow folder."""
    (tmp_path / "segue_test_installed.py").write_text("def yes(case, reply):\n    return True\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    scorer = a_scorer("callable", function="segue_test_installed:yes")
    assert scorer.score(a_case(), an_exchange("x"))[0].value == 1.0
    sys.modules.pop("segue_test_installed")


@pytest.mark.parametrize(
    ("function", "words"),
    [
        ("checks", "module:function"),
        ("checks.py:", "module:function"),
        ("checks.py:polit", "has no function 'polit'"),
        ("checks.py:SOURCE", "has no function"),
        ("nowhere.py:f", "There is no file nowhere.py"),
        ("no_such_module_here:f", "cannot be imported: ModuleNotFoundError"),
        ("broken.py:f", "cannot be imported: SyntaxError"),
        ("checks.py:waits", "async function"),
    ],
)
def test_a_function_that_is_not_there_is_a_fault(context, function, words):
    """Found when the scorers are built, with the setting's path."""
    (context.workflow_dir / "broken.py").write_text("def f(:", encoding="utf-8")
    with pytest.raises(InputError) as caught:
        a_scorer("callable", context=context, function=function)
    (fault,) = caught.value.faults
    assert fault.path == "scorers[0].function"
    assert words in fault.what


def test_a_path_needs_a_workflow_folder():
    """Without one there is nothing the path could start from."""
    with pytest.raises(InputError) as caught:
        a_scorer("callable", function="checks.py:polite")
    assert "no workflow folder" in caught.value.faults[0].what
