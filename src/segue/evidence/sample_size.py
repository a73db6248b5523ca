"""How many cases would settle it, before anything is seen and after, and how many repeats the noise asks for."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from segue.evidence.special import ndtr, ndtri

ASSUMED_CHURN = 0.15
"""Of 77 recorded pairs of releases with 100 cases or more (LLMDrift, BFCL, XSTest), half change sides on 5 to 22 % of them."""
MOST_CASES = 100_000_000
"""A number of cases beyond this is none that anybody could be told."""


def cases_to_settle(churn: float, margin: float, *, alpha: float = 0.05, power: float = 0.8) -> int:
    """Cases that show non-inferiority at `margin` with this `power` when the two arms are equally good.

    n = (z₁₋α + z_power)² · churn / margin², which is 6.18 · churn / δ² at the defaults. `churn` is the variance of a
    case's difference, for pass/fail the share of cases that flip either way.
    """
    assert margin > 0, "a margin is positive"
    z = float(ndtri(1 - alpha) + ndtri(power))
    return math.ceil(z * z * churn / (margin * margin))


def cases_without_churn(margin: float, *, alpha: float = 0.05) -> int | None:
    """The fewest pass/fail cases that exclude a loss of `margin` if not one of them flips; `None` for a margin of zero.

    Without a flip Tango's bound is z²/(n + z²).
    """
    if margin <= 0:
        return None
    z = float(ndtri(1 - alpha))
    return math.floor(z * z * (1 - margin) / margin) + 1


@dataclass(frozen=True, slots=True)
class Undecided:
    """What was seen of a difference that is neither shown nor excluded yet.

    `gain` is new minus old, positive where the new arm is better; `variance` is that of one case's difference.
    """

    cases: int
    gain: float
    variance: float


def cases_to_decide(
    seen: Undecided, margin: float, *, alpha: float = 0.05, alpha_worse: float = 0.05, power: float = 0.8
) -> int | None:
    """The fewest cases in all at which a verdict has come with a chance of `power`: not worse, or worse.

    The mean gain over n cases in all, of which m were seen, is predicted as normal around the gain seen, with variance
    σ²(1/m − 1/n): what is not known of the true gain and the chance of the further cases, together (predictive power,
    Spiegelhalter et al. 1986). It settles above −margin + z₁₋α·σ/√n (not worse), and at or below both −margin and
    −z·σ/√n with z at `alpha_worse` (worse). Where the drop seen is smaller than the margin the answer is never less than
    `cases_to_settle`: a gain that was seen on few cases is not counted on. `None` beyond `MOST_CASES`.
    """
    assert margin > 0, "a margin is positive"
    assert seen.cases > 0, "something was seen"
    sigma = math.sqrt(seen.variance)
    z, z_worse = float(ndtri(1 - alpha)), float(ndtri(1 - alpha_worse))

    def is_enough(n: int) -> bool:
        spread = sigma * math.sqrt(1 / seen.cases - 1 / n)
        above = -margin + z * sigma / math.sqrt(n)
        below = -max(margin, z_worse * sigma / math.sqrt(n))
        return float(ndtr((above - seen.gain) / spread) - ndtr((below - seen.gain) / spread)) <= 1 - power

    too_few, enough = seen.cases, 2 * seen.cases + 1
    while not is_enough(enough):
        if enough > MOST_CASES:
            return None
        too_few, enough = enough, 2 * enough
    while enough - too_few > 1:
        middle = (too_few + enough) // 2
        too_few, enough = (too_few, middle) if is_enough(middle) else (middle, enough)
    least = cases_to_settle(seen.variance, margin, alpha=alpha, power=power) if seen.gain > -margin else 0
    return max(enough, least)


@dataclass(frozen=True, slots=True)
class Noise:
    """Where the variance of a case's difference comes from, on one metric and one slice.

    `within`: variance of one run of one case, both arms added; `total`: variance of a case's difference at one run an arm.
    """

    cases: int
    within: float
    total: float

    @property
    def between(self) -> float:
        """What no number of repeats takes away."""
        return max(0.0, self.total - self.within)

    def variance(self, repeats: int) -> float:
        """Variance of a case's difference once both arms are averaged over `repeats` runs."""
        return self.between + self.within / repeats


@dataclass(frozen=True, slots=True)
class RepeatTarget:
    """A slice that should be judged: its noise and the drop it must show."""

    noise: Noise
    margin: float


def plan_repeats(targets: Iterable[RepeatTarget], *, most: int, alpha: float, power: float = 0.9) -> int:
    """The fewest repeats, up to `most`, at which every target's drop of its margin would be seen with `power`.

    A target that stays blind even at `most` asks for `most` if repeats at least halve its variance, and for nothing
    otherwise: more runs of the same cases do not replace more cases. `alpha` is the level a single slice is tested at.

    Looks at spreads only, never at who is ahead, so the tests that follow keep their level.
    """
    z = float(ndtri(1 - alpha) + ndtri(power))
    needed = 1
    for target in targets:
        noise = target.noise
        if noise.cases < 2 or not math.isfinite(noise.total):
            continue
        allowed = noise.cases * target.margin**2 / z**2
        enough = next((count for count in range(1, most + 1) if noise.variance(count) <= allowed), None)
        if enough is None:
            enough = most if noise.variance(most) <= 0.5 * noise.variance(1) else 1
        needed = max(needed, enough)
    return needed
