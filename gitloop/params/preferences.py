"""How preference pairs are made, agreed upon, exported, and what a tuned model is held to."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from gitloop.params.pins import Target
from gitloop.params.strict import Strict

Rate = float
Source = Literal["clusters", "votes", "thumbs", "scores", "judge", "sessions"]


class PairJudge(Strict):
    """Who compares two answers (RLAIF).

    Attributes:
        use: Judge kind: openai, python, recorded, or a plug-in's name.
        version: Must equal the plug-in's.
        model: Model name, where the kind has one; a stronger one than the model to be tuned.
        parameters: Whatever else the kind takes.
        rubrics: Rubrics whose guidance is the criterion; empty means all that params.yaml pins.
        max_pairs: Most comparisons; each is two calls, or more with `repeats`.
        repeats: Verdicts per order.
    """

    use: str = "openai"
    version: str = "1"
    model: str | None = None
    parameters: dict[str, Any] = Field(default_factory=dict)
    rubrics: tuple[str, ...] = ()
    max_pairs: int = Field(default=1000, ge=1)
    repeats: int = Field(default=1, ge=1, le=9)


class PairAgreement(Strict):
    """How far annotators must agree on a stratum of pairs before it trains.

    Attributes:
        statistic: Which coefficient decides; the others are shown beside it.
        on: Whether its value decides, or its interval's lower bound.
        drop_below: A stratum below is dropped.
        train_from: A stratum from here on trains; between the two it waits for review.
        min_items: Fewest pairs with two labels or more that measure a stratum.
        required: Whether pairs of no measured stratum are kept back.
    """

    statistic: Literal["alpha", "fleiss", "cohen", "ac1"] = "alpha"
    on: Literal["value", "lower_bound"] = "value"
    drop_below: float = Field(default=0.5, ge=-1, le=1)
    train_from: float = Field(default=0.7, ge=-1, le=1)
    min_items: int = Field(default=30, ge=2)
    required: bool = True

    @model_validator(mode="after")
    def _bands_rise(self) -> PairAgreement:
        if self.drop_below > self.train_from:
            raise ValueError("drop_below lies at or below train_from")
        return self


class Policy(Strict):
    """A model that answers: the base, or the tuned one.

    Attributes:
        target: How it answers golden rows; null is params.yaml: target.
        preferences: Table (Parquet or JSON lines: pair_id, chosen, rejected) of what the model
            gives both answers of each holdout pair: log-likelihoods, or a reward model's scores.
        likelihood: "module:function" of prompt and answer that gives the same, in place of a table.
    """

    target: Target | None = None
    preferences: str | None = None
    likelihood: str | None = None

    @model_validator(mode="after")
    def _one_of_two(self) -> Policy:
        if self.preferences and self.likelihood:
            raise ValueError("a policy has a table of preferences or a likelihood, not both")
        return self


class Release(Strict):
    """What a tuned model is held to.

    Attributes:
        base: The model that it was tuned from.
        tuned: The tuned model, or null as long as there is none.
        floor: Least share of holdout pairs in which it must give chosen more than rejected.
        min_pairs: Fewest holdout pairs for a verdict.
        veto: Rubrics on which any loss beyond the noise vetoes, whatever the others gain.
    """

    base: Policy = Policy()
    tuned: Policy | None = None
    floor: Rate = Field(default=0.6, ge=0, le=1)
    min_pairs: int = Field(default=30, ge=2)
    veto: tuple[str, ...] = ()


class Readiness(Strict):
    """What makes preference tuning the right lever (`gitloop pairs doctor`).

    Attributes:
        min_conversations: Fewest conversations a month.
        min_pairs: Fewest pairs that may train.
        min_per_class: Fewest pairs of each class of prompts, a route, that has any.
        stable_days: Days for which no rubric has changed.
    """

    min_conversations: int = Field(default=100_000, ge=0)
    min_pairs: int = Field(default=500, ge=1)
    min_per_class: int = Field(default=50, ge=1)
    stable_days: int = Field(default=90, ge=0)


class Pairs(Strict):
    """How preference pairs are made.

    Attributes:
        sources: Where preferences come from, the most trusted first.
        min_margin: Least margin in [0, 1]; a smaller one, or one within the rubric's noise floor,
            goes to review.
        max_per_prompt: Most pairs that a source makes of one prompt.
        holdout_rate: Share of groups held out, for life.
        max_judged: Most traces that rubrics judge for path A and for rewards; 0 uses what
            calibrate scored.
        rerun: Whether the application answers failed prompts again, for path B.
        weights: Rubric → weight in the reward; 1 for those that it does not name.
        judge: Who compares two answers, for the source judge.
        sample: Pairs that people label.
        n_annotators: Labels by different people that a pair needs.
        agreement: How far they must agree.
        near_duplicate: Similarity of two texts, (0, 1], from which they count as one; two pairs are
            one when what was asked, chosen and rejected each are.
        keep_near_duplicates: Whether repeats and near duplicates of other pairs are exported all
            the same; what golden sets hold, or the holdout asks, never is.
        personal_data: What happens to a pair in which personal data is found: masked, or left out.
            One with a secret, or with an address in an id, is always left out.
        release: What a tuned model is held to.
        readiness: What makes tuning the right lever.
    """

    sources: tuple[Source, ...] = ("clusters", "thumbs")
    min_margin: float = Field(default=0.1, ge=0, le=1)
    max_per_prompt: int = Field(default=4, ge=1)
    holdout_rate: Rate = Field(default=0.1, ge=0, lt=1)
    max_judged: int = Field(default=0, ge=0)
    rerun: bool = False
    weights: dict[str, float] = Field(default_factory=dict)
    judge: PairJudge | None = None
    sample: int = Field(default=500, ge=1)
    n_annotators: int = Field(default=2, ge=2, le=9)
    agreement: PairAgreement = PairAgreement()
    near_duplicate: float = Field(default=0.9, gt=0, le=1)
    keep_near_duplicates: bool = False
    personal_data: Literal["mask", "block"] = "mask"
    release: Release = Release()
    readiness: Readiness = Readiness()

    @model_validator(mode="after")
    def _sources_and_weights(self) -> Pairs:
        if len(set(self.sources)) < len(self.sources):
            raise ValueError("sources names one twice")
        if "judge" in self.sources and self.judge is None:
            raise ValueError("the source judge needs pairs.judge")
        for rubric, weight in self.weights.items():
            if weight <= 0:
                raise ValueError(f"the weight of {rubric} is above 0")
        return self
