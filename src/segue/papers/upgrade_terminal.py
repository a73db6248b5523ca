"""`segue status` on a terminal: one screen that says where an upgrade stands, what each gate knows, and what happens next.

Nothing is said by colour alone, and no line is wider than the screen but for commands, which are to be pasted.
`upgrade_log_terminal` renders history and single decisions.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from rich.console import Console, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from segue.papers.figures import count, number
from segue.papers.outline import counted
from segue.papers.printable import printable_line, printable_name
from segue.papers.screen import clip_middle, labelled, lines_of, write_lines
from segue.papers.ties import held
from segue.papers.upgrade_view import ANYBODY, ControllerView, GateView, GatewayView, NextView, PlaceView, StatusView
from segue.papers.upgrade_words import effect_words, moment, place_words, settled_words, span, verdict_words
from segue.upgrade.state import ENDED

MOST_GATES = 12
"""So many gates fit on one screen; the rest is counted."""
MOST_SENTENCES = 4
LABEL = 11
WIDE = 100
"""Columns from which on a table says all it could."""
WORST_FIRST = ("harm", "invalid", "inconclusive", "safe")
COLOURS = {"harm": "bold red", "invalid": "bold red", "inconclusive": "yellow", "safe": "green"}
DIM = "dim"


def print_status(view: StatusView, console: Console, *, whole: bool = False) -> None:
    """One screen; with `whole` every gate, however many."""
    blocks: list[RenderableType] = [_head(view, console.width), _facts(view)]
    shown = sort_gates(view.look.gates) if view.look is not None else []
    if shown:
        blocks.append(gates_table(shown if whole else shown[:MOST_GATES], console))
    is_ended = view.stage in ENDED
    words = None if is_ended else _open_questions(view, shown, left_out=0 if whole else max(0, len(shown) - MOST_GATES))
    if words is not None:
        blocks.append(words)
    if view.beside:
        blocks.append(_beside(view))
    for block in blocks:
        write_lines(console, [*lines_of(console, block), []])
    print_next(view.next, console)
    write_lines(console, [[], *lines_of(console, _foot(view))])


def print_statuses(views: Sequence[StatusView], console: Console) -> None:
    """Several upgrades, a line each."""
    made = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("workflow", "environment", "where", "candidate", "time left", "waits for"):
        made.add_column(name, overflow="fold", no_wrap=name in ("time left", "candidate"))
    for view in views:
        share = f", {number(view.share * 100)} %" if view.share else ""
        stage = view.stage.replace("_", " ")
        place = f"{stage}{share}" + ("" if view.standing == "going" else f" ({view.standing})")
        place += "" if view.fault is None else ", cannot be led on"
        waits = next((one for one in view.next if one.who), None)
        made.add_row(
            escape(printable_name(view.workflow, 40)),
            escape(printable_name(view.environment, 24)),
            place,
            escape(printable_name(view.candidate.name, 20)),
            "–" if view.clock is None else span(view.clock.left_s),
            "time and evidence" if waits is None else escape(printable_line(", ".join(waits.who), 60)),
        )
    write_lines(console, lines_of(console, made))


def print_next(steps: Sequence[NextView], console: Console) -> None:
    """What happens next; commands stand on lines of their own."""
    for index, one in enumerate(steps):
        grid = labelled(LABEL)
        who = f" {_people(one.who)}." if one.who and one.who != (ANYBODY,) else ""
        when = f" At the earliest {moment(one.at)}." if one.at is not None else ""
        grid.add_row(Text("next" if index == 0 else "", "bold"), Text(held(_line(one.what) + when + who)))
        write_lines(console, lines_of(console, grid))
        if one.command:
            console.print(f"{'':{LABEL + 2}}{escape(printable_line(one.command))}", style="cyan", soft_wrap=True)


def gates_table(gates: Sequence[GateView], console: Console) -> Table:
    """Gates with their intervals, limits, and what would settle them; with their labels, too, where there is room."""
    is_wide = console.width >= WIDE
    made = Table(box=None, pad_edge=False, header_style="bold")
    made.add_column("gate", overflow="fold", ratio=1, min_width=14)
    for head in ("verdict", "worse by", "hold / back"):
        made.add_column(head, no_wrap=True)
    if is_wide:
        made.add_column("labels", justify="right", no_wrap=True)
    made.add_column("settled by", no_wrap=True)
    for one in gates:
        name = Text(clip_middle(printable_name(one.metric), 40))
        if one.where:
            name.append(f" {printable_name(one.where, 60)}", "" if one.is_critical else DIM)
        if not one.is_required:
            name.append(" (watched)", DIM)
        cells: list[RenderableType] = [
            name,
            Text(verdict_words(one.verdict), COLOURS.get(one.verdict, "")),
            # The limits beside it say the unit, where there are any.
            effect_words(one, with_unit=is_wide or not one.hold),
            limits_words(one),
        ]
        made.add_row(*cells, *([count(one.labelled)] if is_wide else []), settled_words(one))
    return made


def limits_words(gate: GateView) -> str:
    """`2 / 5 points`; both in full where their units differ."""
    if not gate.hold or not gate.rollback:
        return gate.hold or gate.rollback or "–"
    (first, _, unit), (second, _, other) = gate.hold.partition(" "), gate.rollback.partition(" ")
    alike = unit.rstrip("s") == other.rstrip("s")
    return f"{first} / {second} {other}" if alike else f"{gate.hold} / {gate.rollback}"


def sort_gates(gates: Sequence[GateView]) -> list[GateView]:
    """Worst first; what is required and critical before what is only watched; totals before slices."""

    def rank(one: GateView) -> tuple[int, bool, bool, bool]:
        verdict = WORST_FIRST.index(one.verdict) if one.verdict in WORST_FIRST else 2
        return verdict, not one.is_required, bool(one.where) and not one.is_critical, bool(one.where)

    return sorted(gates, key=rank)


def controller_words(one: ControllerView, environment: str) -> str:
    """Who acts, or how to have somebody act."""
    if one.acts:
        return f"{printable_name(one.holder)} acts"
    suffix = "" if environment == "production" else f" --environment {shlex.quote(environment)}"
    return f"none runs, so nothing moves by itself. Start one: segue controller{suffix}"


def _head(view: StatusView, width: int) -> RenderableType:
    name = 24 if width < 100 else 40
    text = Text()
    text.append(clip_middle(printable_name(view.workflow), name), "bold")
    incumbent, candidate = (clip_middle(printable_name(one.name), name) for one in (view.incumbent, view.candidate))
    text.append(f"  {incumbent} → {candidate}", "bold")
    text.append(f"  {printable_name(view.environment)}, plan {printable_name(view.plan) or '–'}\n", DIM)
    text.append_text(_way(view.places))
    return text


def _way(places: Sequence[PlaceView]) -> Text:
    """All stages and steps in order: `decide ✓  eval ✓  [shadow]  1 %  5 %  soak`."""
    text = Text()
    for index, one in enumerate(places):
        if index:
            text.append("  ")
        words = held(place_words(one)).replace(" ", "\ue0a0")
        if one.standing == "here":
            text.append(f"[{words}]", "bold reverse")
        elif one.standing == "left":
            text.append(f"{words}\ue0a0✕", "red")
        else:
            text.append(f"{words}\ue0a0✓" if one.standing == "behind" else words, DIM if one.standing == "ahead" else "green")
    return text


def _facts(view: StatusView) -> RenderableType:
    grid = labelled(LABEL)
    grid.add_row(Text("stage", "bold"), _stage(view))
    if view.fault is not None:
        fix = f" → {_line(view.fault.fix)}" if view.fault.fix else ""
        words = f"cannot be led on since {moment(view.fault.since)}: {_line(view.fault.what)}{fix}"
        grid.add_row(Text("fault", "bold red"), Text(held(words)))
    if view.clock is not None:
        grid.add_row(Text("time", "bold"), Text(held(_time(view))))
    if view.because:
        grid.add_row(Text("because", "bold"), Text(held("\n".join(map(_line, view.because[:MOST_SENTENCES])))))
    if view.approvals:
        grid.add_row(Text("approved", "bold"), Text(", ".join(map(_line, view.approvals))))
    look = view.look
    if look is None:
        return grid
    for label, sentences, style in (
        ("incident", look.incidents, "bold red"),
        ("budget", look.over_budget, "yellow"),
        ("disagrees", look.disagreements, "yellow"),
    ):
        if sentences:
            grid.add_row(Text(label, style), Text(held(" ".join(map(_line, sentences[:MOST_SENTENCES])))))
    return grid


def _beside(view: StatusView) -> RenderableType:
    """What is known beside the gates, a line each."""
    grid = labelled(LABEL)
    for one in view.beside:
        grid.add_row(Text(one.name, "bold yellow" if one.is_trouble else "bold"), Text(held(_line(one.sentence))))
    return grid


def _stage(view: StatusView) -> Text:
    stage = view.stage.replace("_", " ")
    text = Text(stage)
    if view.step is not None:
        text.append(f", step {view.step + 1} of {view.steps}")
    here = next((one for one in view.places if one.standing == "here"), None)
    if here is not None and here.segment and here.share is not None:
        text.append(f": the candidate serves {held(f'{number(here.share * 100)} %')} of {printable_name(here.segment, 40)}")
    elif view.share:
        text.append(f": the candidate serves {held(f'{number(view.share * 100)} %')} of everyone")
    if view.standing != "going":
        text.append(f" ({view.standing})", "bold yellow")
    text.append(f", since {held(moment(view.entered_at))}", DIM)
    return text


def _time(view: StatusView) -> str:
    clock = view.clock
    assert clock is not None
    stands = "" if clock.counts else " Time stands."
    left = f"{span(clock.left_s)} to go" if clock.left_s else "long enough"
    return (
        f"{span(clock.served_s)} of {span(clock.least_s)}: {left}. "
        f"After {span(clock.longest_s)} unsettled, a person decides.{stands}"
    )


def _open_questions(view: StatusView, shown: Sequence[GateView], *, left_out: int) -> RenderableType | None:
    """What is not there yet, gate by gate; gates that have no row are counted."""
    grid = labelled(LABEL)
    look = view.look
    if look is not None and look.missing:
        rest = len(look.missing) - MOST_SENTENCES
        words = " ".join(map(_line, look.missing[:MOST_SENTENCES])) + (f" And {rest} more." if rest > 0 else "")
        grid.add_row(Text("missing", "bold"), Text(held(words)))
    elif look is not None:
        bad = [one for one in shown if one.verdict != "safe" and one.is_required][:MOST_SENTENCES]
        if bad:
            grid.add_row(Text("open", "bold"), Text(held("\n".join(_line(one.sentence) for one in bad))))
    if left_out:
        grid.add_row("", Text(f"and {counted(left_out, 'more gate')}: segue status {shlex.quote(view.workflow)} --all", DIM))
    return grid if grid.row_count else None


def _foot(view: StatusView) -> RenderableType:
    grid = labelled(LABEL)
    words = controller_words(view.controller, view.environment)
    grid.add_row(Text("controller", "bold"), Text(words, "" if view.controller.acts else "bold yellow"))
    look = view.look
    if look is not None:
        age = f"{span(look.age_s)} ago" if look.age_s >= 0 else "by a clock ahead of this one"
        is_old = look.is_old or not view.controller.acts
        words = f"written down {age}" + (": what stands above is as old" if is_old else "")
        grid.add_row(Text("last look", "bold"), Text(words, "bold yellow" if is_old else ""))
    grid.add_row(Text("gateways", "bold"), Text(held(_gateways(view.gateways, view.revision))))
    grid.add_row(
        Text("upgrade", "bold"), Text(f"{printable_name(view.upgrade)}, opened by {printable_name(view.opened_by)}", DIM)
    )
    return grid


def _gateways(gateways: Sequence[GatewayView], revision: int | None) -> str:
    if revision is None:
        return "no route is in force"
    if not gateways:
        return f"none runs; one that starts serves revision {revision}"
    serving = [one for one in gateways if one.revision is not None and one.revision >= revision and not one.fault]
    words = f"{len(serving)} of {len(gateways)} serve revision {revision}"
    late = [one for one in gateways if one not in serving]
    told = [
        f"{printable_name(one.name)}: " + (one.fault or f"revision {one.revision or 'none'}, heard of {span(one.age_s)} ago")
        for one in late[:3]
    ]
    return "; ".join([words, *map(printable_line, told)])


def _people(who: Sequence[str]) -> str:
    names = ", ".join(printable_name(one, 60) for one in who)
    return f"Who: {names}"


def _line(sentence: str) -> str:
    return printable_line(sentence)
