"""The page's flips: both outputs with their words compared, bounded in number, length and bytes, and what is left out said."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from segue.drift.words import word_diff
from segue.gates.report import Report
from segue.papers.figures import count, number
from segue.papers.flip_view import FlipView
from segue.papers.outline import counted
from segue.papers.page import FlipCard, FlipSection, OutputSide, Piece
from segue.papers.printable import printable, printable_line, printable_name, shorten

MOST_FLIPS = 200
MOST_IN_VIEW = 20
"""Further ones open on a click: what comes after them on the page is looked for, too."""
LEAST_POSITIVE_SHARE = 4
"""A quarter of the places is for positive flips, if there are as many: what got better is read too."""
MOST_OUTPUT = 2_400
MOST_PROMPT = 800
MOST_REFERENCE = 400
MOST_BYTES = 1_200_000
"""Bytes of all flips together, escaped: the page stays small enough to send by mail."""
FRAME_BYTES = 1_600
"""About what the marks around one flip take."""
PIECE_BYTES = 13
"""What the marks around one changed run take."""
MOST_TAGS = 12


def flip_section(report: Report, flips: Sequence[FlipView]) -> FlipSection:
    """As many flips as fit, negative ones first, and how many there are in all by the report's own counts."""
    cards: list[FlipCard] = []
    numbers: dict[str, int] = {}
    spent = 0
    for flip in _chosen(flips):
        card = _card(flip, numbers)
        spent += _bytes(card)
        if spent > MOST_BYTES and cards:
            break
        cards.append(card)
    shown_metrics = tuple(dict.fromkeys(card.metric for card in cards))
    return FlipSection(tuple(cards), tuple(numbers), shown_metrics, _sentence(report, flips, cards), MOST_IN_VIEW)


def _chosen(flips: Sequence[FlipView]) -> list[FlipView]:
    negative = [flip for flip in flips if flip.is_negative]
    positive = [flip for flip in flips if not flip.is_negative]
    kept_positive = min(len(positive), max(MOST_FLIPS // LEAST_POSITIVE_SHARE, MOST_FLIPS - len(negative)))
    kept_negative = min(len(negative), MOST_FLIPS - kept_positive)
    return [*negative[:kept_negative], *positive[:kept_positive]]


def _sentence(report: Report, flips: Sequence[FlipView], cards: Sequence[FlipCard]) -> str:
    """The caller may have handed over only some of the flips; the report counts all of them."""
    if not flips:
        return ""
    metrics = {flip.metric for flip in flips}
    counted_by_report = [one.flips for one in report.totals() if one.metric in metrics]
    given = sum(flip.is_negative for flip in flips)
    negative = max(given, sum(one.only_old for one in counted_by_report))
    positive = max(len(flips) - given, sum(one.only_new for one in counted_by_report))
    text = f"{counted(negative + positive, 'flip')}: {count(negative)} right before and wrong now, "
    text += f"{count(positive)} wrong before and right now."
    left_out = negative + positive - len(cards)
    return f"{text} {count(left_out)} of them are left out here to keep the page small." if left_out else text


def _card(flip: FlipView, numbers: dict[str, int]) -> FlipCard:
    tags = tuple(dict.fromkeys(printable_name(one) for one in flip.slices))
    places = [numbers.setdefault(tag, len(numbers)) for tag in tags]
    prompt, prompt_left_out = shorten(printable(flip.prompt), MOST_PROMPT)
    reference, reference_left_out = shorten(printable(flip.reference), MOST_REFERENCE)
    return FlipCard(
        case_id=printable_name(flip.case_id),
        metric=printable_name(flip.metric),
        direction=flip.direction,
        sign="▼" if flip.is_negative else "▲",
        standing=flip.standing,
        is_critical=flip.is_critical,
        tags=tags[:MOST_TAGS],
        slice_numbers=" ".join(map(str, places)),
        prompt=prompt,
        prompt_left_out=_left_out(prompt_left_out),
        reference=reference,
        reference_left_out=_left_out(reference_left_out),
        sides=_sides(flip),
    )


def _left_out(characters: int) -> str:
    return f"{counted(characters, 'more character')} left out" if characters else ""


def _sides(flip: FlipView) -> tuple[OutputSide, ...]:
    (old, old_left_out), (new, new_left_out) = (shorten(printable(one), MOST_OUTPUT) for one in flip.shown_texts)
    pieces: dict[str, list[Piece]] = {"removed": [], "added": []}
    for span in word_diff(old, new):
        for kind, held in pieces.items():
            if span.kind in ("equal", kind):
                held.append(Piece(span.kind, span.text))
    return (
        _side("Incumbent", flip.old_score, flip.old_reason, pieces["removed"], old_left_out, was_right=flip.is_negative),
        _side("Candidate", flip.new_score, flip.new_reason, pieces["added"], new_left_out, was_right=not flip.is_negative),
    )


def _side(
    role: str, score: float | None, reason: str | None, pieces: list[Piece], left_out: int, *, was_right: bool
) -> OutputSide:
    verdict = "right" if was_right else "wrong"
    if score is not None and score not in (0, 1):
        verdict += f", {number(score)}"
    return OutputSide(
        role=role,
        verdict=verdict,
        reason=printable_line(reason)[:MOST_REFERENCE] if reason else "",
        pieces=tuple(pieces),
        left_out=_left_out(left_out),
    )


def _bytes(card: FlipCard) -> int:
    texts = [card.case_id, card.metric, card.prompt, card.reference, *card.tags]
    size = FRAME_BYTES
    for side in card.sides:
        texts.append(side.reason)
        texts.extend(piece.text for piece in side.pieces)
        size += PIECE_BYTES * sum(piece.kind != "equal" for piece in side.pieces)
    return size + sum(len(escape(text).encode()) for text in texts)
