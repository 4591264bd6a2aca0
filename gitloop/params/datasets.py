"""dataset.yaml: what a golden set is called, and how it is reviewed and merged."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from gitloop.documents import parse
from gitloop.params.strict import Strict, validate

SET_NAME = r"^[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?$"


class DatasetSpec(Strict):
    """A golden set's own settings (DESIGN.md §2).

    Attributes:
        name: Equal to the directory's name.
        schema_version: Version of the golden table that its parts follow.
        key: Column that identifies a row.
        review_columns: Columns whose text may be shown in pull requests and comments.
        merge: Column → what wins when two branches change one cell; labels always conflict.
        val_rate: Share of groups that go to the validation split, [0, 1].
        holdout_rate: Share of groups that go to the holdout split, [0, 1].
        personal_data: What happens to a row in which personal data is found.
    """

    name: str = Field(pattern=SET_NAME)
    schema_version: int = Field(default=1, ge=1)
    key: Literal["row_id"] = "row_id"
    review_columns: tuple[str, ...] = ("route", "user_cohort", "labels", "split")
    merge: dict[str, Literal["ours", "theirs", "union", "conflict"]] = Field(default_factory=dict)
    val_rate: float = Field(default=0.3, ge=0, le=1)
    holdout_rate: float = Field(default=0.3, ge=0, le=1)
    personal_data: Literal["mask", "block"] = "mask"

    @model_validator(mode="after")
    def _rates_leave_room(self) -> DatasetSpec:
        if self.val_rate + self.holdout_rate > 1:
            raise ValueError("val_rate and holdout_rate together are at most 1")
        return self


def parse_dataset(text: str, *, source: str) -> DatasetSpec:
    """The settings in `text`.

    Raises:
        ConfigError: Every fault of the file, each with its line.
    """
    return validate(parse(text, source=source), DatasetSpec)
