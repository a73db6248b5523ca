"""What is known of the flips that were seen: how many were run again, how many held, and what was not asked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from segue.gates.findings import Finding

ENOUGH_RUNS = 3
"""From this many runs of every case on, a flip is the majority's, and is not run once more."""


def tell_reruns(findings: Sequence[Finding], primary: Sequence[str], *, runs: int) -> Iterator[str]:
    """A sentence on the negative flips of the first primary metric, the only one whose flips are run again.

    Nothing where there are none, or where `runs` of every case say what holds. Of other metrics the re-runs tell nothing: the
    cases were not chosen by their flips.
    """
    total = next((one for one in findings if one.is_total and one.metric in primary[:1]), None)
    if total is None or runs >= ENOUGH_RUNS:
        return
    flips, again = total.flips.only_old, total.rerun
    if not flips:
        return
    named = f"negative flip{'' if flips == 1 else 's'} of {total.metric}"
    if not again:
        seen = "a single run" if runs == 1 else f"{runs} runs"
        yield (
            f"{flips:,} {named} {'was' if flips == 1 else 'were'} seen in {seen} of each case and not run again; "
            f"how many would hold is not known."
        )
    elif again >= flips:
        yield f"{total.confirmed:,} of {flips:,} {named} held when they were run again."
    else:
        rest = "the other was not" if flips - again == 1 else "the others were not"
        ran = "was run again" if again == 1 else "were run again"
        yield f"Of {flips:,} {named} {again:,} {ran}, and {total.confirmed:,} held; {rest}, or got no answer."
