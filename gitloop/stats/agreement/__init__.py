"""How far raters agree, beyond chance, and how sure that figure is.

Raw agreement and prevalence belong beside every kappa: with 90 % agreement kappa can be -.05 or
.80. Two raters: Cohen's kappa, PABAK. Any number, with gaps: the mean of Cohen's kappas,
Krippendorff's alpha, Fleiss' kappa, Gwet's AC1 and AC2. Where a figure is not defined the value is
None and the reason says why.
"""

from __future__ import annotations

from gitloop.stats.agreement.krippendorff import krippendorff_alpha
from gitloop.stats.agreement.means import mean_kappa
from gitloop.stats.agreement.pairs import cohen_kappa, pabak
from gitloop.stats.agreement.panels import fleiss_kappa, gwet_ac, raw_agreement
from gitloop.stats.agreement.ratings import (
    Agreement,
    Label,
    RatingTable,
    Share,
    prevalence,
    tabulate,
)

__all__ = [
    "Agreement",
    "Label",
    "RatingTable",
    "Share",
    "cohen_kappa",
    "fleiss_kappa",
    "gwet_ac",
    "krippendorff_alpha",
    "mean_kappa",
    "pabak",
    "prevalence",
    "raw_agreement",
    "tabulate",
]
