"""Writes papers to files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from segue.cli.screen import error_console
from segue.cli.streams import write_out
from segue.errors import InputError

if TYPE_CHECKING:
    from segue.evals.session import Request, Session
    from segue.gates.report import Report

STANDARD_OUTPUT = Path("-")


def write_html(session: Session, request: Request, report: Report, path: Path) -> None:
    """The self-contained page, with the flips of the gated metrics."""
    from segue.cli.flip_views import flip_views
    from segue.papers.html import render_html

    scope = session.scope(request)
    gate = scope.question.workflow.gate
    flips = [view for metric in (*gate.primary, *gate.guardrails) for view in flip_views(scope, metric, positive=True)]
    write_text(path, render_html(report, flips))


def write_markdown(report: Report, path: Path) -> None:
    """The summary for a pull request."""
    from segue.papers.markdown import render_markdown

    write_text(path, render_markdown(report))


def require_place(*paths: Path | None) -> None:
    """`InputError` where a file could not be written, told before anything is paid for."""
    for path in paths:
        if path is None or path == STANDARD_OUTPUT:
            continue
        if path.is_dir():
            raise InputError(f"{path} cannot be written: it is a folder.", fix="Name a file in it.")
        above = next(folder for folder in path.absolute().parents if folder.exists())
        if not above.is_dir():
            raise InputError(f"{path} cannot be written: {above} is a file, not a folder.", fix="Choose another file.")
        if not os.access(above, os.W_OK | os.X_OK) or (path.exists() and not os.access(path, os.W_OK)):
            raise InputError(f"{path} cannot be written: you may not write to {above}.", fix="Choose another file.")


def write_text(path: Path, text: str) -> None:
    """Write a file and say so; `-` is standard output. `InputError` names a place that cannot be written."""
    if path == STANDARD_OUTPUT:
        write_out(text.removesuffix("\n"))
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        fix = "Choose another file. What was judged is kept: segue report WORKFLOW --html FILE writes it."
        raise InputError(f"{path} cannot be written: {error.strerror}.", fix=fix) from None
    error_console().print(f"Written: {path}", style="dim", markup=False, soft_wrap=True)
