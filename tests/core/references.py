"""What every statistic is held against: a library, a published worked example, or enumeration.

`test_references.py` keeps the list whole: each public function of `gitloop.stats` stands here, and
each test that is named exists. Equality is to 1e-9, or to the digits that a source prints.
"""

from __future__ import annotations

REFERENCES: dict[str, dict[str, tuple[str, str]]] = {
    "agreement.krippendorff": {
        "krippendorff_alpha": (
            "the krippendorff package; Krippendorff 2011, its example under four metrics",
            "stats/test_agreement.py::test_alpha_equals_the_reference_library",
        ),
    },
    "agreement.means": {
        "mean_kappa": (
            "scikit-learn cohen_kappa_score, every two raters; the jackknife by its definition",
            "stats/test_mean_kappa.py::test_it_is_the_mean_of_scikit_learns_kappas",
        ),
    },
    "agreement.pairs": {
        "cohen_kappa": (
            "statsmodels cohens_kappa, value and interval, weighted too; scikit-learn",
            "stats/test_agreement.py::test_kappa_and_its_interval_equal_statsmodels",
        ),
        "pabak": (
            "Gwet 2008 and the kappa paradox (90 % agreement, kappa -0.053, PABAK 0.80)",
            "stats/test_agreement.py::test_the_kappa_paradox_is_visible",
        ),
    },
    "agreement.panels": {
        "raw_agreement": (
            "its definition, pair by pair",
            "stats/test_agreement.py::test_average_over_ratings_is_pooled",
        ),
        "fleiss_kappa": (
            "statsmodels fleiss_kappa; Gwet's worked examples",
            "stats/test_agreement.py::test_fleiss_equals_statsmodels",
        ),
        "gwet_ac": (
            "Gwet, Handbook of Inter-Rater Reliability: AC1 0.8493 and 0.7754 with intervals",
            "stats/test_agreement.py::test_gwets_examples_are_reproduced",
        ),
    },
    "calibration": {
        "discrimination": (
            "scikit-learn roc_auc_score; enumeration and scipy for the test of uselessness",
            "stats/test_calibration.py::test_auroc_equals_scikit_learn",
        ),
        "calibration_error": (
            "scikit-learn brier_score_loss; ECE by its definition",
            "stats/test_calibration.py::test_brier_equals_scikit_learn",
        ),
    },
    "corrected": {
        "rogan_gladen": (
            "Lee et al. 2025, arXiv 2511.21140, estimator and interval, written out again",
            "stats/test_corrected.py::test_rogan_gladen_equals_lee",
        ),
        "ppi_mean": (
            "Angelopoulos et al. 2023, PPI++, arXiv 2311.01453, written out again",
            "stats/test_corrected.py::test_ppi_equals_its_definition",
        ),
        "differential_errors": (
            "scipy fisher_exact",
            "stats/test_corrected.py::test_differential_errors_equal_fisher",
        ),
    },
    "correlation": {
        "pearson": (
            "scipy pearsonr, value and interval",
            "stats/test_correlation.py::test_correlations_equal_scipy",
        ),
        "spearman": (
            "scipy spearmanr",
            "stats/test_correlation.py::test_correlations_equal_scipy",
        ),
    },
    "distributions": {
        "normal_cdf": ("scipy norm", "stats/test_distributions.py::test_normal_equals_scipy"),
        "normal_sf": ("scipy norm", "stats/test_distributions.py::test_normal_equals_scipy"),
        "normal_ppf": ("scipy norm", "stats/test_distributions.py::test_normal_equals_scipy"),
        "z_value": ("scipy norm", "stats/test_power.py::test_z_equals_scipy"),
        "log_beta": ("scipy betainc", "stats/test_distributions.py::test_beta_cdf_equals_scipy"),
        "beta_cdf": ("scipy betainc", "stats/test_distributions.py::test_beta_cdf_equals_scipy"),
        "beta_ppf": ("scipy beta", "stats/test_distributions.py::test_beta_ppf_inverts_the_cdf"),
        "t_sf": ("scipy t", "stats/test_distributions.py::test_t_tail_equals_scipy"),
        "t_cdf": ("scipy t", "stats/test_distributions.py::test_t_tail_equals_scipy"),
        "t_ppf": ("scipy t", "stats/test_distributions.py::test_t_ppf_equals_scipy"),
        "binomial_pmf": ("scipy binom", "stats/test_distributions.py::test_binomial_equals_scipy"),
        "binomial_cdf": ("scipy binom", "stats/test_distributions.py::test_binomial_equals_scipy"),
        "binomial_sf": ("scipy binom", "stats/test_distributions.py::test_binomial_equals_scipy"),
        "coin_tail": ("scipy binom", "stats/test_distributions.py::test_coin_tail_equals_scipy"),
        "fisher_exact": (
            "scipy fisher_exact",
            "stats/test_distributions.py::test_fisher_equals_scipy",
        ),
        "wilson_bounds": (
            "statsmodels proportion_confint",
            "stats/test_intervals.py::test_wilson_equals_statsmodels",
        ),
        "newcombe_bounds": (
            "statsmodels confint_proportions_2indep; Newcombe 1998, example 56/70 and 48/80",
            "stats/test_intervals.py::test_newcombe_equals_statsmodels_and_swaps",
        ),
        "mean_estimate": (
            "CR2 of Bell and McCaffrey 2002, with its matrices written out",
            "stats/test_distributions.py::test_cr2_equals_its_matrix_definition",
        ),
        "constant_bounds": (
            "Clopper and Pearson 1934 at n of n",
            "stats/test_distributions.py::test_constant_bounds_at_one_are_clopper_pearson",
        ),
        "mean_bounds": (
            "scipy t.interval",
            "stats/test_intervals.py::test_mean_interval_equals_scipy",
        ),
    },
    "homogeneity": {
        "stuart_maxwell": (
            "statsmodels SquareTable.homogeneity",
            "stats/test_homogeneity.py::test_stuart_maxwell_is_statsmodels",
        ),
        "chi_squared_sf": (
            "scipy chi2",
            "stats/test_homogeneity.py::test_the_chi_squared_tail_is_scipys",
        ),
        "odd_one_out": (
            "simulation: an unchanged judge is called odd at most at the nominal rate",
            "stats/test_homogeneity.py::test_an_unchanged_judge_is_rarely_odd",
        ),
    },
    "intervals": {
        "wilson_interval": (
            "statsmodels proportion_confint",
            "stats/test_intervals.py::test_wilson_equals_statsmodels",
        ),
        "clopper_pearson_interval": (
            "scipy binomtest",
            "stats/test_intervals.py::test_clopper_pearson_equals_scipy",
        ),
        "newcombe_interval": (
            "Newcombe 1998, Statistics in Medicine 17, 873-890",
            "stats/test_intervals.py::test_newcombe_equals_the_published_example",
        ),
        "mean_interval": (
            "scipy t.interval",
            "stats/test_intervals.py::test_mean_interval_equals_scipy",
        ),
        "percentile_interval": (
            "order statistics by brute force over scipy binom",
            "stats/test_intervals.py::test_percentile_interval_is_the_tightest_with_its_coverage",
        ),
        "bootstrap_interval": (
            "scipy bootstrap, percentile and BCa",
            "stats/test_intervals.py::test_bootstrap_equals_scipy",
        ),
    },
    "multiplicity": {
        "holm": (
            "statsmodels multipletests",
            "stats/test_multiplicity.py::test_holm_and_bh_equal_statsmodels",
        ),
        "benjamini_hochberg": (
            "statsmodels multipletests",
            "stats/test_multiplicity.py::test_holm_and_bh_equal_statsmodels",
        ),
        "family": (
            "simulation of the whole gate under no change",
            "core/test_gate_simulation.py",
        ),
        "gatekeep": (
            "simulation of the whole gate under no change",
            "stats/test_multiplicity.py::test_gates_and_cells_are_separate_families",
        ),
        "spend": (
            "the sum of 6/(pi^2 n^2) over every look is 1",
            "stats/test_multiplicity.py::test_all_looks_together_spend_no_more_than_alpha",
        ),
    },
    "paired.comparisons": {
        "mcnemar": (
            "statsmodels mcnemar, exact; the worked example of its source",
            "stats/test_paired.py::test_mcnemar_equals_statsmodels",
        ),
        "paired_binary": (
            "McNemar, sign flips and enumeration agree where they meet",
            "stats/test_paired.py::test_every_method_agrees_where_they_meet",
        ),
        "paired_graded": (
            "Student's t of scipy for the interval, scipy permutation_test for p",
            "stats/test_paired.py::test_graded_interval_is_students",
        ),
        "non_inferiority": (
            "the interval's lower bound against the margin",
            "stats/test_paired.py::test_non_inferiority_needs_the_lower_bound",
        ),
    },
    "paired.flips": {
        "sign_flip": (
            "scipy permutation_test; brute force over all signs",
            "stats/test_paired.py::test_sign_flips_equal_scipy",
        ),
    },
    "paired.rates": {
        "tango_interval": (
            "Tango 1998, as the roots of its quartic; published examples",
            "stats/test_paired.py::test_tango_is_the_root_of_its_quartic",
        ),
        "newcombe_paired_interval": (
            "Newcombe 1998, Statistics in Medicine 17, 2635-2650",
            "stats/test_paired.py::test_paired_intervals_equal_published_examples",
        ),
    },
    "power": {
        "mde_paired_binary": (
            "the reference table: 80 % power at discordance 0.10, n = 25 to 500",
            "stats/test_power.py::test_paired_mde_equals_the_reference",
        ),
        "n_paired_binary": (
            "four points need 491 pairs at discordance 0.10",
            "stats/test_power.py::test_a_drop_of_four_points_needs_491_pairs_or_883_rows",
        ),
        "n_unpaired_rates": (
            "four points need 883 rows an arm",
            "stats/test_power.py::test_a_drop_of_four_points_needs_491_pairs_or_883_rows",
        ),
        "mde_unpaired_rates": (
            "inverse of n_unpaired_rates",
            "stats/test_power.py::test_size_inverts_effect",
        ),
        "mde_paired_graded": (
            "Miller 2024, arXiv 2411.00640, equation for the minimum detectable effect",
            "stats/test_power.py::test_size_inverts_effect",
        ),
        "n_paired_graded": (
            "Miller 2024, arXiv 2411.00640",
            "stats/test_power.py::test_size_inverts_effect",
        ),
        "mde_from_se": (
            "Miller 2024: (z_alpha + z_beta) x standard error",
            "stats/test_power.py::test_unpaired_means_add_their_variances",
        ),
        "mde_unpaired_means": (
            "Miller 2024",
            "stats/test_power.py::test_unpaired_means_add_their_variances",
        ),
        "planning_discordance": (
            "a bound, not an estimate: never zero",
            "stats/test_power.py::test_planning_discordance_is_never_zero",
        ),
    },
    "ratios": {
        "risk_ratio": (
            "statsmodels confint_proportions_2indep, log",
            "stats/test_ratios.py::test_the_log_interval_is_statsmodels",
        ),
    },
    "repeats": {
        "pass_hat_k": (
            "tau-bench pass^1 to pass^4 of the shared data; enumeration",
            "stats/test_published.py::test_taubench_pass_hat_k_is_reproduced",
        ),
        "pass_at_k": ("enumeration", "stats/test_repeats.py::test_rates_equal_enumeration"),
        "flip_rate": ("enumeration", "stats/test_repeats.py::test_rates_equal_enumeration"),
    },
    "thresholds.objectives": {
        "confusion_rates": (
            "scikit-learn",
            "stats/test_thresholds.py::test_objectives_equal_scikit_learn",
        ),
        "objective_values": (
            "scikit-learn f1, accuracy, balanced accuracy, MCC, kappa",
            "stats/test_thresholds.py::test_objectives_equal_scikit_learn",
        ),
    },
    "thresholds.sweeps": {
        "sweep": (
            "brute force; the published WiCE and MTRAG curves of the shared data",
            "stats/test_thresholds.py::test_sweep_equals_brute_force",
        ),
    },
    "unpaired": {
        "welch": ("scipy ttest_ind", "stats/test_unpaired.py::test_welch_equals_scipy"),
        "two_proportions": (
            "statsmodels proportions_ztest; 20/20 against 16/20: .035, .106, .061",
            "stats/test_unpaired.py::test_pooled_z_equals_statsmodels",
        ),
        "boschloo": ("scipy boschloo_exact", "stats/test_unpaired.py::test_boschloo_equals_scipy"),
    },
}
"""Module of `gitloop.stats` → function → (what it is held against, the test that does it)."""

NO_STATISTIC = frozenset(
    {
        *("tabulate", "prevalence", "is_missing", "observed_scale", "encode", "scale_weights"),
        *("constant_interval", "consensus", "verdict_of", "as_floats", "group_codes"),
        *("log_factorials", "is_held_out", "fold_assignment", "cross_fit", "bootstrap_sweep"),
        *("decimal_grid", "observed_grid", "passes", "confusion_at", "as_verdicts", "binned"),
        *("cell_counts", "cumulated", "choose"),
        *("shingles", "frequencies", "jaccard", "least_alike", "together"),
    }
)
"""Functions of `gitloop.stats` that sort, count or choose; their tests stand beside them."""
