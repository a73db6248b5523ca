"""How many cases would settle it, and how many repeats the noise asks for."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from scipy.special import ndtri


def cases_to_settle(churn: float, margin: float, *, alpha: float = 0.05, power: float = 0.8) -> int:
    """Cases that show non-inferiority at `margin` with this `power` when the two arms are equally good.

    n = (z₁₋α + z_power)² · churn / margin², which is 6.18 · churn / δ² at the defaults. `churn` is the variance of a
    case's difference, for pass/fail the share of cases that flip either way.
    """
    assert margin > 0, "a margin is positive"
    z = float(ndtri(1 - alpha) + ndtri(power))
    return math.ceil(z * z * churn / (margin * margin))


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
