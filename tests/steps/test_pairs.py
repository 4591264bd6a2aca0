"""`gitloop pairs` on a real repository."""

from __future__ import annotations

import io
import json
from pathlib import Path

import polars as pl
import pytest
import yaml

from gitloop.cli.main import invoke
from gitloop.core.label import Given
from gitloop.core.pairs.labelling import chosen_side
from gitloop.errors import ConfigError, DataError
from gitloop.steps.label.desk import Desk
from gitloop.steps.pairs.agree import agree_pairs
from gitloop.steps.pairs.build import build_pairs
from gitloop.steps.pairs.doctor import age_of
from gitloop.steps.pairs.export import ExportPlan, export_file, export_pairs
from gitloop.steps.pairs.label import PairLabelPlan, PairQuestion, label_pairs, open_pairs
from gitloop.storage import parquet
from gitloop.storage.dvc import parse_pointer
from gitloop.storage.files import md5
from gitloop.tables import PAIRS
from gitloop.workspace import Workspace
from tests.paired import AT, N_PAIRS, WORDS, put_traces, trace, vote, voted_repository
from tests.repositories import Repository


@pytest.fixture
def voted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    """A voted repository in which pairs are built, at a fixed time."""
    monkeypatch.setenv("SOURCE_DATE_EPOCH", str(int(AT.timestamp())))
    made = voted_repository(tmp_path / "repository")
    build_pairs(made.root)
    return made


def test_votes_become_pairs(voted: Repository) -> None:
    """Nineteen decided pairs, the tie is counted and left out, groups keep their side."""
    report = build_pairs(voted.root)
    assert (report.n_pairs, report.by_source) == (19, {"votes": 19})
    assert report.dropped == {"votes": {"no majority": 1}, "build": {}}
    pairs = parquet.read(voted.root / "loop/pairs/pairs.parquet", PAIRS)
    assert pairs["annotators"].to_list() == [["amara", "bo"]] * 19
    metrics = json.loads(voted.read("loop/pairs/metrics.json"))
    assert metrics["sources"]["votes"]["n"] == 19


def test_a_build_is_the_same_bytes_again(voted: Repository) -> None:
    """Tables and metrics follow from their inputs."""
    files = sorted((voted.root / "loop/pairs").iterdir())
    before = {path.name: path.read_bytes() for path in files}
    build_pairs(voted.root)
    assert {path.name: path.read_bytes() for path in files} == before


def test_an_export_is_a_version_with_card_record_and_data(voted: Repository) -> None:
    """Data for DVC, card and record for Git; the tie is in no file."""
    plan = ExportPlan(layouts=("trl-dpo", "axolotl", "llama-factory"))
    report = export_pairs(voted.root, plan)
    assert report.exported is not None
    assert sum(report.splits.values()) == 19
    folder = voted.root / "preferences/pairs"
    record = yaml.safe_load((folder / f"log/{report.exported.id}.yaml").read_text())
    assert (record["n_pairs"], record["parents"], len(record["pairs"])) == (19, [], 19)
    assert record["version"] == report.exported.version == f"2026.05-{record['dataset_sha256'][:6]}"
    pointer = parse_pointer((folder / "data/trl-dpo-train.jsonl.dvc").read_bytes(), source="p")
    assert pointer.md5 == md5(folder / "data/trl-dpo-train.jsonl")
    lines = (folder / "data/trl-dpo-holdout.jsonl").read_text().splitlines()
    assert len(lines) == report.splits["holdout"]
    card = (folder / "README.md").read_text()
    assert f"# Preference pairs: pairs {report.exported.version}" in card
    assert "| source votes | 20 |" in card
    assert (folder / "axolotl.yaml").is_file()
    voted.git("add", "preferences")
    staged = voted.git("diff", "--cached", "--name-only").splitlines()
    assert not [name for name in staged if name.endswith(".jsonl")]


def test_a_second_version_names_the_first(voted: Repository) -> None:
    """The same pairs are no new version; other pairs are one, with a parent and what changed."""
    first = export_pairs(voted.root, ExportPlan()).exported
    again = export_pairs(voted.root, ExportPlan()).exported
    assert first is not None
    assert again is not None
    assert (again.is_new, again.version) == (False, first.version)
    votes = [vote(f"p{n:02}", "aab"[n % 3], "amara") for n in range(10)]
    voted.gen({"labels/pairs/amara.jsonl": "".join(votes)})
    voted.gen({"labels/pairs/bo.jsonl": "".join(votes).replace("amara", "bo")})
    build_pairs(voted.root)
    second = export_pairs(voted.root, ExportPlan()).exported
    assert second is not None
    record = yaml.safe_load(voted.read(f"preferences/pairs/log/{second.id}.yaml"))
    assert second.parents == (first.version,)
    assert record["parents"][0]["record"] == first.id
    assert len(record["changes"]["removed"]) > 0


def test_a_group_keeps_its_side_from_version_to_version(voted: Repository) -> None:
    """Half the votes gone, what is left of the holdout is a part of the old one."""
    before = dict(parquet.read(voted.root / "loop/pairs/pairs.parquet", PAIRS)
                  .select("pair_id", "split").iter_rows())  # fmt: skip
    votes = [vote(f"p{n:02}", "ab"[n % 2], "amara") for n in range(1, 10)]
    voted.gen({"labels/pairs/amara.jsonl": "".join(votes), "labels/pairs/bo.jsonl": ""})
    build_pairs(voted.root)
    after = parquet.read(voted.root / "loop/pairs/pairs.parquet", PAIRS)
    assert after.height == 9
    for pair_id, split in after.select("pair_id", "split").iter_rows():
        assert before[pair_id] == split


@pytest.mark.parametrize("kind", ["jsonl", "parquet"])
def test_one_file_is_written_without_a_record(voted: Repository, tmp_path: Path, kind: str) -> None:
    """JSON lines and Parquet hold the same rows; nothing is tracked."""
    output = tmp_path / f"pairs.{kind}"
    report, _ = export_file(
        voted.root, ExportPlan(form="plain", kind=kind), split="train", output=output
    )
    rows = pl.read_ndjson(output) if kind == "jsonl" else pl.read_parquet(output)
    assert rows.height == report.splits["train"]
    assert set(rows.columns) == {"prompt", "chosen", "rejected", "margin", "metadata"}
    assert not (voted.root / "preferences").exists()


def test_missing_texts_are_told_and_nothing_is_exported(tmp_path: Path) -> None:
    """A set of votes on answers whose texts nobody has is refused, with that reason."""
    bare = voted_repository(tmp_path / "bare", has_texts=False)
    assert build_pairs(bare.root).n_pairs == 0
    with pytest.raises(DataError, match="19 × a text is missing"):
        export_pairs(bare.root, ExportPlan())
    assert not (bare.root / "preferences").exists()


def test_no_address_reaches_a_training_file(tmp_path: Path) -> None:
    """Personal data is masked and told in report, card and record; block leaves the pair out."""
    mail = "ana@example.com"
    made = voted_repository(tmp_path / "mailed", extra=f" {mail}")
    build_pairs(made.root)
    report = export_pairs(made.root, ExportPlan(form="plain"))
    n = sum(report.splits.values())
    assert report.masked == {"email": n}
    folder = made.root / "preferences/pairs"
    text = "".join(path.read_text() for path in (folder / "data").glob("*.jsonl"))
    assert (text.count("<EMAIL>"), text.count(mail)) == (n, 0)
    assert f"Masked in the texts: {n} × email" in (folder / "README.md").read_text()
    (record,) = (folder / "log").glob("*.yaml")
    assert yaml.safe_load(record.read_text())["masked"] == {"email": n}
    params = made.read("params.yaml").replace("pairs:", "pairs:\n  personal_data: block")
    made.gen({"params.yaml": params})
    with pytest.raises(DataError, match="× a text holds personal data"):
        export_pairs(made.root, ExportPlan())


def test_agreement_is_measured_and_written(voted: Repository) -> None:
    """Two people who always agree: every figure is 1 and the stratum trains, its tie included."""
    report = agree_pairs(voted.root)
    votes = next(one for one in report.strata if one.kind == "source")
    assert (votes.name, votes.n_labelled, votes.n_ties, votes.band) == ("votes", 20, 1, "train")
    assert votes.alpha.value == votes.cohen.value == 1.0
    assert report.states == {"train": {"": 19}}
    assert json.loads(voted.read("loop/pairs/agreement.json"))["schema"] == (
        "gitloop.pairs-agreement/v1"
    )


def test_people_who_disagree_keep_a_stratum_out(voted: Repository) -> None:
    """A stratum below the lower band is dropped, and the export says so."""
    votes = [vote(f"p{n:02}", "ab"[n % 3 % 2], "bo") for n in range(N_PAIRS)]
    more = [vote(f"p{n:02}", "ab"[n % 2], "cy") for n in range(N_PAIRS)]
    voted.gen({"labels/pairs/bo.jsonl": "".join(votes), "labels/pairs/cy.jsonl": "".join(more)})
    build_pairs(voted.root)
    (state,) = agree_pairs(voted.root).states
    assert state == "dropped"
    with pytest.raises(DataError, match="agreement too low: source votes"):
        export_pairs(voted.root, ExportPlan())


def thumbed(root: Path) -> Repository:
    """Pairs of path A on twelve prompts, scored by a local rubric."""
    made = Repository.create(root)
    words = WORDS.split()
    traces = [
        trace(f"t{n:02}-{side}", f"{'kind ' if side == 'a' else ''}{words[n]} words",
              f"Please tell {words[n]} {words[-n]} {n}", group_id=f"g{n}")
        for n in range(12) for side in "ab"
    ]  # fmt: skip
    put_traces(made, traces)
    made.gen(
        {
            "params.yaml": (
                'rubrics: {kind: {version: "1"}}\n'
                "pairs: {sources: [scores], max_judged: 100, agreement: {min_items: 6}}\n"
            ),
            "rubrics/kind.yaml": (
                'name: kind\nversion: "1"\nguidance: Be kind.\n'
                "scorer: {local: {metric: contains, all: [kind]}}\n"
            ),
        }
    )
    build_pairs(made.root)
    return made


@pytest.fixture
def scored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    """A repository with twelve pairs that a rubric tells apart and nobody has labelled."""
    monkeypatch.setenv("SOURCE_DATE_EPOCH", str(int(AT.timestamp())))
    return thumbed(tmp_path / "scored")


def agreeing(question: PairQuestion) -> Given:
    """Somebody who always prefers the chosen answer; they find it by its word."""
    return Given("first" if "kind" in question.first else "second", "it is kind")


def test_nothing_unlabelled_is_exported(scored: Repository) -> None:
    """Without a measured stratum the export is refused and names the next command."""
    with pytest.raises(DataError, match="12 × no stratum's agreement is measured") as caught:
        export_pairs(scored.root, ExportPlan())
    assert "gitloop pairs label" in caught.value.hint


def test_two_annotators_open_the_way(scored: Repository) -> None:
    """Labels go into labels/<annotator>.jsonl, blind; then the stratum is measured and exported."""
    for who in ("amara", "bo"):
        report = label_pairs(scored.root, agreeing, PairLabelPlan(annotator=who))
        assert (report.n_labelled, report.n_left) == (12, 0)
    line = json.loads(scored.read("labels/amara.jsonl").splitlines()[0])
    assert (line["item_kind"], line["rubric"], line["role"]) == ("pair", "preference", "annotator")
    pairs = parquet.read(scored.root / "loop/pairs/pairs.parquet", PAIRS)
    sides = {
        row["pair_id"]: chosen_side(row["chosen"], row["rejected"]) for row in pairs.to_dicts()
    }
    assert line["label"] == sides[line["item_id"]]
    source = next(one for one in agree_pairs(scored.root).strata if one.kind == "source")
    assert (source.n_backed, source.n_judged, source.band) == (12, 12, "train")
    assert sum(export_pairs(scored.root, ExportPlan()).splits.values()) == 12
    full = label_pairs(scored.root, agreeing, PairLabelPlan(annotator="cy"))
    assert (full.n_labelled, full.n_done) == (0, 12)


def test_people_are_told_by_which_criteria(scored: Repository) -> None:
    """The guidance of every pinned rubric, on the page as in the terminal; nothing of the pair."""
    asked: list[PairQuestion] = []

    def ask(question: PairQuestion) -> str:
        asked.append(question)
        return "quit"

    plan = PairLabelPlan(annotator="amara")
    label_pairs(scored.root, ask, plan)
    (section,) = asked[0].rules.sections
    assert (section.section_id, section.title, section.text) == ("kind-1", "kind", "Be kind.")
    opened = open_pairs(scored.root, plan)
    desk = Desk(opened.workspace, opened.session, opened.queue, plan.as_label_plan())
    rules = desk.overview()["rules"]["preference"]
    assert [one["text"] for one in rules["sections"]] == ["Be kind."]
    assert rules["description"].startswith("Which is better by these criteria?")


def test_rewards_and_clauses_are_exported(scored: Repository) -> None:
    """Every judged answer has a reward; the rubric's guidance is a clause of the constitution."""
    for who in ("amara", "bo"):
        label_pairs(scored.root, agreeing, PairLabelPlan(annotator=who))
    plan = ExportPlan(layouts=("trl-dpo", "rewards", "trl-grpo"), form="plain")
    export_pairs(scored.root, plan)
    folder = scored.root / "preferences/pairs"
    rewarded = [
        json.loads(line)
        for path in sorted((folder / "data").glob("rewards-*.jsonl"))
        for line in path.read_text().splitlines()
    ]
    assert {row["reward"] for row in rewarded} == {0.0, 1.0}
    (clause,) = json.loads((folder / "constitution.json").read_text())
    assert (clause["rubric"], clause["principle"]) == ("kind", "Be kind.")


def test_the_review_queue_is_worked_off(scored: Repository) -> None:
    """Pairs that wait are asked for with --review; a senior's word lets them train or go."""
    report = label_pairs(
        scored.root,
        agreeing,
        PairLabelPlan(annotator="kim", is_senior=True, is_review=True),
    )
    assert report.n_labelled == 12
    assert sum(export_pairs(scored.root, ExportPlan()).splits.values()) == 12


@pytest.mark.parametrize(
    ("plan", "error", "told"),
    [
        (ExportPlan(name="No Name"), ConfigError, "cannot name a preference set"),
        (ExportPlan(layouts=("no",)), ConfigError, "no layout is called no"),
        (ExportPlan(layouts=("axolotl",), form="plain"), ConfigError, "axolotl is conversational"),
    ],
)
def test_a_wrong_plan_is_refused(
    voted: Repository, plan: ExportPlan, error: type[Exception], told: str
) -> None:
    """Names, layouts and forms are checked before anything is written."""
    with pytest.raises(error, match=told):
        export_pairs(voted.root, plan)


def test_parquet_needs_a_file(voted: Repository) -> None:
    """Bytes are not for a terminal; the error says what to add."""
    with pytest.raises(DataError, match="terminal"):
        export_file(voted.root, ExportPlan(kind="parquet"), split=None, output=None)


def test_a_broken_vote_names_its_line(
    voted: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nonsense in a vote file is told with file and line; nothing is written."""
    before = (voted.root / "loop/pairs/pairs.parquet").read_bytes()
    broken = vote("p01", "left", "amara") + "{\n" + vote("p02", "a", "bo")
    voted.gen({"labels/pairs/amara.jsonl": broken})
    assert invoke(["-C", str(voted.root), "pairs", "build"]) == 5
    told = capsys.readouterr().err
    assert "labels/pairs/amara.jsonl:1: winner is 'left'" in told
    assert "labels/pairs/amara.jsonl:2: not JSON" in told
    assert "labels/pairs/amara.jsonl:3: annotator is 'bo'" in told
    assert (voted.root / "loop/pairs/pairs.parquet").read_bytes() == before


def test_the_commands_speak(voted: Repository, capsys: pytest.CaptureFixture[str]) -> None:
    """build, agree and export print what they did and what comes next, in 80 columns."""
    for command in (["build"], ["agree", "--duos"], ["export"], ["export"], ["export", "-o", "-"]):
        assert invoke(["-C", str(voted.root), "pairs", *command]) == 0
    lines = capsys.readouterr().out.splitlines()
    told = [line for line in lines if not line.startswith("{")]
    assert [line for line in told if len(line) > 80] == []
    assert "next: gitloop pairs label" in told
    assert any("nothing was written" in line for line in told)
    assert sum(line.startswith("{") for line in lines) == 19


def test_the_terminal_asks_blind(
    scored: Repository, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two answers, no word of chosen or rejected; a key each, then quit."""
    monkeypatch.setattr("sys.stdin", io.StringIO("x\n1\nnicer\ns\nt\n\nq\n"))
    assert invoke(["-C", str(scored.root), "pairs", "label", "--terminal", "--as", "amara"]) == 0
    out = capsys.readouterr()
    assert "chosen" not in out.err
    assert "'x' is none of 1, 2, t, s, q" in out.err
    assert "amara: 2 labelled, 1 skipped, 10 left" in out.out
    given = [json.loads(line) for line in scored.read("labels/amara.jsonl").splitlines()]
    assert (given[0]["comment"], given[1]["label"]) == ("nicer", "tie")


def test_the_constitution_is_printed(
    scored: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    """A clause per rubric, without any pair."""
    assert invoke(["-C", str(scored.root), "pairs", "constitution"]) == 0
    assert capsys.readouterr().out.splitlines() == ["kind 1", "  Be kind."]


def test_the_doctor_says_what_stands_in_the_way(
    scored: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    """Verdict first, then each thing with its next step, in 80 columns; nothing is written."""
    scored.git("add", "--all")
    scored.git("commit", "--quiet", "--message", "All")
    assert invoke(["-C", str(scored.root), "pairs", "doctor"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "use prompt optimisation first"
    assert [line for line in lines if len(line) > 80] == []
    assert any("prompt optimisation has not been tried" in line for line in lines)
    assert invoke(["-C", str(scored.root), "pairs", "doctor", "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)["diagnosis"]
    states = {one["name"]: one["state"] for one in found["findings"]}
    assert (states["prompt search"], states["agreement"]) == ("first", "open")
    assert scored.status() == ""


def test_a_rubric_is_as_old_as_its_content(scored: Repository) -> None:
    """A new description ages nothing; a new scorer makes the rubric young; uncommitted is new."""
    workspace = Workspace(scored.root)
    scored.git("add", "rubrics")
    scored.git("-c", "user.name=a", "-c", "user.email=a@b.c", "commit", "-qm", "Old",
               "--date=2026-01-01T00:00:00Z")  # fmt: skip
    old = age_of(workspace, "kind")
    text = scored.read("rubrics/kind.yaml")
    scored.gen({"rubrics/kind.yaml": text + "description: Says so.\n"}, commit="Describe")
    assert age_of(Workspace(scored.root), "kind") == old
    scored.gen({"rubrics/kind.yaml": text.replace("all: [kind]", "all: [nice]")})
    assert age_of(Workspace(scored.root), "kind") is None
