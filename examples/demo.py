"""The main job end to end, embedded: may a newer, cheaper model take over? No key, no network, no data but the example's own.

Run by `make demo`. It copies `examples/support-reply` to `demo-out/support-reply` and types there what a user would type.
"""

from __future__ import annotations

import sys
from pathlib import Path

from walkthrough import EXAMPLES, OUTCOMES, Walkthrough, earlier_state, main, place_workspace, shown

EXAMPLE = EXAMPLES / "support-reply"
LEFT_OUT = ("suite_source", "make_suite.py")
WORKFLOW = "support-reply"


def perform(out: Path) -> None:
    """All steps."""
    workspace = out / "support-reply"
    changed = place_workspace(EXAMPLE, workspace, left_out=LEFT_OUT)
    with (EXAMPLE / "workflows" / WORKFLOW / "suites" / "main.jsonl").open(encoding="utf-8") as suite:
        n_mails = sum(1 for _ in suite)
    demo = Walkthrough(workspace)
    demo.title("May the newer, cheaper model answer our customers' mail from now on?")
    demo.say(
        "Kettle & Pine, a shop that exists only here, lets a model read each customer's mail, choose the next step and draft "
        "the reply. A newer model costs a quarter and is right more often. Segue finds out whether it may take over."
    )
    demo.say(
        "Both models are SIMULATED: how often each is right, what it costs and how long it takes is declared in segue.yaml. "
        f"All the rest is the real thing: {n_mails} mails in four languages, two bundles, runner, scorers and statistics."
    )
    if changed is not None:
        demo.say(earlier_state(changed, workspace), style="yellow")
    demo.say(f"The commands below run in {shown(workspace)}.", style="dim")

    demo.step("The workspace is plain files that a team keeps in git. Are they in order?")
    demo.run("check")

    demo.step("A gate sees only what its suite shows. What can this one show?")
    demo.run("suite", "stats", WORKFLOW)
    demo.say(
        "No suite shows everything. This one is good for losses of about 3 points in total, 6 where it is about refunds and 8 "
        "elsewhere; the margins in workflow.yaml were chosen for that."
    )

    demo.step("What would change? A bundle is everything that decides an answer, not only the model.")
    demo.run("bundle", "diff", WORKFLOW, "current", "candidate")

    demo.step("Both bundles answer all mails, as often as the noise asks for, and are compared case by case.")
    code = demo.run("eval", WORKFLOW, "--candidate", "candidate", "--html", "report.html", allowed=OUTCOMES)
    demo.say(
        f"Exit code {code} means {OUTCOMES[code]} (0 pass, 10 caution, 11 hold, 12 fail), so a build can stop here. "
        "This demo goes on."
    )

    demo.step("Numbers convince nobody. What did it do with the money?")
    demo.run("show", "flips", WORKFLOW, "--slice", "task=refund", "--limit", "2")

    _what_next(demo, workspace)


def _what_next(demo: Walkthrough, workspace: Path) -> None:
    demo.step("Go on from here")
    demo.bullets(
        [
            ("Open the whole report in a browser; it is one file and works offline:", shown(workspace / "report.html")),
            (
                "Go to the workspace, where everything above can be typed:",
                f"cd {shown(workspace)} && source {Path(sys.executable).parent}/activate",
            ),
            (
                "The prompt was written for the old model. Judge the new one with a prompt of its own:",
                f"segue eval {WORKFLOW} --candidate candidate-retuned",
            ),
            ("See what was re-tuned:", f"segue bundle diff {WORKFLOW} candidate candidate-retuned"),
            (
                "Would you allow a larger loss? Set critical_margin: 0.25 in workflows/support-reply/workflow.yaml and judge "
                "again what is stored; no model is asked:",
                f"segue compare {WORKFLOW} --candidate candidate",
            ),
            ("Run the demo a second time: no answer is asked for twice.", "make demo"),
            ("The same gate on real outputs, GPT-4 March to June 2023, with SEGUE_DATA set:", "make demo-recorded"),
            ("Begin with a workflow of your own:", "segue init my-workspace"),
        ]
    )


if __name__ == "__main__":
    sys.exit(main(perform, "Segue's main job on a simulated upgrade."))
