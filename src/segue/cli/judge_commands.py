"""`segue judge`: whether a judge agrees with people, on both bundles' outputs."""

from __future__ import annotations

import click

from segue.cli.desk import open_desk
from segue.cli.groups import CommandGroup
from segue.cli.options import NAME, json_option
from segue.cli.screen import console, print_json
from segue.errors import InputError, NotFoundError

REFUSED = 11


@click.group("judge", cls=CommandGroup)
def judge_command() -> None:
    """Judges: advisory until they are calibrated against human labels."""


@judge_command.command("calibrate")
@click.argument("workflow", type=NAME)
@click.argument("scorer", type=NAME)
@click.option("--incumbent", type=NAME, metavar="BUNDLE", help="Default: the workflow's incumbent.")
@click.option("--candidate", required=True, type=NAME, metavar="BUNDLE", help="The bundle that may take over.")
@json_option
def calibrate(workflow: str, scorer: str, incumbent: str | None, candidate: str, as_json: bool) -> None:
    """Hold the judge SCORER of WORKFLOW against the human labels of both bundles' outputs.

    Exit code 0 if it may gate, 11 if it may not.
    """
    from segue.cli.evaluation import open_session
    from segue.evals.judge_standing import calibrate_scorer, is_judged
    from segue.evals.session import Request
    from segue.gates.report import plain

    with open_desk() as desk:
        scope = open_session(desk).scope(Request(workflow=workflow, incumbent=incumbent, candidate=candidate))
        judged = {spec.name: spec for spec in scope.question.workflow.scorers if is_judged(spec)}
        if scorer not in judged:
            raise NotFoundError.naming("judge", scorer, judged, fix="A judge is a scorer of type judge or pairwise.")
        if judged[scorer].calibrate is None:
            raise InputError(
                f"The judge '{scorer}' does not say whose labels it is held against.",
                fix="Add calibrate: {against: LABELER, map: {LABEL: 1, OTHER: 0}} to it in workflow.yaml.",
            )
        found = calibrate_scorer(scope, judged[scorer])
    if as_json:
        print_json({"may_gate": found.may_gate, "sentences": found.sentences(), "calibration": plain(found)})
    else:
        for line in found.sentences():
            console().print(line, markup=False)
    if not found.may_gate:
        raise SystemExit(REFUSED)
