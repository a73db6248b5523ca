"""What changed in how outputs are written, and why newly failing ones fail. Pure: replies in, findings out.

`fingerprint` describes one reply; `shifts` counts which traits moved; `causes` names the mechanical causes of new failures
and what a repair would be worth; `hollow` flags rises that say nothing; `words` diffs two texts. It scores nothing and
knows no provider.
"""

from segue.drift.causes import FORMAT_BROKE, Cause, CauseReport, RecordedRepair, find_causes
from segue.drift.fingerprint import TRAITS, FormatFingerprint, fingerprint
from segue.drift.hollow import HollowRise, accepted_hollowness, flag_hollow_rise
from segue.drift.pairs import JudgedPair, PairedCounts, Repaired
from segue.drift.refusal import detect_non_answer, detect_refusal, is_refusal
from segue.drift.shifts import FormatShift, diff_fingerprints
from segue.drift.words import Span, word_diff

__all__ = [
    "FORMAT_BROKE",
    "TRAITS",
    "Cause",
    "CauseReport",
    "FormatFingerprint",
    "FormatShift",
    "HollowRise",
    "JudgedPair",
    "PairedCounts",
    "RecordedRepair",
    "Repaired",
    "Span",
    "accepted_hollowness",
    "detect_non_answer",
    "detect_refusal",
    "diff_fingerprints",
    "find_causes",
    "fingerprint",
    "flag_hollow_rise",
    "is_refusal",
    "word_diff",
]
