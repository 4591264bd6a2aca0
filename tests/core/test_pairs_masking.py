"""No secret and no personal data reaches a training file."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from gitloop.core.pairs.masking import Masked, Scan, mask_rows
from gitloop.core.promote import find_secrets, mask
from gitloop.tables import REWARDS
from tests.paired import built, preference

KEY = "sk_live_" + "9aB3xQ7LmN2pRtV5wYz8"
MAIL = "ana@example.com"


def screened(*, blocks: bool = False, **fields: Any) -> Masked:  # noqa: ANN401
    """What the scan leaves of one pair."""
    given = {"prompt": "p", "chosen": "x", "rejected": "y"} | fields
    scan = Scan(mask, find_secrets, blocks=blocks)
    return mask_rows(built(preference(**given)).pairs, scan, key="pair_id")


@pytest.mark.parametrize("column", ["prompt", "chosen", "rejected"])
def test_personal_data_is_masked_and_counted(column: str) -> None:
    """By its kind, in each text."""
    fields: dict[str, Any] = {column: f"write to {MAIL} or {MAIL}"}
    found = screened(**fields)
    assert found.rows[column].to_list() == ["write to <EMAIL> or <EMAIL>"]
    assert found.counts(found.rows["pair_id"]) == {"email": 2}
    assert found.counts([]) == {}


def test_the_history_is_masked_too() -> None:
    """What was said before the prompt trains as well."""
    found = screened(history=(("user", f"I am {MAIL}"), ("assistant", "Hello")))
    assert found.rows["history"].to_list() == [
        [{"role": "user", "content": "I am <EMAIL>"}, {"role": "assistant", "content": "Hello"}]
    ]


def test_personal_data_can_keep_a_pair_out() -> None:
    """As params.yaml says."""
    found = screened(chosen=f"write to {MAIL}", blocks=True)
    assert found.rows.is_empty()
    assert list(found.dropped.values()) == ["a text holds personal data"]


@pytest.mark.parametrize(
    "fields", [{"prompt": f"my key is {KEY}"}, {"history": (("user", KEY), ("assistant", "ok"))}]
)
def test_a_secret_keeps_a_pair_out(fields: dict[str, Any]) -> None:
    """Whatever params.yaml says: nothing is left of a masked key that a model should learn."""
    found = screened(**fields)
    assert (found.rows.height, list(found.dropped.values())) == (0, ["a text holds a secret"])


@pytest.mark.parametrize("fields", [{"groups": (MAIL,)}, {"chosen_id": f"trace of {MAIL}"}])
def test_an_address_in_an_id_keeps_a_pair_out(fields: dict[str, Any]) -> None:
    """Masking it would lose the trail."""
    (reason,) = screened(**fields).dropped.values()
    assert reason == "personal data in an id, route or cohort, which cannot be masked"


def test_rewards_are_masked_as_pairs_are() -> None:
    """Prompt and completion, with the columns unchanged."""
    row = {
        "trace_id": "t", "prompt_class": "c", "prompt": MAIL, "completion": f"To {MAIL}",
        "reward": 1.0, "scores": [], "passes": True, "route": None, "group_id": "g",
    }  # fmt: skip
    rewards = pl.DataFrame([row], schema=REWARDS.schema)
    found = mask_rows(rewards, Scan(mask, find_secrets, blocks=False), key="trace_id")
    assert found.rows.select("prompt", "completion").row(0) == ("<EMAIL>", "To <EMAIL>")
    assert found.rows.schema == rewards.schema
