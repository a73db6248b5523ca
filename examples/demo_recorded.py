"""The gate on real outputs: what GPT-4 and others answered before and after real upgrades, recorded in 2023 and 2024.

Run by `make demo-recorded`, with SEGUE_DATA naming the folder of the recordings. It copies `examples/recorded` to
`demo-out/recorded`, imports the recordings, and shows seven things a regression gate has to see. No model is asked.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from walkthrough import EXAMPLES, OUTCOMES, Walkthrough, earlier_state, main, place_workspace, shown

EXAMPLE = EXAMPLES / "recorded"
USUAL_PLACE = EXAMPLES.parent.parent / "shared" / "data"
IMPORTS = (
    ("prime", "llmdrift", "prime"),
    ("leetcode", "llmdrift", "leetcode"),
    ("opinion", "llmdrift", "opinionqa"),
    ("sensitive", "llmdrift", "sensitiveq"),
    ("tool-calling", "bfcl", None),
    ("refusal", "xstest", None),
    ("airline", "taubench_airline", None),
)
"""Workflow, folder of the recordings, and the task of it."""

MARCH, JUNE = "gpt-4-0314", "gpt-4-0613"
TURBO = "gpt-4-turbo-2024-04-09"
LLAMA = "llama-2-70b-chat"
AGENT = "gpt-4o-tau-bench-tool-calling"


def find_data() -> Path | None:
    """The folder with the recordings, if it is there."""
    folder = Path(os.environ.get("SEGUE_DATA") or USUAL_PLACE).expanduser().resolve()
    return folder if all((folder / name).is_dir() for _, name, _ in IMPORTS) else None


def perform(out: Path) -> None:
    """All steps; a plain message where there are no recordings."""
    data = find_data()
    if data is None:
        named = os.environ.get("SEGUE_DATA")
        where = f"SEGUE_DATA is {named}, which does not hold them." if named else "SEGUE_DATA is not set."
        names = ", ".join(dict.fromkeys(name for _, name, _ in IMPORTS))
        sys.stderr.write(
            f"The recorded upgrades are not here: {where}\n"
            f"Name the folder that holds {names}:\n\n    SEGUE_DATA=/path/to/data make demo-recorded\n\n"
            "The demo without them: make demo\n"
        )
        raise SystemExit(1)
    workspace = out / "recorded"
    changed = place_workspace(EXAMPLE, workspace)
    demo = Walkthrough(workspace)
    demo.title("Real upgrades, judged from recorded outputs")
    demo.say(
        "Everything below was really answered, by GPT-4 in March and in June 2023 and by others. Nothing is asked or paid: "
        "the outputs are imported once, and each comparison reads what is stored."
    )
    if changed is not None:
        demo.say(earlier_state(changed, workspace), style="yellow")
    demo.say(f"The commands below run in {shown(workspace)}.", style="dim")
    os.environ["SEGUE_DATA"] = str(data)
    _import(demo)
    _march_to_june(demo)
    _tools(demo)
    _refusals(demo)
    _noise(demo)
    _what_next(demo, workspace)


def _import(demo: Walkthrough) -> None:
    demo.step("Bring in the recordings: cases, outputs and labels. What is stored already is kept.")
    for workflow, folder, task in IMPORTS:
        chosen = ("--where", f"task={task}") if task else ()
        demo.run("import", "layout", workflow, f"$SEGUE_DATA/{folder}", *chosen, pipe=("grep", "^suite"), tight=True)
    demo.say("")


def _compare(
    demo: Walkthrough, workflow: str, old: str, new: str, *more: str, pipe: Sequence[str] = (), columns: int | None = None
) -> None:
    arms = ("--incumbent", old, "--candidate", new)
    demo.run("compare", workflow, *arms, *more, allowed=OUTCOMES, pipe=pipe, columns=columns)


def _march_to_june(demo: Walkthrough) -> None:
    demo.step(
        "Is a number prime? The new model nearly always says no. One slice falls to 2 %; the rise of the other is no health."
    )
    _compare(demo, "prime", MARCH, JUNE, "--html", "prime.html")
    demo.step("Does its code run as it stands? A format break, not lost ability: the report says which of the two it is.")
    _compare(demo, "leetcode", MARCH, JUNE)
    demo.step("Does it answer a survey? It begins to decline. It also answers fewer sensitive questions: there less is better.")
    _compare(demo, "opinion", MARCH, JUNE, pipe=("grep", "-E", "✕|^cause|right ones"))
    _compare(demo, "sensitive", MARCH, JUNE, pipe=("head", "-n", "8"))


def _tools(demo: Walkthrough) -> None:
    demo.step("Tool calls: far better in total, worse at knowing when not to call.")
    _compare(demo, "tool-calling", "gpt-4-0613-FC", "gpt-4-1106-preview-FC", pipe=("head", "-n", "23"))
    demo.say("The same upgrade with the tools described in the prompt: the total holds, that one thing does not.")
    _compare(demo, "tool-calling", "gpt-4-0613", "gpt-4-1106-preview", pipe=("head", "-n", "8"))
    demo.say("One and the same snapshot, moved from the prompt to function calling: another bundle, another behaviour.")
    _compare(demo, "tool-calling", TURBO, f"{TURBO}-FC", pipe=("grep", "-E", "^where|▼|▲"), columns=120)


def _refusals(demo: Walkthrough) -> None:
    demo.step("Without its system prompt a model answers safe questions again. Does it still refuse the unsafe ones?")
    old, new = f"{LLAMA}+original-system-prompt", LLAMA
    for kind in ("safe", "unsafe"):
        _compare(demo, "refusal", old, new, "--only", f"kind={kind}", pipe=("grep", "-E", "^where|^behaves"))
    demo.say("A judge labelled the same outputs. It disagrees with people too often, and unevenly, so no gate may rest on it:")
    demo.run("judge", "calibrate", "refusal", "judged", "--incumbent", old, "--candidate", new, allowed=(0, 11))


def _noise(demo: Walkthrough) -> None:
    demo.step("Two trials of one agent differ on 19 of 50 tasks. That is noise: nothing is blocked, nothing is waved through.")
    _compare(demo, "airline", AGENT, AGENT, "--incumbent-repeats", "0", "--candidate-repeats", "1", pipe=("head", "-n", "10"))
    demo.step("Some calls took hours. Quantiles are compared, and the outliers are counted.")
    _compare(demo, "leetcode", "gpt-3.5-turbo-0301", "gpt-3.5-turbo-0613", pipe=("grep", "-E", "^Latency|20 times"))


def _what_next(demo: Walkthrough, workspace: Path) -> None:
    demo.step("Go on from here")
    demo.bullets(
        [
            ("Open the first report in a browser:", shown(workspace / "prime.html")),
            (
                "Go to the workspace, where everything above can be typed:",
                f"cd {shown(workspace)} && source {Path(sys.executable).parent}/activate",
            ),
            ("Read what was answered:", "segue show flips prime --slice kind=prime --limit 3"),
            ("See which verdicts are stored:", "segue show verdicts tool-calling"),
            ("Bring in results of your own (CSV, JSON Lines, promptfoo, Inspect):", "segue import --help"),
        ]
    )


if __name__ == "__main__":
    sys.exit(main(perform, "Segue's gate on recorded upgrades of real models."))
