"""`segue bundle`: add, list, show, diff, label, retire, verify."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING, Any

import click
from rich.markup import escape

from segue.cli.app import ERROR
from segue.cli.desk import Desk, open_desk
from segue.cli.groups import CommandGroup
from segue.cli.options import NAME, NEW, json_option
from segue.cli.screen import console, error_console, print_json, print_table
from segue.errors import ConflictError
from segue.papers.printable import printable

if TYPE_CHECKING:
    from segue.evals.catalogue import Catalogue, NamedBundle
    from segue.model import Bundle


@click.group("bundle", cls=CommandGroup)
def bundle_command() -> None:
    """Bundles: immutable, content-addressed versions of the whole behaviour of a workflow."""


@bundle_command.command("add")
@click.argument("workflow", type=NAME)
@click.argument("labels", nargs=-1, type=NAME)
@json_option
def add(workflow: str, labels: tuple[str, ...], as_json: bool) -> None:
    """Store the bundles of WORKFLOW whose files are bundles/LABEL.yaml (default: all of them)."""
    with open_desk() as desk:
        catalogue = _catalogue(desk)
        named = [catalogue.add_from_file(workflow, label) for label in labels or desk.workspace.bundle_labels(workflow)]
        remarks = [_remarks(desk, one.bundle) for one in named]
    if as_json:
        print_json([{"label": one.label, "digest": one.bundle.digest, "moved_from": one.moved_from} for one in named])
        return
    screen = console()
    for one, remark in zip(named, remarks, strict=True):
        moved = f" (the label pointed to {one.moved_from[:10]} before)" if one.moved_from else ""
        screen.print(f"[bold]{one.bundle.short}[/]  {escape(one.label)}{moved}")
        for line in remark:
            screen.print(f"  [yellow]{escape(line)}[/]", soft_wrap=not screen.is_terminal)
    if not named:
        error_console().print(f"{workflow} has no bundle files. Write workflows/{workflow}/bundles/LABEL.yaml.")


@bundle_command.command("list")
@click.argument("workflow", type=NAME)
@json_option
def list_bundles(workflow: str, as_json: bool) -> None:
    """List the stored bundles of WORKFLOW, oldest first, with their labels."""
    with open_desk() as desk:
        desk.workspace.folder(workflow)
        records = desk.store.list_bundles(workflow)
        labels = desk.store.labels(workflow)
        remarks = {record.bundle.digest: _remarks(desk, record.bundle) for record in records}
        files = [label for label in desk.workspace.bundle_labels(workflow) if label not in labels]
    by_digest: dict[str, list[str]] = {}
    for label, digest in sorted(labels.items()):
        by_digest.setdefault(digest, []).append(label)
    if as_json:
        print_json(
            [
                {
                    "digest": record.bundle.digest,
                    "labels": by_digest.get(record.bundle.digest, []),
                    "model": record.bundle.model.snapshot,
                    "provider": record.bundle.model.provider,
                    "author": record.author,
                    "at": record.at,
                    "remarks": remarks[record.bundle.digest],
                }
                for record in records
            ]
        )
        return
    rows = [
        (
            record.bundle.short,
            ", ".join(by_digest.get(record.bundle.digest, [])),
            record.bundle.model.snapshot,
            record.bundle.model.provider,
            record.at,
            "; ".join(remarks[record.bundle.digest]),
        )
        for record in records
    ]
    if rows:
        print_table(console(), ("bundle", "labels", "model", "provider", "added", ""), rows)
    if files:
        error_console().print(f"Not stored yet: {', '.join(files)}. Add with: segue bundle add {workflow}", style="dim")
    elif not rows:
        error_console().print(f"No bundle of {workflow} is stored, and none is written: workflows/{workflow}/bundles is empty.")


@bundle_command.command("show")
@click.argument("workflow", type=NAME)
@click.argument("ref", type=NAME)
@json_option
def show(workflow: str, ref: str, as_json: bool) -> None:
    """Show one bundle of WORKFLOW: REF is a label, a digest or its beginning."""
    with open_desk() as desk:
        named = _look_up(desk, workflow, ref)
        remarks = _remarks(desk, named.bundle)
    bundle = named.bundle
    if as_json:
        print_json({"digest": bundle.digest, "label": named.label, "parts": bundle.part_digests(), "bundle": bundle.body()})
        return
    screen = console()
    screen.print(f"[bold]{bundle.short}[/]  {escape(f'{named.label}  {bundle.model.snapshot} at {bundle.model.provider}')}")
    screen.print(f"digest {bundle.digest}", style="dim", soft_wrap=True)
    for remark in remarks:
        screen.print(remark, style="yellow", markup=False, soft_wrap=not screen.is_terminal)
    parameters = bundle.parameters.model_dump(mode="json", exclude_defaults=True)
    rows = [(name, _value(value)) for name, value in parameters.items()]
    rows += [("tools", ", ".join(tool.name for tool in bundle.tools))] if bundle.tools else []
    rows += [("retrieval", _value(bundle.retrieval))] if bundle.retrieval else []
    rows += [("contract", "yes")] if bundle.contract is not None else []
    rows += [("suite", bundle.suite[:10])] if bundle.suite else []
    rows += [("fallback", bundle.fallback[:10])] if bundle.fallback else []
    if rows:
        print_table(screen, ("part", "value"), rows, fold=1)
    for name, text in (("system instructions", bundle.prompt.system), ("template", bundle.prompt.template)):
        if text:
            screen.print(f"\n[bold]{name}[/]")
            screen.print(printable(text), markup=False, soft_wrap=True)


@bundle_command.command("diff")
@click.argument("workflow", type=NAME)
@click.argument("old", type=NAME)
@click.argument("new", type=NAME)
@json_option
def diff(workflow: str, old: str, new: str, as_json: bool) -> None:
    """Say in words which parts of two bundles of WORKFLOW differ, and show the prompt diff."""
    from segue.gates.report import plain
    from segue.model.bundle_diff import diff_bundles

    with open_desk() as desk:
        before, after = (_look_up(desk, workflow, ref) for ref in (old, new))
    found = diff_bundles(before.bundle, after.bundle)
    if as_json:
        print_json(plain(found))
        return
    screen = console()
    names = [
        one.bundle.short if one.label == one.bundle.short else f"{one.label} {one.bundle.short}" for one in (before, after)
    ]
    screen.print(" → ".join(names), style="bold", markup=False)
    for sentence in found.sentences():
        screen.print(f"  {printable(sentence)}", markup=False)
    if found.same_behaviour and not found.is_identical:
        screen.print("  The model is shown the same, so stored results hold for both.", style="dim")
    for change in found.changes:
        for line in change.diff_lines:
            style = "green" if line.startswith("+") else "red" if line.startswith("-") else "dim"
            screen.print(printable(line), style=style, markup=False, soft_wrap=True)


@bundle_command.command("label")
@click.argument("workflow", type=NAME)
@click.argument("label", type=NEW)
@click.argument("ref", type=NAME)
@json_option
def label(workflow: str, label: str, ref: str, as_json: bool) -> None:
    """Point LABEL at the bundle REF. The bundle itself never changes; the move is an entry of the log."""
    with open_desk() as desk:
        _require_free(desk, workflow, label)
        named = _catalogue(desk).bundle(workflow, ref)
        before = desk.store.set_label(workflow, label, named.bundle.digest, author=desk.author, at=desk.now())
    if as_json:
        print_json({"label": label, "digest": named.bundle.digest, "moved_from": before})
        return
    moved = f" (before: {before[:10]})" if before and before != named.bundle.digest else ""
    console().print(f"{label} → {named.bundle.short}{moved}", markup=False)


@bundle_command.command("retire")
@click.argument("workflow", type=NAME)
@click.argument("ref", type=NAME)
@click.option("--reason", default="", help="Why; kept in the log.")
@json_option
def retire(workflow: str, ref: str, reason: str, as_json: bool) -> None:
    """Write down that the bundle REF is not to be served again. It stays stored; nothing is deleted.

    Refused while it may be needed: while an upgrade it belongs to is open, its soak included, or a route names it.
    """
    from segue.controller.retiring import retire_bundle

    with open_desk() as desk:
        bundle = desk.store.find_bundle(workflow, ref).bundle
        is_new = retire_bundle(desk.store, workflow, bundle.digest, reason=reason, author=desk.author, at=desk.now())
    if as_json:
        print_json({"digest": bundle.digest, "is_new": is_new})
        return
    console().print(f"{bundle.short} {'is retired' if is_new else 'was retired already'}.", markup=False)


@bundle_command.command("verify")
@click.argument("workflow", type=NAME)
@json_option
def verify(workflow: str, as_json: bool) -> None:
    """Check that every stored bundle of WORKFLOW still has its digest, and that its files still say the same.

    Exit code 1 if the store was changed. An edited file is no fault: it makes a new bundle.
    """
    changed = []
    with open_desk() as desk:
        desk.workspace.folder(workflow)
        check = desk.store.verify_log()
        records = desk.store.list_bundles(workflow) if check.holds else []
        labels = desk.store.labels(workflow)
        for name in desk.workspace.bundle_labels(workflow):
            source = desk.workspace.load_bundle_source(workflow, name, resolve=_catalogue(desk).resolve)
            if name in labels and labels[name] != source.digest:
                changed.append((name, labels[name], source.digest))
    if as_json:
        moved = [{"label": name, "stored": stored, "file": now} for name, stored, now in changed]
        print_json({"bundles": len(records), "holds": check.holds, "faults": list(check.faults), "changed": moved})
    else:
        if check.holds:
            console().print(_count_of(len(records)))
        else:
            print_tampering(check.faults)
        for name, stored, now in changed:
            console().print(
                f"{name}: its files have changed since {stored[:10]} and make {now[:10]} now.\n"
                f"  See how: segue bundle diff {shlex.quote(workflow)} {stored[:10]} {shlex.quote(name)}\n"
                f"  Store it: segue bundle add {shlex.quote(workflow)} {shlex.quote(name)}",
                soft_wrap=True,
                markup=False,
            )
    if not check.holds:
        raise SystemExit(ERROR)


def print_tampering(faults: tuple[str, ...]) -> None:
    """What no longer is what the log vouches for, and what to do about it."""
    screen = error_console()
    for fault in faults:
        screen.print(f"[red]tampered[/] {escape(printable(fault))}")
    screen.print(
        "The store was changed by something other than Segue. Restore it from a backup and find out who can write to it; "
        "until then, what these entries say is no evidence."
    )


def _count_of(bundles: int) -> str:
    if bundles == 1:
        return "1 stored bundle has the digest it was stored under."
    return f"{bundles} stored bundles have the digest they were stored under."


def _require_free(desk: Desk, workflow: str, label: str) -> None:
    """`ConflictError` for a label that already means something else: a bundle file, or the beginning of a digest."""
    if label in desk.workspace.bundle_labels(workflow):
        raise ConflictError(
            f"'{label}' is the label of workflows/{workflow}/bundles/{label}.yaml, and means what that file says.",
            fix="Choose another label, or edit the file.",
        )
    for record in desk.store.list_bundles(workflow):
        if len(label) >= 4 and record.bundle.digest.startswith(label.lower()):
            raise ConflictError(f"'{label}' is how bundle {record.bundle.short} begins.", fix="Choose another label.")


def _look_up(desk: Desk, workflow: str, ref: str) -> NamedBundle:
    """The bundle a user names, as its files are now. Looking stores nothing and moves no label."""
    from segue.evals.catalogue import NamedBundle

    catalogue = _catalogue(desk)
    if ref in desk.workspace.bundle_labels(workflow):
        return NamedBundle(desk.workspace.load_bundle_source(workflow, ref, resolve=catalogue.resolve), ref)
    return catalogue.bundle(workflow, ref)


def _catalogue(desk: Desk) -> Catalogue:
    from segue.evals.catalogue import Catalogue

    return Catalogue(desk.workspace, desk.store, author=desk.author, at=desk.now())


def _value(value: Any) -> str:
    """A parameter as it would be written in the bundle's file."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _remarks(desk: Desk, bundle: Bundle) -> list[str]:
    """What is known of the model's future: a floating name, a retirement date; and whether the bundle itself is retired."""
    from segue.controller.retiring import find_retired
    from segue.evals.arms import Bench
    from segue.evals.catalogue import NamedBundle

    arm = Bench(desk.workspace, desk.store, {}).describe(NamedBundle(bundle, ""))
    remarks = []
    if arm.floating:
        remarks.append(f"{arm.model} floats: {arm.floating}. Pin a dated snapshot.")
    if arm.retires:
        verb = "retired" if arm.retires <= desk.now()[: len(arm.retires)] else "retires"
        remarks.append(f"{arm.model} {verb} on {arm.retires}.")
    retired = find_retired(desk.store, bundle.workflow, bundle.digest)
    if retired is not None:
        remarks.append(f"Retired by {retired.by} at {retired.at}{f': {retired.reason}' if retired.reason else ''}.")
    return remarks
