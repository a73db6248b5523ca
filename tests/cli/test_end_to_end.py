"""Whole ways of a user, from files or a provider to a verdict: what no test of a part would notice.

Each begins with an empty folder and only types commands. The provider is the stand-in, in a process of its own.
"""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import Segue, Typed, edit
from tests.imports.builders import LLMDRIFT_HEADER, a_header, a_promptfoo_file, a_promptfoo_row, a_sample, an_eval_log
from tests.store.postgres import find_programs, running_server

EVAL = ("eval", "support-reply", "--candidate", "candidate")
BUNDLE = Path("workflows/support-reply/bundles/candidate.yaml")


def compared(segue: Segue, imported: Typed) -> Typed:
    """The comparison that an import offered, typed as it stands, arms the other way round if it is wanted."""
    offered = imported.out.splitlines()[-1]
    assert offered.startswith("  segue compare ")
    return segue(*shlex.split(offered)[1:], "--json")


def test_a_table_in_json_lines_leads_to_a_verdict(workspace: Path, segue: Segue) -> None:
    """Words as labels, a slice, latency and cost: a loss on one slice is found."""
    rows = [
        {
            "id": n,
            "q": f"What is {n}?",
            "lang": "de" if n % 3 == 0 else "en",
            "model": model,
            "a": str(n),
            "ms": 800,
            "usd": 0.01,
        }
        | {"fine": "no" if model == "b-new" and n % 3 == 0 and n % 2 else "yes"}
        for n in range(150)
        for model in ("a-old", "b-new")
    ]
    Path("answers.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    Path("columns.yaml").write_text(
        "case_id: id\ninput: q\nslices: [lang]\nrelease: model\noutput: a\nlatency: ms\nlatency_unit: ms\ncost: usd\n"
        "labels: {human: fine}\n",
        encoding="utf-8",
    )
    typed = segue("import", "table", "quiz", "answers.jsonl", "--mapping", "columns.yaml")
    assert "The labels of human are words: 'no' as 0, 'yes' as 1." in typed.out
    verdict = compared(segue, typed)
    assert (verdict.code, verdict.json["n_cases"]) == (12, 150)
    worst = {one["where"]: one["verdict"] for one in verdict.json["findings"]}
    assert worst["lang=de"] == "worse"
    assert {one["name"] for one in verdict.json["operations"] if one["old"]["n"]} >= {"latency", "cost"}
    assert segue("check").code == 0


def test_labels_without_worth_are_named_before_anything_is_judged(workspace: Path, segue: Segue) -> None:
    """Rather than a hold in which everything is unscored."""
    rows = "".join(f"q{n},{model},x,{'2_full' if n % 2 else '1_part'}\n" for n in range(20) for model in ("a", "b"))
    Path("answers.csv").write_text("q,model,a,grade\n" + rows, encoding="utf-8")
    Path("columns.yaml").write_text("input: q\nrelease: model\noutput: a\nlabels: {human: grade}\n", encoding="utf-8")
    typed = segue("import", "table", "quiz", "answers.csv", "--mapping", "columns.yaml")
    refused = compared(segue, typed)
    assert refused.code == 1
    (fault,) = refused.json["error"]["faults"]
    assert (fault["path"], fault["what"]) == (
        "scorers[0].map",
        "The labels of human are words ('1_part', '2_full'), and nothing says what they are worth.",
    )
    edit(Path("workflows/quiz/workflow.yaml"), "    labeler: ", '    map: {"1_part": 0, "2_full": 1}\n    labeler: ')
    assert compared(segue, typed).code in (0, 11)


def test_the_published_columns_of_llmdrift_lead_to_a_verdict(workspace: Path, segue: Segue) -> None:
    """With the preset, one task in a file; the answers are repeats of a trial."""
    lines = [LLMDRIFT_HEADER]
    for n in range(40):
        for model in ("openaichat/gpt-4-0314", "openaichat/gpt-4-0613"):
            answer = "[Yes]" if model.endswith("0314") or n % 4 else "Well"
            lines.append(f"{n},{n},{model},0.1,100,0,PRIME,{n},Is {n} prime?,[Yes],{answer},1.5,0.01,,1680000000,5,0.3")
    Path("PRIME.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    typed = segue("import", "table", "prime", "PRIME.csv", "--preset", "llmdrift")
    assert "No labels came along" in typed.out
    assert typed.out.splitlines()[-1] == "  segue compare prime --incumbent gpt-4-0314 --candidate gpt-4-0613"
    verdict = compared(segue, typed).json
    (total,) = [one for one in verdict["findings"] if not one["where"] and one["metric"] == "correct"]
    assert (total["n"], total["old"]["mean"], total["new"]["mean"]) == (40, 1.0, 0.75)


def test_promptfoo_results_lead_to_a_verdict_and_a_rubric_gates_nothing(workspace: Path, segue: Segue) -> None:
    """A model stands behind an `llm-rubric`; without it the gradings are a rule's."""
    for kind in ("contains", "llm-rubric"):
        rows = []
        for n in range(120):
            for prompt in (0, 1):
                row = a_promptfoo_row(f"topic {n}", prompt)
                row["testCase"] |= {"metadata": {"lang": "de" if n % 2 else "en"}, "assert": [{"type": kind, "value": "x"}]}
                row["gradingResult"]["pass"] = prompt == 0 or n % 6 != 0
                rows.append(row)
        a_promptfoo_file(Path(f"{kind}.json"), rows)
        typed = segue("import", "promptfoo", kind, f"{kind}.json")
        verdict = compared(segue, typed)
        codes = {reason["code"] for reason in verdict.json["reasons"]}
        if kind == "contains":
            assert (verdict.code, "total-worse" in codes) == (12, True)
        else:
            assert (verdict.code, codes) == (11, {"judge-refused"})
            assert "Only judges labelled these outputs (promptfoo)" in typed.out


def test_inspect_archives_packed_with_zstandard_lead_to_a_verdict(workspace: Path, segue: Segue) -> None:
    """As Inspect writes them today; its letters are worth what it says."""
    for name, wrong in (("old", 9), ("new", 4)):
        samples = []
        for n in range(130):
            sample = a_sample(f"s{n}", answer="42" if n % wrong else "41", input=f"six times seven, {n}")
            samples.append({**sample, "metadata": {"topic": "sums" if n % 2 else "products"}})
        head = a_header(eval={**a_header()["eval"], "model": f"vendor/{name}"})
        an_eval_log(Path(f"{name}.eval"), samples, header=head, zstd=True)
    typed = segue("import", "inspect", "sums", "old.eval", "new.eval", "--release", "a-old", "--release", "b-new")
    verdict = compared(segue, typed)
    worse = {one["where"] for one in verdict.json["findings"] if one["verdict"] == "worse"}
    assert (verdict.code, worse) == (12, {"", "topic=products"})
    assert "No case has 'topc' in its metadata" in segue("import", "inspect", "more", "old.eval", "--slices", "topc").err


@pytest.mark.postgres
def test_a_workspace_whose_state_is_in_postgresql(workspace: Path, segue: Segue, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same commands, the same answers; nothing is left in the folder."""
    programs = find_programs()
    if programs is None:
        pytest.skip("There is no PostgreSQL server program on this machine (initdb and postgres).")
    edit(Path("segue.yaml"), "state: .segue/state.db", "state: ${SEGUE_STATE}")
    assert "The environment variable SEGUE_STATE is not set" in segue("check").out
    with running_server(programs) as server:
        address = server.new_database()
        monkeypatch.setenv("SEGUE_STATE", address)
        assert segue("check").code == 0
        assert segue(*EVAL).code == 11
        assert "nothing to ask; 6 answers stored already" in segue(*EVAL).err
        assert segue("compare", *EVAL[1:]).code == 11
        assert segue("show", "flips", "support-reply", "--metric", "in_form").code == 0
        assert segue("bundle", "verify", "support-reply").code == 0
        assert "The chain holds" in segue("log", "verify").out
        monkeypatch.setenv("SEGUE_STATE", address.replace("/db", "/nosuchdb"))
        lost = segue("log")
        assert (lost.code, "does not exist" in lost.err, "not-a-secret" in lost.err) == (1, True, False)
    assert not Path(".segue").exists()


@pytest.fixture
def anthropic_address() -> Iterator[str]:
    """The stand-in, speaking Anthropic's API, in a process of its own; it wants a key."""
    words = [
        "--dialect",
        "anthropic",
        "--port",
        "0",
        "--key",
        "k-123",
        "--text",
        '{"topic": "refund", "reply": "Kind regards"}',
    ]
    with subprocess.Popen([sys.executable, "-m", "segue.standin", *words], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.terminate()


def test_an_eval_against_anthropics_api(
    workspace: Path, segue: Segue, anthropic_address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without its key, with a wrong one, with the right one: each is told, and only the last is judged."""
    provider = f"  claude: {{type: anthropic, vendor: anthropic, base_url: '{anthropic_address}', api_key_env: STANDIN_KEY}}\n"
    edit(Path("segue.yaml"), "providers:\n", f"providers:\n{provider}")
    edit(BUNDLE, "provider: simulated", "provider: claude")
    edit(BUNDLE, "snapshot: eager-2", "snapshot: claude-3-5-haiku-20241022")
    edit(BUNDLE, "  reasoning_effort: low", "#")
    monkeypatch.delenv("STANDIN_KEY", raising=False)
    unset = segue(*EVAL)
    assert (unset.code, "export STANDIN_KEY=" in unset.err) == (1, True)
    monkeypatch.setenv("STANDIN_KEY", "wrong")
    refused = segue(*EVAL)
    assert refused.code == 11
    assert "6 × auth: HTTP 401" in refused.err
    assert "what is refused every time needs another request" in " ".join(refused.out.split())
    monkeypatch.setenv("STANDIN_KEY", "k-123")
    asked = segue(*EVAL)
    assert "incumbent: nothing to ask" in asked.err
    assert "6 of 6 cases have a reply on both bundles" in asked.out
    assert "wrong" not in segue("log", "--json").out
    assert "k-123" not in segue("log", "--json").out


def test_what_is_known_of_a_models_future_is_shown(workspace: Path, segue: Segue) -> None:
    """A floating alias and a retirement: by the check, and wherever a bundle is shown."""
    edit(Path("segue.yaml"), "providers:\n", "providers:\n  claude: {type: anthropic, api_key_env: STANDIN_KEY}\n")
    edit(BUNDLE, "provider: simulated", "provider: claude")
    edit(BUNDLE, "  reasoning_effort: low", "#")
    edit(BUNDLE, "eager-2", "claude-3-5-sonnet-latest")
    assert "'claude-3-5-sonnet-latest' is a floating alias" in segue("check").out
    added = segue("bundle", "add", "support-reply", "candidate")
    assert (
        "claude-3-5-sonnet-latest floats: its vendor may point it elsewhere at any time. Pin a dated snapshot.\n" in added.out
    )
    edit(BUNDLE, "claude-3-5-sonnet-latest", "claude-3-opus-20240229")
    assert "'claude-3-opus-20240229' retired on 2026-01-05" in segue("check").out
    assert segue("bundle", "add", "support-reply").code == 0
    listed = segue("bundle", "list", "support-reply").out
    assert "claude-3-opus-20240229 retired on 2026-01-05." in listed
    assert "claude-3-5-sonnet-latest floats" in listed
    differs = segue("bundle", "diff", "support-reply", "current", "candidate").out
    assert "model snapshot steady-1 → claude-3-opus-20240229" in differs
    assert segue("bundle", "verify", "support-reply").code == 0
