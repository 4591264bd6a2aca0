"""params.yaml: everything that decides a result, pinned."""

from __future__ import annotations

import re
from typing import Any, Literal, get_args

from pydantic import Field, field_validator, model_validator

from gitloop.documents import parse
from gitloop.errors import ConfigError
from gitloop.params.datasets import SET_NAME
from gitloop.params.pins import RubricPin, Target
from gitloop.params.policies import Gate, Optimize
from gitloop.params.preferences import Pairs
from gitloop.params.strict import Strict, validate
from gitloop.params.triage import Triage

Rate = float


class Capture(Strict):
    """How files of other tools become traces and feedback.

    Attributes:
        columns: Our column → theirs (or a span attribute); "=text" is a constant for gaps.
        route_attribute: Span attribute that holds the route, where no gitloop.route is set.
        user_cohort_attribute: Span attribute that holds the cohort.
        stores: Where each event goes as well: name → directory of Parquet files.
    """

    columns: dict[str, str] = Field(default_factory=dict)
    route_attribute: str = "gitloop.route"
    user_cohort_attribute: str = "gitloop.user_cohort"
    stores: dict[str, str] = Field(default_factory=lambda: {"training": "data/training"})


class Failures(Strict):
    """Which feedback makes a trace a failure.

    Attributes:
        signals: signal_type → weight in [0, 1]; a trace's weights add up over its events.
        rating_below: A rating under this counts as thumbs_down.
        score_below: A rubric_score under this counts as thumbs_down.
        min_weight: Least total weight that makes a failure.
    """

    signals: dict[str, float] = Field(
        default_factory=lambda: {
            "thumbs_down": 1.0,
            "escalate": 0.8,
            "regenerate": 0.6,
            "retry": 0.6,
            "edit": 0.6,
            "abandon": 0.4,
        }
    )
    rating_below: float = 3.0
    score_below: float = Field(default=0.5, ge=0, le=1)
    min_weight: float = Field(default=0.5, gt=0)

    @model_validator(mode="after")
    def _weights_are_shares(self) -> Failures:
        for signal, weight in self.signals.items():
            if not 0 <= weight <= 1:
                raise ValueError(f"the weight of {signal} lies in [0, 1]")
        return self


class Embedder(Strict):
    """The embedder and its pins.

    Attributes:
        use: Plug-in name.
        version: Must equal the plug-in's.
        dimensions: Length of a vector.
        parameters: Whatever else the plug-in takes.
    """

    use: str = "tfidf"
    version: str = "1"
    dimensions: int = Field(default=128, ge=2, le=8192)
    parameters: dict[str, Any] = Field(default_factory=dict)


class Cluster(Strict):
    """How failures are clustered.

    Attributes:
        text: Fields of the trace that are clustered, joined by a line break.
        min_cluster_size: Fewest failures in a cluster; null follows the number of failures.
        min_samples: Neighbours that make a place dense for HDBSCAN.
        smoothing_neighbours: Neighbours that each vector is averaged with; 0 is off.
        smoothing_steps: How often.
        pca_dimensions: Dimensions that HDBSCAN sees.
        soft_assignment: Whether near noise joins a cluster, marked by its probability.
        representatives: Cases per cluster that people label.
        mode: full (cluster everything, drawn to last night's clusters) or incremental (known
            failures keep their cluster, new ones join one, the rest is clustered).
        full_every: In mode incremental, every nth night is a full one.
        sample: Of more distinct failures than this, so many are clustered and the others join
            them; null is never.
        stability_draws: Half samples that are clustered again to see which clusters last; 0 is off.
    """

    text: tuple[Literal["input", "context", "output", "comment"], ...] = ("input", "output")
    min_cluster_size: int | None = Field(default=None, ge=2)
    min_samples: int = Field(default=1, ge=1)
    smoothing_neighbours: int = Field(default=12, ge=0)
    smoothing_steps: int = Field(default=2, ge=0)
    pca_dimensions: int = Field(default=40, ge=2)
    soft_assignment: bool = False
    representatives: int = Field(default=8, ge=1, le=50)
    mode: Literal["full", "incremental"] = "full"
    full_every: int = Field(default=4, ge=1)
    sample: int | None = Field(default=30_000, ge=100)
    stability_draws: int = Field(default=4, ge=0, le=100)


class AgreementFloor(Strict):
    """How far annotators must agree before their word enters a golden set.

    Attributes:
        measure: raw, fleiss, alpha (Krippendorff, at the rubric's level), or ac1 (Gwet; AC2 where
            labels have an order).
        least: The least agreement, at most 1.
        on: Whether the figure itself is held to it, or its interval's lower bound.
        by: What strata are made of; null: each rubric is one stratum.
        min_items: Fewest items with two labels; a stratum with fewer is held to the whole rubric's
            figure.
    """

    measure: Literal["raw", "fleiss", "alpha", "ac1"] = "ac1"
    least: float = Field(default=0.6, ge=-1, le=1)
    on: Literal["value", "lower_bound"] = "value"
    by: Literal["route", "user_cohort", "prompt_version", "cluster_id"] | None = "route"
    min_items: int = Field(default=10, ge=2)


class Labels(Strict):
    """How people label.

    Attributes:
        guidance_version: Version of the guidance that annotators follow now.
        n_annotators: Labels by different people that an item needs.
        min_agreement: Least share of annotators behind a promoted row's verdict; a senior settles.
        floor: Agreement that a stratum needs for its rows to be promoted, or null for none.
    """

    guidance_version: str = "1"
    n_annotators: int = Field(default=2, ge=1, le=9)
    min_agreement: Rate = Field(default=0.6, gt=0.5, le=1)
    floor: AgreementFloor | None = None


CallMode = Literal["record", "replay", "refresh", "off"]
CALL_MODES: tuple[str, ...] = get_args(CallMode)


class CallBudget(Strict):
    """What one run of a command may spend on language models and embedders, all together.

    Attributes:
        calls: Most calls, or null.
        tokens: Most tokens, read and written, or null.
        usd: Most US dollars, or null; every model that is called then needs a price.
    """

    calls: int | None = Field(default=None, ge=1)
    tokens: int | None = Field(default=None, ge=1)
    usd: float | None = Field(default=None, gt=0)


class Calls(Strict):
    """The call store.

    Attributes:
        budget: What one run may spend; what was answered before is kept.
        mode: record (call and append on a miss), replay (a miss is an error), refresh (call
            again what is known, append, and report the drift) or off.
            The environment variable GITLOOP_CALLS_MODE decides where it is set.
    """

    mode: CallMode = "record"
    budget: CallBudget = CallBudget()


class Score(Strict):
    """What is scored.

    Attributes:
        replicates: Outputs per row.
        max_error_rate: Share of failed calls above which there is no verdict, [0, 1].
    """

    replicates: int = Field(default=1, ge=1, le=100)
    max_error_rate: Rate = Field(default=0.02, ge=0, le=1)


class Calibrate(Strict):
    """How a judge's threshold is found.

    Attributes:
        objective: What the threshold maximises.
        grid: "low:high:steps" (decimal-exact), or "observed" for every way to split the scores.
        comparison: Whether a score equal to the threshold passes.
        folds: Cross-fitting folds, by group.
        bootstraps: Resamples for the intervals.
        min_labels: Fewest labelled items for a threshold.
        cost_ratio: Cost of a missed failure in false alarms, for the objective "cost".
        min_recall: Least recall, for the objective "precision_at_recall".
        by_route: Whether each route gets a threshold of its own as well.
        holdout_rate: Share of groups whose labels nothing learns from, for life; they check it.
        max_judge_error: Share of wrong verdicts that the judge may promise where it decides at
            all; near the line it then abstains. Null: it always decides.
    """

    objective: Literal[
        "f1", "accuracy", "balanced_accuracy", "mcc", "kappa", "cost", "precision_at_recall"
    ] = "balanced_accuracy"
    grid: str = Field(
        default="0.3:0.9:13", pattern=r"^(observed|[0-9]?\.?[0-9]+:[0-9]?\.?[0-9]+:[0-9]{1,5})$"
    )
    comparison: Literal[">=", ">"] = ">="
    folds: int = Field(default=5, ge=2, le=50)
    bootstraps: int = Field(default=1000, ge=100, le=100_000)
    min_labels: int = Field(default=20, ge=2)
    cost_ratio: float = Field(default=1.0, gt=0)
    min_recall: Rate = Field(default=0.9, gt=0, le=1)
    by_route: bool = False
    holdout_rate: Rate = Field(default=0.0, ge=0, lt=1)
    max_judge_error: Rate | None = Field(default=None, gt=0, lt=0.5)

    @field_validator("grid")
    @classmethod
    def _grid_rises(cls, grid: str) -> str:
        if grid != "observed":
            low, high, steps = grid.split(":")
            if not 0 <= float(low) < float(high) <= 1 or int(steps) < 2:
                raise ValueError("a grid rises from low to high within [0, 1], in 2 steps or more")
        return grid


class Golden(Strict):
    """The golden sets in use.

    Attributes:
        sets: Set → version that the gate must not move from, or null for the newest.
        near_duplicate: Similarity of two inputs in [0, 1] from which a promotion names the pair.
    """

    sets: dict[str, str | None] = Field(default_factory=dict)
    near_duplicate: float = Field(default=0.9, gt=0, le=1)

    @model_validator(mode="after")
    def _names_are_safe(self) -> Golden:
        for name in self.sets:
            if not re.fullmatch(SET_NAME, name):
                raise ValueError(f"a set's name is lower case letters, digits and dashes: {name!r}")
        return self


class Params(Strict):
    """params.yaml, whole.

    Attributes:
        seed: Seed of everything that draws.
        capture: Reading other tools' files.
        failures: Which traces are failures.
        embedder: Text → vector.
        cluster: Failures → clusters.
        triage: Clusters → briefs.
        labels: How people label.
        rubrics: Rubric → its version and judge.
        target: The application under test.
        calls: The call store.
        calibrate: Thresholds.
        golden: The golden sets.
        score: Outputs × rubrics.
        gate: The gate's policy.
        optimize: The optimizer.
        pairs: Preference pairs.
    """

    seed: int = Field(default=0, ge=0)
    capture: Capture = Capture()
    failures: Failures = Failures()
    embedder: Embedder = Embedder()
    cluster: Cluster = Cluster()
    triage: Triage = Triage()
    labels: Labels = Labels()
    rubrics: dict[str, RubricPin] = Field(default_factory=dict)
    target: Target = Target()
    calls: Calls = Calls()
    calibrate: Calibrate = Calibrate()
    golden: Golden = Golden()
    score: Score = Score()
    gate: Gate = Gate()
    optimize: Optimize = Optimize()
    pairs: Pairs = Pairs()


def golden_pins(text: str) -> dict[str, str | None]:
    """Set → pinned version in a params.yaml of any time; {} where it tells none.

    Of an old commit's file nothing else matters: it may hold keys that nobody knows today.
    """
    try:
        sets = parse(text, source="params.yaml").value["golden"]["sets"]
        return {str(name): None if pin is None else str(pin) for name, pin in sets.items()}
    except (ConfigError, KeyError, TypeError, AttributeError):
        return {}


def parse_params(text: str, *, source: str = "params.yaml") -> Params:
    """The parameters in `text`.

    Raises:
        ConfigError: Every fault of the file, each with its line and the nearest known key.
    """
    return validate(parse(text, source=source), Params)
