"""What a comparison of this size can see: minimum detectable effects and required sizes.

All figures are the normal approximation z = z(1 - alpha / sides) + z(power) times a standard
error (Miller 2024, arXiv 2411.00640, §5; Connor 1987 without its small-sample term for pairs).
A figure is printed beside a verdict so that "no difference found" is read for what it is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from gitloop.errors import ConfigError
from gitloop.stats.distributions import normal_ppf


@dataclass(frozen=True, slots=True)
class Plan:
    """What a test promises.

    Attributes:
        alpha: Chance of a false alarm, in (0, 1).
        power: Chance of seeing an effect of the given size, in (0, 1).
        sides: 1 or 2.
    """

    alpha: float = 0.05
    power: float = 0.8
    sides: int = 2

    @property
    def z(self) -> float:
        """The sum of the two critical values: 2.80 at .05, .8 and two sides."""
        if self.sides not in {1, 2} or not 0 < self.alpha < 1 or not 0 < self.power < 1:
            raise ConfigError(f"no test has {self.sides} sides, {self.alpha=} and {self.power=}")
        return normal_ppf(1.0 - self.alpha / self.sides) + normal_ppf(self.power)


DEFAULT_PLAN = Plan()


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """An effect, a size, and the promise that ties them.

    Attributes:
        effect: The smallest detectable absolute difference; None when no figure can be given.
        n: Pairs, or rows per arm; None when no figure can be given.
        plan: alpha, power and sides.
        design: "paired-binary", "paired-graded", "unpaired-rates" or "unpaired-means".
        reason: Why there is no figure, or what limits it; "" when nothing does.
    """

    effect: float | None
    n: int | None
    plan: Plan
    design: str
    reason: str = ""


def mde_paired_binary(n: int, discordance: float, *, plan: Plan = DEFAULT_PLAN) -> Sensitivity:
    """Return the smallest shift of a pass rate that `n` pairs would show (McNemar).

    Args:
        n: Pairs.
        discordance: Share of pairs whose two verdicts differ, in (0, 1]. An observed 0 says
            little: give `planning_discordance`.
        plan: alpha, power, sides.
    """
    design = "paired-binary"
    if n < 1 or discordance <= 0.0:
        return Sensitivity(None, n, plan, design, "no discordant pairs to plan with")
    effect = plan.z * math.sqrt(discordance / n)
    reason = "" if effect <= discordance else "larger than the discordance: no shift is detectable"
    return Sensitivity(effect, n, plan, design, reason)


def n_paired_binary(effect: float, discordance: float, *, plan: Plan = DEFAULT_PLAN) -> Sensitivity:
    """Return the pairs that show a shift of `effect` in a pass rate (McNemar)."""
    design = "paired-binary"
    if effect == 0.0 or discordance < abs(effect):
        return Sensitivity(effect, None, plan, design, "a shift cannot exceed the discordance")
    n = _ceil(plan.z**2 * discordance / effect**2)
    return Sensitivity(abs(effect), n, plan, design)


def planning_discordance(n_discordant: int, n: int) -> float:
    """Return a discordance to plan with that is never zero: (x + 1) / (n + 2), Laplace's rule."""
    return (n_discordant + 1.0) / (n + 2.0)


def mde_paired_graded(n: int, sd_difference: float, *, plan: Plan = DEFAULT_PLAN) -> Sensitivity:
    """Return the smallest mean difference that `n` pairs would show.

    Args:
        n: Pairs (or groups, with the standard deviation of group means).
        sd_difference: Standard deviation of candidate minus baseline, > 0.
        plan: alpha, power, sides.
    """
    if n < 1 or sd_difference <= 0.0:
        return Sensitivity(None, n, plan, "paired-graded", "no variance to plan with")
    return Sensitivity(plan.z * sd_difference / math.sqrt(n), n, plan, "paired-graded")


def n_paired_graded(
    effect: float, sd_difference: float, *, plan: Plan = DEFAULT_PLAN
) -> Sensitivity:
    """Return the pairs that show a mean difference of `effect`."""
    if effect == 0.0 or sd_difference <= 0.0:
        return Sensitivity(effect, None, plan, "paired-graded", "no variance to plan with")
    n = _ceil((plan.z * sd_difference / effect) ** 2)
    return Sensitivity(abs(effect), n, plan, "paired-graded")


def mde_from_se(se: float, n: int, design: str, *, plan: Plan = DEFAULT_PLAN) -> Sensitivity:
    """Return the smallest difference that an estimate with this standard error would show.

    The way to a figure for clustered data: take `se` from `distributions.mean_estimate`.
    """
    if se <= 0.0:
        return Sensitivity(None, n, plan, design, "no variance to plan with")
    return Sensitivity(plan.z * se, n, plan, design)


def mde_unpaired_rates(
    n_baseline: int, n_candidate: int, rate: float, *, plan: Plan = DEFAULT_PLAN
) -> Sensitivity:
    """Return the smallest difference of two rates near `rate` that two samples would show."""
    design, smaller = "unpaired-rates", min(n_baseline, n_candidate)
    if smaller < 1 or not 0.0 < rate < 1.0:
        return Sensitivity(None, smaller, plan, design, "no variance to plan with")
    se = math.sqrt(rate * (1.0 - rate) * (1.0 / n_baseline + 1.0 / n_candidate))
    return Sensitivity(plan.z * se, smaller, plan, design)


def n_unpaired_rates(effect: float, rate: float, *, plan: Plan = DEFAULT_PLAN) -> Sensitivity:
    """Return the rows per arm that show a difference of `effect` between two rates near `rate`."""
    if effect == 0.0 or not 0.0 < rate < 1.0:
        return Sensitivity(effect, None, plan, "unpaired-rates", "no variance to plan with")
    n = _ceil(2.0 * plan.z**2 * rate * (1.0 - rate) / effect**2)
    return Sensitivity(abs(effect), n, plan, "unpaired-rates")


def mde_unpaired_means(
    baseline: tuple[float, int], candidate: tuple[float, int], *, plan: Plan = DEFAULT_PLAN
) -> Sensitivity:
    """Return the smallest difference of two means that two samples would show.

    Args:
        baseline: (standard deviation, n).
        candidate: (standard deviation, n).
        plan: alpha, power, sides.
    """
    design, smaller = "unpaired-means", min(baseline[1], candidate[1])
    if smaller < 1 or baseline[0] <= 0.0 >= candidate[0]:
        return Sensitivity(None, smaller, plan, design, "no variance to plan with")
    se = math.sqrt(sum(sd * sd / n for sd, n in (baseline, candidate)))
    return Sensitivity(plan.z * se, smaller, plan, design)


def _ceil(n: float) -> int:
    """Return the next whole number, forgiving a rounding error upwards."""
    return max(1, math.ceil(n - 1e-9))
