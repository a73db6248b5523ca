"""The main job end to end, for real and in small: an upgrade with gateway, controller and live traffic. No key, no network.

Run by `make demo`. It copies `examples/support-reply` to `demo-out/support-reply`, serves it there, has simulated customers
write mails, and types what a user would type. By the demo's plan a day is two seconds; nothing else is made shorter.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from walkthrough import EXAMPLES, DemoError, Walkthrough, find_segue, main, place_workspace, put_aside, shown

EXAMPLE = EXAMPLES / "support-reply"
LEFT_OUT = ("suite_source", "make_suite.py")
WORKFLOW = "support-reply"
MAILS_PER_SECOND, WHEN_BUSY = 10, 150
"""Few while the suite runs on the same two cores, many where evidence is waited for."""
DESPITE = ("--despite", "short-canary", "--reason", "a demo: by its plan a day is two seconds")
MOST_S = 180.0
"""Nothing in the demo takes so long, unless something is wrong."""
SLOW = ("overdue", "quiet", "unserved")
"""What a machine that does other things beside this may be held for, where a day is two seconds."""
REGRESSION = {
    "case_id": "refund-after-incident-1",
    "task": "refund",
    "slice": {"lang": "en", "tier": "standard"},
    "kind": "regression",
    "variables": {"tier": "standard"},
    "messages": [{"role": "user", "content": "I changed my mind about the kettle I bought in spring. Give me the money back."}],
    "reference": {
        "topic": "refund",
        "action": "decline",
        "reply": "Thank you for writing. The time to return the kettle is over, so we cannot refund it.",
    },
    "metadata": {
        "situation": "incident",
        "timid": [{"topic": "refund", "action": "ask_details", "reply": "Could you send us your order number, please?"}],
        "eager": [{"topic": "refund", "action": "refund", "reply": "Of course! The money is on its way to you."}],
    },
}


def perform(out: Path) -> None:
    """All steps."""
    workspace = out / "support-reply"
    aside = put_aside(workspace)
    place_workspace(EXAMPLE, workspace, left_out=LEFT_OUT)
    demo = Walkthrough(workspace)
    demo.title("May the newer, cheaper model answer our customers' mail from now on?")
    demo.say(
        "Kettle & Pine, a shop that exists only here, lets a model read each customer's mail, choose the next step and draft "
        "the reply. A newer model costs a quarter and is right more often. Segue finds out whether it may take over, and if it "
        "may, brings it in step by step."
    )
    demo.say(
        "The models and the customers are SIMULATED: how often each model is right, and that one of them will be changed by "
        "its provider, is declared in segue.yaml. All the rest is the real thing: gateway, controller, exchange log, scorers, "
        "statistics. By the plan of this demo a day is two seconds."
    )
    if aside is not None:
        demo.say(f"The workspace of an earlier run is now {shown(aside)}.", style="yellow")
    demo.say(f"The commands below run in {shown(workspace)}.", style="dim")
    os.environ["SEGUE_AUTHOR"] = "you"
    Story(demo, workspace).tell()


class Story:
    """The upgrade, told as it happens."""

    def __init__(self, demo: Walkthrough, workspace: Path) -> None:
        self._demo, self._workspace = demo, workspace
        self._busy = workspace / ".segue" / "busy"
        self._told = 0
        self._store: Any = None

    def tell(self) -> None:
        """From the first look to the end of the soak."""
        demo = self._demo
        demo.step("The workspace is plain files that a team keeps in git. Are they in order, and who serves today?")
        demo.run("check", tight=True)
        demo.run("route", "set", WORKFLOW, "current", "--reason", "what serves today")
        with self._serving() as key, self._customers(key):
            self._gate()
            self._second_try()
            self._trouble()
            self._way_back()
            self._third_try()
            self._what_next()

    # chapters

    def _gate(self) -> None:
        demo = self._demo
        demo.step("Begin the upgrade. First the suite: both bundles answer all of it and are compared case by case.")
        demo.run("upgrade", WORKFLOW, "--candidate", "candidate", "--plan", "demo", *DESPITE)
        self._follow(lambda state: state["stage"] == "retune", "the suite's verdict")
        demo.say("The average rose, and the one slice that moves money fell: the gate stops it before any customer meets it.")

    def _second_try(self) -> None:
        demo = self._demo
        demo.step("A candidate is judged with the prompt it needs. Somebody has written one.")
        demo.run(
            "upgrade", "replace", WORKFLOW, "--candidate", "candidate-retuned", "--reason", "a prompt of its own", tight=True
        )
        demo.say("While the suite is asked again: what did the first one do with the money?")
        demo.run("show", "flips", WORKFLOW, "--slice", "task=refund", "--limit", "1")
        self._to_shadow()
        demo.step("In shadow every mail goes to both models, and customers see the old one's answer.")
        self._follow(lambda state: state["stage"] == "canary", "the end of the shadow")

    def _trouble(self) -> None:
        demo = self._demo
        demo.step("Customers meet it: 10 % of them, then 25 %. And then its provider changes the model.")
        self._follow(lambda state: state["stage"] == "canary" and state["step"] == 1 and bool(state["periods"]), "25 %")
        (self._workspace / "provider-changed").touch()
        demo.say("(The provider has just changed the model. Nobody told us.)", style="yellow")
        self._follow(lambda state: state["stage"] == "rolled_back", "the rollback")
        self._busy.unlink(missing_ok=True)
        demo.say("Nobody had to look.")

    def _way_back(self) -> None:
        demo = self._demo
        demo.step("It rolled back by itself. Why, and who met the candidate?")
        demo.run("why", WORKFLOW)
        demo.step("Nobody tries the same model again before it is known what went wrong.")
        demo.run("upgrade", WORKFLOW, "--candidate", "candidate-fixed", "--plan", "demo", *DESPITE, allowed=(1,))
        suite = self._workspace / "workflows" / WORKFLOW / "suites" / "main.jsonl"
        with suite.open("a", encoding="utf-8") as file:
            file.write(json.dumps(REGRESSION) + "\n")
        demo.say(f"The case that would have caught it is added to {shown(suite)}, and the prompt now says it outright.")
        demo.run(
            "incident", "note", WORKFLOW, "--root-cause", "the provider changed the model",
            "--action", "the prompt asks for the three checks one by one", "--case", f"main/{REGRESSION['case_id']}",
            tight=True,
        )  # fmt: skip

    def _third_try(self) -> None:
        demo = self._demo
        demo.step("Once more, with the mended prompt: the whole way.")
        self._told = 0
        demo.run("upgrade", WORKFLOW, "--candidate", "candidate-fixed", "--plan", "demo", *DESPITE, tight=True)
        self._to_shadow()
        self._follow(lambda state: state["stage"] == "canary", "the end of the shadow")
        demo.say("While customers meet it: what the shadow says that changes for them.")
        demo.run("drift", WORKFLOW, "--examples", "1", pipe=("head", "-n", "28"))
        self._follow(lambda state: state["stage"] == "soak", "the soak")
        demo.run("status", WORKFLOW)
        self._follow(lambda state: state["stage"] == "completed", "the end")
        demo.run("route", "show", WORKFLOW)

    def _what_next(self) -> None:
        demo = self._demo
        demo.step("Go on from here. Gateway and controller have ended with this demo; everything they did is kept.")
        python = Path(sys.executable).parent
        demo.bullets(
            [
                (
                    "Go to the workspace, where everything above can be typed:",
                    f"cd {shown(self._workspace)} && source {python}/activate",
                ),
                ("The whole log, by whom and why; and what each decision was made on:", f"segue history {WORKFLOW}"),
                ("The report of the incident:", f"segue incident show {WORKFLOW} --md"),
                ("The verdict of the suite, as a page:", f"segue report {WORKFLOW} --html report.html"),
                ("Serve it again, and be the customers yourself:", "segue serve"),
                ("Try the same plan against other troubles, in virtual time:", "segue rehearse demo"),
                ("What this plan could not see, before anybody relies on it:", "segue plan simulate demo --traffic 20000/day"),
                ("The gate on real outputs, GPT-4 March to June 2023, with SEGUE_DATA set:", "make demo-recorded"),
                ("Begin with a workflow of your own:", "segue init my-workspace"),
            ]
        )

    # what goes on beside the commands

    def _to_shadow(self) -> None:
        """Through suite and staging, where what a new prompt changed has to be accepted by name. Then more mails come."""
        demo = self._demo
        self._busy.unlink(missing_ok=True)
        self._follow(lambda state: state["stage"] == "shadow" or self._held(state, "staging"), "staging")
        last = self._read()[-1]
        if self._held(last, "staging"):
            faults = last["because"]
            demo.say("Staging has replayed what was recorded. It asks a person about everything that answers changed in:")
            dimensions = dict.fromkeys(self._unexplained(faults))
            accepted = [word for one in dimensions for word in ("--accept", one)]
            reason = "as the new prompt wants it"
            demo.run("drift", WORKFLOW, "--environment", "staging", *accepted, "--reason", reason, tight=True)
            demo.run("upgrade", "resume", WORKFLOW, "--reason", "explained", tight=True)
            self._follow(lambda state: state["stage"] == "shadow", "shadow")
        self._busy.touch()

    @staticmethod
    def _held(state: dict[str, Any], stage: str) -> bool:
        return bool(state["stage"] == stage and state["standing"] == "holding")

    @staticmethod
    def _unexplained(faults: list[str]) -> Iterator[str]:
        """The dimensions that the sentences ask to accept."""
        for fault in faults:
            words = fault.split()
            for place, word in enumerate(words[:-1]):
                if word == "--accept":
                    yield words[place + 1].strip(".,;`'")

    def _read(self) -> list[dict[str, Any]]:
        """The log of the last upgrade: the state after each entry, with what led there."""
        from segue.controller.reading import read_upgrade
        from segue.store import open_store

        if self._store is None:
            self._store = open_store(self._workspace / ".segue" / "state.db")
        entries = read_upgrade(self._store, WORKFLOW).entries
        return [{**one.state.model_dump(mode="json"), "event": one.event, "because": list(one.because)} for one in entries]

    def _follow(self, there: Callable[[dict[str, Any]], bool], what: str) -> None:
        """Tell every entry of the log as it comes, until the state is `there`."""
        end = time.monotonic() + MOST_S
        while True:
            states = self._read()
            for state in states[self._told :]:
                self._tell_entry(state)
            self._told = len(states)
            # The upgrade may be further by now than what is waited for.
            if any(there(state) for state in states):
                self._demo.say("")
                return
            if states and states[-1]["standing"] == "holding" and states[-1]["event"] in SLOW:
                self._demo.run("upgrade", "resume", WORKFLOW, "--reason", "this machine is slow: a little longer", tight=True)
            if states and states[-1]["stage"] in ("completed", "rolled_back", "stopped", "deferred"):
                raise DemoError(f"The upgrade ended as {states[-1]['stage']} while the demo waited for {what}.")
            if time.monotonic() > end:
                raise DemoError(f"The demo waited for {what} in vain; see {shown(self._workspace / 'serve.log')}.")
            time.sleep(0.1)

    def _tell_entry(self, state: dict[str, Any]) -> None:
        stage = state["stage"].replace("_", " ")
        step = f", step {state['step'] + 1}" if stage == "canary" else ""
        standing = "" if state["standing"] == "going" else f" ({state['standing']})"
        because = " ".join(state["because"])
        self._demo.line(f"{state['event'].replace('_', ' '):<12} → {stage}{step}{standing}", because)

    @contextmanager
    def _serving(self) -> Iterator[str]:
        """`segue serve`, with what it says in serve.log; gives the key for applications."""
        self._demo.step("Serve it: a gateway for the application, and a controller that leads upgrades, in one go.")
        self._demo.command("segue serve --port 0 --api-port 0 --every 0.2 &")
        words = [*find_segue(), "serve", "--port", "0", "--api-port", "0", "--every", "0.2", "--json"]
        with (self._workspace / "serve.log").open("w", encoding="utf-8") as log:
            process = subprocess.Popen(
                words, cwd=self._workspace, stdout=subprocess.PIPE, stderr=log, text=True, start_new_session=True
            )
            try:
                assert process.stdout is not None
                gateway = self._started(process)
                self._url = str(gateway["url"])
                self._demo.say(
                    f"It serves on {self._url}; {MAILS_PER_SECOND} customers a second begin to write, {WHEN_BUSY} later on."
                )
                yield str(gateway["key"])
            finally:
                process.send_signal(signal.SIGINT)
                process.wait(timeout=60)

    def _started(self, process: subprocess.Popen[str]) -> dict[str, Any]:
        assert process.stdout is not None
        for line in process.stdout:
            found: dict[str, Any] = json.loads(line)
            if "gateway" in found:
                return dict(found["gateway"])
        raise DemoError(f"segue serve did not start; see {shown(self._workspace / 'serve.log')}.")

    @contextmanager
    def _customers(self, key: str) -> Iterator[None]:
        suite = self._workspace / "workflows" / WORKFLOW / "suites" / "main.jsonl"
        words = [sys.executable, str(EXAMPLES / "traffic.py"), "--url", self._url, "--key", key, "--workflow", WORKFLOW]
        words += ["--suite", str(suite), "--rate", str(MAILS_PER_SECOND)]
        words += ["--busy", str(WHEN_BUSY), "--busy-while", str(self._busy)]
        with (self._workspace / "customers.log").open("w", encoding="utf-8") as log:
            process = subprocess.Popen(words, stdout=log, stderr=log, start_new_session=True)
            try:
                yield
            finally:
                process.send_signal(signal.SIGINT)
                process.wait(timeout=30)


if __name__ == "__main__":
    sys.exit(main(perform, "Segue's main job: a whole upgrade, served and led for real, with simulated models and customers."))
