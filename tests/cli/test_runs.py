"""Eval, compare, and everything that can be read of a verdict afterwards."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

from tests.cli.conftest import Segue, edit

EVAL = ("eval", "support-reply", "--candidate", "candidate")
COMPARE = ("compare", "support-reply", "--candidate", "candidate")
CODES = {"pass": 0, "caution": 10, "hold": 11, "fail": 12}


def test_eval_says_what_it_costs_before_it_asks(workspace: Path, segue: Segue) -> None:
    """An arm a line, on standard error; the report is all there is on standard output."""
    typed = segue(*EVAL)
    assert typed.err.splitlines()[0].startswith("incumbent: 6 calls, $0.0")
    assert typed.err.splitlines()[1].startswith("candidate: 6 calls, $0.0")
    assert "HOLD" in typed.out
    assert "calls" not in typed.out


def test_eval_asks_only_what_is_missing(judged: Path, segue: Segue) -> None:
    """The same again asks nothing; more repeats ask for what they add."""
    assert "incumbent: nothing to ask; 6 answers stored already\n" in segue(*EVAL).err
    more = segue(*EVAL, "--repeats", "2").err
    assert "incumbent: 6 calls for 2 runs of each case, $" in more
    assert "; 6 answers stored already\n" in more


@pytest.mark.parametrize("words", [EVAL, COMPARE], ids=["eval", "compare"])
def test_the_exit_code_is_the_verdict(judged: Path, segue: Segue, words: tuple[str, ...]) -> None:
    """The same for people and for scripts."""
    answer = segue(*words, "--json")
    assert answer.code == CODES[answer.json["outcome"]]
    assert segue(*words).code == answer.code


def test_compare_asks_no_model(judged: Path, segue: Segue) -> None:
    """Nor does it need its key: what a judge said before is found without it."""
    edit(Path("segue.yaml"), "providers:\n", "providers:\n  far: {type: openai, api_key_env: NO_SUCH_KEY}\n")
    judge = (
        "  - name: polite\n    type: judge\n    provider: far\n    snapshot: gpt-4.1-2025-04-14\n    rubric: Is it polite?\n"
    )
    edit(Path("workflows/support-reply/workflow.yaml"), "  - name: length\n", f"{judge}  - name: length\n")
    assert segue(*COMPARE).code == 11
    assert segue("show", "flips", "support-reply", "--metric", "in_form").code == 0
    asked = segue(*EVAL)
    assert (asked.code, "NO_SUCH_KEY" in asked.err) == (1, True)


def test_every_command_that_a_report_offers_works(judged: Path, segue: Segue) -> None:
    """They can be pasted as they stand."""
    offered = [line.split("#")[0] for line in segue(*COMPARE).out.splitlines() if line.startswith("  segue ")]
    assert len(offered) >= 3
    assert all(segue(*shlex.split(line)[1:]).code in (0, 11) for line in offered)


def test_only_some_slices_can_be_judged(judged: Path, segue: Segue) -> None:
    """Values of one slice add up, different slices narrow down."""
    answer = segue(*COMPARE, "--only", "topic=refund", "--only", "topic=account", "--only", "lang=en", "--json").json
    assert answer["n_cases"] == 3
    assert answer["settings"]["only"] == {"topic": ["account", "refund"], "lang": ["en"]}


def test_details_show_every_slice_of_every_metric(judged: Path, segue: Segue) -> None:
    """More than fits a screen."""
    brief, full = segue(*COMPARE).out, segue(*COMPARE, "--details").out
    assert len(full.splitlines()) > len(brief.splitlines())


def test_verdicts_are_kept_and_listed_newest_first(judged: Path, segue: Segue) -> None:
    """Each comparison is one; it can be shown again by its digest."""
    made = segue(*COMPARE, "--only", "lang=en", "--json").json["verdict"]
    listed = segue("show", "verdicts", "support-reply", "--json").json
    assert (len(listed), listed[0]["verdict"]) == (2, made)
    again = segue("show", "verdict", "support-reply", made[:8], "--json").json
    assert again["verdict"] == made
    assert again["n_cases"] == listed[0]["report"]["n_cases"]
    assert made[:10] in segue("show", "verdicts", "support-reply").out


def test_a_verdict_of_another_workflow_is_not_taken_for_this_ones(judged: Path, segue: Segue) -> None:
    """The command that shows it is given."""
    made = segue(*COMPARE, "--json").json["verdict"]
    assert segue("init", "--workflow", "invoices").code == 0
    typed = segue("show", "verdict", "invoices", made[:8])
    assert (typed.code, f"segue show verdict support-reply {made[:8]}" in typed.err) == (1, True)


def test_flips_are_shown_side_by_side(judged: Path, segue: Segue) -> None:
    """With the case, both outputs and the reason."""
    typed = segue("show", "flips", "support-reply", "--metric", "in_form")
    assert (typed.code, "account-en-2" in typed.out, "not JSON" in typed.out) == (0, True, True)
    flips = segue("show", "flips", "support-reply", "--metric", "in_form", "--json").json
    assert [one["case_id"] for one in flips] == ["account-en-2"]


def test_where_there_is_no_flip_it_is_said_where_there_are(judged: Path, segue: Segue) -> None:
    """With the command that shows them."""
    typed = segue("show", "flips", "support-reply")
    assert typed.out == ""
    assert "No negative flip of right_topic.\n" in typed.err
    assert "There is 1 of in_form: segue show flips support-reply --metric in_form\n" in typed.err
    assert segue("show", "flips", "support-reply", "--json").json == []


def test_all_flips_that_were_asked_for_are_shown(workspace: Path, segue: Segue) -> None:
    """`--limit` is the only limit."""
    edit(Path("segue.yaml"), "fence_share: 0.1", "fence_share: 1")
    suite = Path("workflows/support-reply/suites/main.jsonl")
    line = suite.read_text(encoding="utf-8").splitlines()[0]
    suite.write_text("".join(line.replace("refund-en-1", f"refund-{n}") + "\n" for n in range(30)), encoding="utf-8")
    assert segue(*EVAL).code == 12
    typed = segue("show", "flips", "support-reply", "--metric", "in_form", "--limit", "25")
    assert typed.out.count("right before, wrong now") == 25
    assert "25 of 29 flips, right before and wrong now.\n" in typed.out
    assert typed.err == "--limit shows more.\n"


def test_a_case_shows_what_was_asked_expected_and_answered(judged: Path, segue: Segue) -> None:
    """Of both arms, as text that can be read and as JSON in full."""
    typed = segue("show", "case", "support-reply", "refund-en-1")
    for part in (
        "The lamp arrived broken.",
        '"topic": "refund"',
        "incumbent current, repeat 0",
        "candidate candidate, repeat 0",
    ):
        assert part in typed.out
    answer = segue("show", "case", "support-reply", "refund-en-1", "--json").json
    assert answer["case"]["case_id"] == "refund-en-1"
    assert [len(answer["answers"][role]) for role in ("incumbent", "candidate")] == [1, 1]


def test_a_report_can_be_written_again_at_any_time(judged: Path, segue: Segue) -> None:
    """As a page, as Markdown, as JSON, on standard output without either."""
    typed = segue("report", "support-reply", "--html", "out/page.html", "--markdown", "out/summary.md")
    assert (typed.code, typed.out) == (0, "")
    assert typed.err == "Written: out/page.html\nWritten: out/summary.md\n"
    assert Path("out/summary.md").read_text(encoding="utf-8").strip() == segue("report", "support-reply").out.strip()
    assert json.loads(segue("report", "support-reply", "--json").out)["outcome"] == "hold"


def test_eval_writes_its_reports_on_the_way(judged: Path, segue: Segue) -> None:
    """In one go, for a pull request."""
    typed = segue(*EVAL, "--html", "page.html", "--markdown", "summary.md", "--json")
    assert typed.json["outcome"] == "hold"
    assert Path("page.html").exists()
    assert "Hold" in Path("summary.md").read_text(encoding="utf-8")


def test_a_budget_that_is_too_small_is_refused_before_anything_is_asked(workspace: Path, segue: Segue) -> None:
    """Both amounts are said, with as many digits as tell them apart."""
    typed = segue(*EVAL, "--budget", "0.01usd")
    assert typed.code == 1
    assert "estimated at $0.04" in typed.err
    assert "the budget is $0.0100" in typed.err
    assert segue("show", "verdicts", "support-reply", "--json").json == []
    assert segue(*EVAL, "--budget", "5usd").code == 11


def test_a_budget_needs_prices(workspace: Path, segue: Segue) -> None:
    """Unknown is not nothing."""
    edit(Path("segue.yaml"), "        price: {input_usd_per_mtok: 1.0, output_usd_per_mtok: 4.0}\n", "")
    typed = segue(*EVAL, "--budget", "5usd")
    assert (typed.code, "the price of the candidate's model is not known" in typed.err) == (1, True)


def test_a_model_that_is_not_there_is_told_after_the_run(workspace: Path, segue: Segue) -> None:
    """The verdict is hold; the reason for the failed calls stands with what is likely meant."""
    edit(Path("workflows/support-reply/bundles/candidate.yaml"), "snapshot: eager-2", "snapshot: eagr-2")
    typed = segue(*EVAL)
    assert typed.code == 11
    assert "6 calls to eagr-2 at simulated failed (candidate):\n" in typed.err
    assert "Did you mean 'eager-2'?" in typed.err


def test_a_provider_out_of_reach_is_told_after_the_run(workspace: Path, segue: Segue) -> None:
    """Failed calls are no wrong answers: the verdict is hold, and the reason is said."""
    dead = "  dead: {type: openai, base_url: 'http://127.0.0.1:1/v1', retries: {attempts: {}}}\n"
    edit(Path("segue.yaml"), "providers:\n", f"providers:\n{dead}")
    edit(Path("workflows/support-reply/bundles/candidate.yaml"), "provider: simulated", "provider: dead")
    typed = segue(*EVAL)
    assert typed.code == 11
    assert "6 calls to eager-2 at dead failed (candidate):\n  6 × connection: " in typed.err


def test_a_missing_key_is_named_before_anything_is_asked(workspace: Path, segue: Segue) -> None:
    """The variable and where it is named; never what it holds."""
    edit(Path("segue.yaml"), "providers:\n", "providers:\n  far: {type: openai, api_key_env: FAR_KEY}\n")
    edit(Path("workflows/support-reply/bundles/candidate.yaml"), "provider: simulated", "provider: far")
    typed = segue(*EVAL)
    assert typed.code == 1
    assert "FAR_KEY (providers.far.api_key_env in segue.yaml), and it is not set" in typed.err
    assert "export FAR_KEY=" in typed.err
    assert segue("log", "--json").json[-1]["kind"] != "run-began"


def test_a_variable_that_a_case_lacks_is_named(workspace: Path, segue: Segue) -> None:
    """With the case, and what it has."""
    with Path("workflows/support-reply/prompts/reply.template.md").open("a", encoding="utf-8") as file:
        file.write("Dear {{nme}}\n")
    typed = segue(*EVAL)
    assert typed.code == 1
    assert "{{nme}} stands in the text" in typed.err
    assert "it has: company, input" in typed.err


def test_a_metric_that_no_scorer_gives_is_named(workspace: Path, segue: Segue) -> None:
    """With the ones there are."""
    edit(Path("workflows/support-reply/workflow.yaml"), "primary: [right_topic]", "primary: [right_topik]")
    typed = segue(*EVAL)
    assert (typed.code, "right_topik" in typed.err, "right_topic" in typed.err) == (1, True, True)


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("segue.yaml", "version: [\n"),
        ("workflows/support-reply/workflow.yaml", "gate: [\n"),
        ("workflows/support-reply/bundles/candidate.yaml", "model: {\n"),
        ("workflows/support-reply/contract.json", '{"type": \n'),
        ("workflows/support-reply/suites/main.jsonl", '{"case_id": \n'),
        ("workflows/support-reply/suites/main.jsonl", ""),
    ],
)
def test_a_broken_file_is_named_with_its_line(workspace: Path, segue: Segue, file: str, text: str) -> None:
    """Whatever stumbles over it, with what to do."""
    Path(file).write_text(text, encoding="utf-8")
    error = segue(*EVAL, "--json").json["error"]
    assert file in json.dumps(error)
    assert any(fault["line"] for fault in error["faults"])
    assert all(fault["fix"] for fault in error["faults"])


@pytest.mark.parametrize("file", ["prompts/reply.template.md", "suites/main.jsonl", "contract.json"])
def test_a_missing_file_is_named_with_who_asks_for_it(workspace: Path, segue: Segue, file: str) -> None:
    """The bundle's file and the line it is named in."""
    Path("workflows/support-reply", file).unlink()
    typed = segue(*EVAL)
    assert typed.code == 1
    assert "workflows/support-reply/bundles/current.yaml:" in typed.err


def test_two_runs_of_one_bundle_show_its_noise(judged: Path, segue: Segue) -> None:
    """The command that the refusal of a candidate that is the incumbent offers."""
    assert segue(*EVAL, "--repeats", "2").code == 11
    words = ("--incumbent", "candidate", "--incumbent-repeats", "0", "--candidate-repeats", "1")
    assert segue(*COMPARE, *words, "--json").json["coverage"]["common"] == 6


@pytest.mark.parametrize("words", [EVAL, COMPARE], ids=["eval", "compare"])
def test_a_gate_that_could_not_judge_is_refused_with_its_place(judged: Path, segue: Segue, words: tuple[str, ...]) -> None:
    """As `segue check` would have said; nothing is asked, and no verdict is kept."""
    edit(Path("workflows/support-reply/workflow.yaml"), "guardrails: [in_form]", "guardrails: [length]")
    typed = segue(*words)
    assert (typed.code, typed.out) == (1, "")
    assert "workflow.yaml:" in typed.err
    assert "'length' is measured in characters, and only metrics from 0 to 1 can gate" in typed.err
    assert len(segue("show", "verdicts", "support-reply", "--json").json) == 1


def test_a_critical_slice_without_cases_stops_what_costs_money(judged: Path, segue: Segue) -> None:
    """What is stored is judged all the same, and held; the slice that was meant is named beforehand."""
    own = Path("workflows/support-reply/workflow.yaml")
    edit(own, "values: [refund, delivery, account]\n    critical: [refund]", "critical: [refnud]")
    asked = segue(*EVAL)
    assert (asked.code, "Did you mean 'topic=refund'?" in asked.err) == (1, True)
    compared = segue(*COMPARE)
    assert (compared.code, "Did you mean 'topic=refund'?" in compared.err) == (11, True)
    assert "The critical slice topic=refnud has no case" in compared.out


def test_a_margin_without_effect_is_told(judged: Path, segue: Segue) -> None:
    """Every time, for it changes what the verdict means."""
    edit(Path("workflows/support-reply/workflow.yaml"), "  margin: 0.02", "  margin: 0.02\n  margins: {lang=dee: 0.1}")
    edit(Path("workflows/support-reply/workflow.yaml"), "    values: [en, de]", "    values: []")
    typed = segue(*COMPARE)
    assert (typed.code, "No case in the stored suite 'main' has 'lang=dee'" in typed.err) == (11, True)


def test_flips_that_held_come_first_and_several_slices_narrow_down(workspace: Path, segue: Segue) -> None:
    """What was confirmed is read before what may be noise; a case has to be in every slice that is named."""
    edit(Path("segue.yaml"), "fence_share: 0.1", "fence_share: 0.5")
    suite = Path("workflows/support-reply/suites/main.jsonl")
    lines = suite.read_text(encoding="utf-8").splitlines()
    twins = [
        json.dumps({**json.loads(line), "case_id": f"twin-{place}-{n}"}) for place, line in enumerate(lines) for n in range(8)
    ]
    suite.write_text("".join(f"{line}\n" for line in twins), encoding="utf-8")
    assert segue(*EVAL).code in (11, 12)
    words = ("show", "flips", "support-reply", "--metric", "in_form", "--limit", "100", "--json")
    every = segue(*words).json
    ranks = [{True: 0, None: 1, False: 2}[one["confirmed"]] for one in every]
    assert ranks == sorted(ranks)
    both = segue(*words, "--slice", "lang=en", "--slice", "topic=refund").json
    assert both == [one for one in every if {"lang=en", "topic=refund"} <= set(one["slices"])]
    assert 0 < len(both) < len(every)
    assert segue(*words, "--slice", "lang=en", "--slice", "topic=refnd").code == 1


def test_markdown_goes_to_standard_output_for_a_hyphen(judged: Path, segue: Segue) -> None:
    """As programs that read it expect; no file of that name is made."""
    typed = segue("report", "support-reply", "--markdown", "-")
    assert typed.out == segue("report", "support-reply").out
    assert not Path("-").exists()
