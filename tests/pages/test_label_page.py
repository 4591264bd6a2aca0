"""The label page in a real browser: two annotators, a conflict, a senior, a promotion."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import polars as pl
import pytest

from gitloop.steps.promote import PromoteRequest, promote
from gitloop.storage.labels import read_labels
from gitloop.workspace import Workspace
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
    report = promote(unlabelled.root, PromoteRequest((), "support", takes_all=True))
    unlabelled.git("checkout", "--quiet", str(report.branch))
    unlabelled.dvc("checkout", "--quiet")
    golden = Workspace(unlabelled.root).golden("support").read()
    assert "Open Billing, then Refunds." in golden["reference"].to_list()
    unlabelled.git("checkout", "--quiet", "-")
    authors = unlabelled.git("log", "--format=%an", "-3", "--", "labels").splitlines()
    assert "Amara Okafor" in authors
    settled = read_labels(unlabelled.root).filter(pl.col("role") == "senior")
    assert settled["reference"].to_list() == ["Open Billing, then Refunds."]
    assert json.loads(unlabelled.read("labels/chen.jsonl"))["guidance_version"] == "1"


def test_two_browsers_on_one_item(
    driver: Driver, serve: Serve, unlabelled: Repository, tmp_path: Path
) -> None:
    """The second is told what the first said; looked at in the dark, at the width of a phone."""
    amara = serve(unlabelled.root, "--as", "amara", "--no-commit")
    one, other = driver.window(), driver.window()
    one.open(amara.link)
    one.wait_text("#title", "Question 1")
    other.open(amara.next_link())
    other.resize(390, 844)
    other.shade("dark")
    other.wait_text("#title", "Question 1")
    one.keys("p", "Enter")
    one.wait_text("#title", "Question 2")
    other.keys("f", "Enter")
    other.wait_text("#notice", "Another window answered this meanwhile: pass")
    assert other.run("return document.documentElement.scrollWidth <= innerWidth")
    other.screenshot(tmp_path / "phone.png")
    assert (tmp_path / "phone.png").stat().st_size > 10_000
    other.run("document.querySelector('#notice button').click()")
    other.wait_text("#title", "Question 2")
    said = [
        json.loads(line)["label"] for line in unlabelled.read("labels/amara.jsonl").splitlines()
    ]
    assert said == ["pass", "fail"]


WITHOUT_A_PAUSE = """
const done = arguments[arguments.length - 1], box = document.querySelector("#comment");
let n = 0;
const typing = setInterval(() => {
  box.value += "x";
  box.dispatchEvent(new Event("input"));
  if (++n === 30) { clearInterval(typing); done(n); }
}, 50);
"""


def test_a_browser_closed_while_somebody_types(
    driver: Driver, serve: Serve, unlabelled: Repository
) -> None:
    """What was typed is kept four times a second, not once its author pauses; it is no label."""
    amara = serve(unlabelled.root, "--as", "amara", "--no-commit")
    page = enter(driver, amara.link)
    page.run_async(WITHOUT_A_PAUSE)
    page.close()
    assert "x" * 10 in unlabelled.read(".gitloop/drafts/amara.json")
    again = enter(driver, amara.next_link())
    assert again.run("return document.querySelector('#comment').value").startswith("x" * 10)
    assert again.text("#state") == "draft kept"
    assert not (unlabelled.root / "labels/amara.jsonl").exists()


def test_an_answer_of_a_megabyte(driver: Driver, serve: Serve, tmp_path: Path) -> None:
    """It is shown in part, edited as a whole, and what became of it is saved."""
    answer = "It says that nothing of this is so. " * 28_000
    repository = Repository.create(tmp_path / "repository")
    make_promotable(repository, [failure(0, verdicts={}, output=answer)])
    amara = serve(repository.root, "--as", "amara", "--no-commit")
    page = enter(driver, amara.link)
    assert len(page.text("#texts .text")) < 21_000
    page.keys("f", "e")
    page.wait(lambda: page.run("return document.activeElement.id") == "reference", "the box")
    page.keys("Control+a")
    page.run("document.activeElement.setRangeText('No. ', 0, 0)")
    page.keys("Control+Enter")
    page.wait_text("#end", "1 of 1 are labelled")
    (reference,) = read_labels(repository.root)["reference"].to_list()
    assert reference == f"No. {answer}"


FORMS = {
    "amount": "{type: numeric, worst: 10, best: 0, step: 1, question: How many steps are left?}",
    "grounded": "{type: thumbs}",
    "shape": "{type: categorical, choices: [invented, sound], scores: {invented: 0, sound: 1}}",
    "tone": "{type: star}",
    "words": "{type: text}",
}


def test_five_ways_to_answer_by_keyboard(
    driver: Driver, serve: Serve, unlabelled: Repository
) -> None:
    """A number, a verdict, a category, stars and words, without a mouse, each with its score."""
    params = "seed: 0\nrubrics:\n"
    for name, form in FORMS.items():
        rubric = (
            f'name: {name}\nversion: "1"\nlabel: {form}\nscorer: {{local: {{metric: contains}}}}\n'
        )
        unlabelled.gen({f"rubrics/{name}.yaml": rubric})
        params += f'  {name}: {{version: "1"}}\n'
    unlabelled.gen({"params.yaml": params}, commit="Ask in five ways")
    amara = serve(unlabelled.root, "--as", "amara", "--sample", "1", "--no-commit")
    page = enter(driver, amara.link)
    assert page.text("#question") == "How many steps are left?"
    for number, keys in enumerate(["n2", "p", "1", "4", "nIt refuses."], start=1):
        page.wait_text("#title", f"Question {number}")
        page.keys(*keys)
        page.keys("Control+Enter")
    page.wait_text("#end", "5 of 5 are labelled")
    rows = read_labels(unlabelled.root).sort("rubric").select("rubric", "label", "score").rows()
    assert rows == [
        ("amount", "2", 0.8),
        ("grounded", "pass", 1.0),
        ("shape", "invented", 0.0),
        ("tone", "4", 0.75),
        ("words", "It refuses.", None),
    ]


CONTRAST = r"""
const canvas = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
const colour = (text) => {
  canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = text; canvas.fillRect(0, 0, 1, 1);
  return [...canvas.getImageData(0, 0, 1, 1).data];
};
const part = (c) => (c / 255 <= 0.03928 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4);
const light = ([r, g, b]) => 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
const behind = (node) => {
  for (let at = node; at; at = at.parentElement) {
    const found = colour(getComputedStyle(at).backgroundColor);
    if (found[3] > 250) return found;
  }
  return [255, 255, 255];
};
const speaks = (node) => [...node.childNodes].some((n) => n.nodeType === 3 && n.data.trim());
return [...document.querySelectorAll("body *")]
  .filter((node) => node.checkVisibility() && speaks(node) && !node.closest("[aria-hidden]"))
  .map((node) => {
    const [one, other] = [light(colour(getComputedStyle(node).color)), light(behind(node))];
    return [(Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05), node.textContent];
  })
  .filter(([ratio]) => ratio < 4.5);
"""
NAMELESS = """
return [...document.querySelectorAll("input, textarea, button")].filter((node) =>
  node.checkVisibility() && node.getAttribute("aria-hidden") !== "true" && !(node.labels?.length
  || node.ariaLabel || (node.tagName === "BUTTON" && node.textContent.trim())))
  .map((node) => node.outerHTML);
"""


def test_everybody_can_read_and_reach_it(
    driver: Driver, serve: Serve, unlabelled: Repository
) -> None:
    """Text has a contrast of 4.5 in light and dark; controls have names, and Tab reaches them."""
    amara = serve(unlabelled.root, "--as", "amara", "--no-commit")
    page = enter(driver, amara.link)
    page.keys("f")
    for shade in ("light", "dark"):
        page.shade(shade)
        assert page.run(CONTRAST) == []
    assert page.run(NAMELESS) == []
    page.run("document.activeElement.blur(); document.querySelector('.skip').focus()")
    reached = set()
    for _ in range(20):
        page.keys("Tab")
        reached.add(page.run("return document.activeElement.id || document.activeElement.value"))
    assert reached >= {"open-list", "open-help", "finish", "comment", "reference", "back", "save"}
    assert {"pass", "fail"} & reached


def test_another_page_cannot_post(driver: Driver, serve: Serve, unlabelled: Repository) -> None:
    """A page of another port, open in the same browser, gets nothing in and nothing out."""
    amara = serve(unlabelled.root, "--as", "amara", "--no-commit")
    with stranger() as address:
        page = enter(driver, amara.link)
        key = page.run("return localStorage.getItem('gitloop-key')")
        page.open(address)
        assert page.run("return localStorage.getItem('gitloop-key')") is None
        told = page.run_async(ATTACK.replace("TARGET", amara.origin).replace("KEY", key))
    assert told == ["refused", "refused", "refused"]
    assert not (unlabelled.root / "labels/amara.jsonl").exists()
    assert not (unlabelled.root / ".gitloop/drafts/amara.json").exists()


ATTACK = """
const done = arguments[arguments.length - 1];
const save = "TARGET/api/questions/0/save";
const body = JSON.stringify({values: {label: "fail"}, revision: "", window: "x"});
const keyed = {method: "POST", body, headers: {"x-gitloop-key": "KEY"}};
const plain = {method: "POST", body, mode: "no-cors", credentials: "include"};
const ask = (options) => fetch(save, options).then((a) => a.type, () => "refused");
const look = fetch("TARGET/api/overview", {headers: {"x-gitloop-key": "KEY"}})
  .then((a) => a.type, () => "refused");
Promise.all([ask(keyed), look, ask(plain)]).then(done);
"""


@contextmanager
def stranger() -> Iterator[str]:
    """A page of somebody else, on another port of the loopback."""

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("content-type", "text/html")
            self.end_headers()
            self.wfile.write(b"<!doctype html><title>stranger</title>")

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


def test_a_killed_server_loses_nothing(
    driver: Driver, serve: Serve, unlabelled: Repository
) -> None:
    """After kill -9 the open page goes on with the next session, and so does any other browser."""
    amara = serve(unlabelled.root, "--as", "amara", "--no-commit")
    page = enter(driver, amara.link)
    page.keys("f", "c")
    page.type("It does not even try")
    page.wait_text("#state", "draft kept")
    amara.kill()
    page.type("!")
    page.wait_text("#notice", "The terminal session has ended")
    port = amara.origin.rpartition(":")[2]
    again = serve(unlabelled.root, "--as", "amara", "--no-commit", "--port", port)
    fresh = enter(driver, again.link)
    assert fresh.run("return document.querySelector('#comment').value") == "It does not even try"
    assert fresh.run("return document.querySelector('[value=fail]').checked")
    page.open(again.next_link())
    page.wait_text("#state", "draft kept")
    assert page.run("return document.querySelector('#comment').value") == "It does not even try!"
    page.keys("Control+Enter")
    page.wait_text("#title", "Question 2")
    assert json.loads(unlabelled.read("labels/amara.jsonl"))["comment"] == "It does not even try!"


def promoted(repository: Repository) -> int:
    """How many rows a promotion would add now."""
    request = PromoteRequest((), "support", takes_all=True, is_dry_run=True)
    return promote(repository.root, request).n_promoted
