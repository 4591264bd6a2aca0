"""The label page in a real browser: two annotators, a conflict, a senior, a promotion."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from gitloop.steps.promote import PromoteRequest, promote
from gitloop.storage.labels import read_labels
from tests.browser import Driver, Window
from tests.pages.conftest import Serve
from tests.promotable import failure, make_promotable
from tests.repositories import Repository

pytestmark = pytest.mark.slow


@pytest.fixture
def unlabelled(tmp_path: Path) -> Repository:
    """Two failures in one cluster that nobody has labelled."""
    repository = Repository.create(tmp_path / "repository")
    make_promotable(repository, [failure(0, verdicts={}), failure(1, verdicts={})])
    return repository


def enter(driver: Driver, link: str, question: str = "Question 1") -> Window:
    """A new browser that came in through the link."""
    window = driver.window()
    window.open(link)
    window.wait_text("#title", question)
    return window


def test_two_annotators_a_conflict_a_senior_and_a_promotion(
    driver: Driver, serve: Serve, unlabelled: Repository
) -> None:
    """People who differ bring a case before the senior, whose word and words are promoted."""
    amara = serve(unlabelled.root, "--as", "Amara Okafor <amara@example.org>")
    page = enter(driver, amara.link)
    page.keys("f", "c")
    page.type("It does not even try.")
    page.keys("Escape", "e")
    page.keys("Control+a")
    page.type("Open Billing, then Refunds.")
    page.keys("Control+Enter")
    page.wait_text("#title", "Question 2")
    page.keys("f", "Enter")
    page.wait_text("#end", "2 of 2 are labelled")
    page.click("#end .main")
    page.wait_text("#end", "Committed as")
    assert "by Amara Okafor <amara@example.org>" in amara.rest()

    bo = serve(unlabelled.root, "--as", "bo")
    other = enter(driver, bo.link)
    assert "even try" not in other.run("return document.documentElement.innerHTML")
    assert other.text("#count").startswith("0 of 2")
    other.keys("p", "Enter")
    other.wait_text("#title", "Question 2")
    other.keys("f", "Enter")
    other.wait_text("#end", "2 of 2 are labelled")
    bo.end()

    assert promoted(unlabelled) == 1
    chen = serve(unlabelled.root, "--as", "chen", "--senior")
    senior = enter(driver, chen.link)
    assert senior.text("#opinions").split("\n")[1:3] == ["amara-okafor", "fail"]
    assert "It does not even try." in senior.text("#opinions")
    assert "bo" in senior.text("#opinions")
    senior.click("#opinions button")
    senior.keys("Escape", "f", "Enter")
    senior.wait_text("#end", "1 of 1 are labelled")
    chen.end()

    assert promoted(unlabelled) == 2
    authors = unlabelled.git("log", "--format=%an", "-3", "--", "labels").splitlines()
    assert "Amara Okafor" in authors
    settled = read_labels(unlabelled.root).filter(pl.col("role") == "senior")
    assert settled["reference"].to_list() == ["Open Billing, then Refunds."]
    assert json.loads(unlabelled.read("labels/chen.jsonl"))["guidance_version"] == "1"


def promoted(repository: Repository) -> int:
    """How many rows a promotion would add now."""
    request = PromoteRequest((), "support", takes_all=True, is_dry_run=True)
    return promote(repository.root, request).n_promoted
