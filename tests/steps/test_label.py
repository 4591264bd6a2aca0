"""`gitloop label`, `labels import`, `labels export` and `agree` on a real repository."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import polars as pl
import pytest

from gitloop.core.label import Given
from gitloop.core.labels import Dialect
from gitloop.errors import ConfigError, DataError
from gitloop.steps.agree import agree
from gitloop.steps.label import LabelPlan, Question
from gitloop.steps.label import label as label_step
from gitloop.steps.labels import ExportPlan, ImportPlan, export_labels, import_labels
from gitloop.steps.promote import PromoteRequest, promote
from gitloop.storage import parquet
from gitloop.storage.labels import append_labels, read_labels, render_label
from gitloop.tables import CLUSTERS, MEMBERS, OUTPUTS
from tests.labelled import label, label_all, labelled_repository
from tests.promotable import failure, make_promotable
from tests.repositories import Repository


@pytest.fixture
def clustered(tmp_path: Path) -> Repository:
    """Four traces, three of which represent a cluster."""
    repository = labelled_repository(tmp_path / "repository", 4)
    cluster = {
        "cluster_id": "c1",
        "name": "lisbon office",
        "size": 3,
        "weight": 3.0,
        "medoid_trace_id": "t000",
        "medoid_line": "",
        "representatives": ["t000", "t001", "t002"],
        "cohesion": 0.9,
        "routes": ["refund"],
        "user_cohorts": [],
        "prompt_versions": [],
    }
    rows = pl.DataFrame([cluster], schema=CLUSTERS.schema)
    parquet.write(repository.root / "loop/cluster/clusters.parquet", CLUSTERS, rows)
    return repository


def say(*answers: Given | str) -> tuple[list[Question], object]:
    """The questions that will be asked, and somebody who answers them in this order."""
    asked: list[Question] = []
    left = iter(answers)

    def ask(question: Question) -> Given | str:
        asked.append(question)
        return next(left)

    return asked, ask


def test_each_answer_is_a_label(clustered: Repository) -> None:
    """Answers become lines of the annotator's file; a skipped item stays open."""
    asked, ask = say(Given("fail", "no such office", "30 days"), "skip", Given("pass"))
    report = label_step(clustered.root, ask, LabelPlan("amara"))  # type: ignore[arg-type]
    found = read_labels(clustered.root).select("trace_id", "label", "comment", "cluster_id")
    assert sorted(found.iter_rows()) == [
        ("t000", "fail", "no such office", "c1"),
        ("t002", "pass", None, "c1"),
    ]
    assert asked[0].guidance == "Fail whatever the context does not say."
    assert (report.n_labelled, report.n_skipped, report.n_left) == (2, 1, 1)


def test_who_quits_goes_on_later(clustered: Repository) -> None:
    """What was answered before quitting is kept, and is not asked again."""
    _, ask = say(Given("fail"), "quit")
    label_step(clustered.root, ask, LabelPlan("amara"))  # type: ignore[arg-type]
    asked, ask = say("quit")
    report = label_step(clustered.root, ask, LabelPlan("amara"))  # type: ignore[arg-type]
    assert (asked[0].item.trace_id, report.n_done) == ("t001", 1)


def test_what_was_answered_before_a_crash_is_on_disk(clustered: Repository) -> None:
    """An answer is saved before the next question is put."""
    saved = []

    def ask(question: Question) -> Given:
        saved.append(read_labels(clustered.root).height)
        if question.number == 3:
            raise OSError("the terminal is gone")
        return Given("pass")

    with pytest.raises(OSError, match="gone"):
        label_step(clustered.root, ask, LabelPlan("amara"))
    assert saved == [0, 1, 2]


def test_the_git_user_labels(clustered: Repository) -> None:
    """Without a name the Git user's is taken; without that, one must be given."""
    _, ask = say("quit")
    with pytest.raises(ConfigError, match="Git does not know who you are"):
        label_step(clustered.root, ask, LabelPlan())  # type: ignore[arg-type]
    clustered.git("config", "user.name", "Ada Lovelace")
    assert label_step(clustered.root, ask, LabelPlan()).annotator == "ada-lovelace"  # type: ignore[arg-type]


def test_a_senior_settles(clustered: Repository) -> None:
    """Two annotators who differ bring the item before the senior, whose label settles it."""
    append_labels(clustered.root, "amara", [label("t000", "pass"), label("t001", "pass")])
    append_labels(clustered.root, "bo", [label("t000", "fail", "bo"), label("t001", "pass", "bo")])
    asked, ask = say(Given("fail"))
    report = label_step(clustered.root, ask, LabelPlan("chen", is_senior=True))  # type: ignore[arg-type]
    assert [question.item.trace_id for question in asked] == ["t000"]
    assert (report.role, report.n_left) == ("senior", 0)


def test_nothing_to_choose_from_is_told(tmp_path: Path) -> None:
    """Before clustering there is no queue, and a random sample needs none."""
    repository = labelled_repository(tmp_path / "repository", 4)
    _, ask = say("quit")
    with pytest.raises(DataError, match="have not been clustered"):
        label_step(repository.root, ask, LabelPlan("amara"))  # type: ignore[arg-type]
    asked, ask = say("quit")
    label_step(repository.root, ask, LabelPlan("amara", n_sample=2))  # type: ignore[arg-type]
    assert asked[0].n_questions == 2


def test_an_unknown_rubric_is_told(clustered: Repository) -> None:
    """A rubric that params.yaml does not pin cannot be labelled."""
    _, ask = say()
    with pytest.raises(ConfigError, match="pins no rubric polite"):
        label_step(clustered.root, ask, LabelPlan("amara", rubrics=("polite",)))  # type: ignore[arg-type]


def test_a_csv_file_becomes_labels(clustered: Repository, tmp_path: Path) -> None:
    """Gaps are filled: who, guidance, role, id and time; a second import changes nothing."""
    ratings = tmp_path / "ratings.csv"
    ratings.write_text(
        "trace_id,rubric,label,comment\n"
        't000,grounded,fail,"made up, all of it"\n'
        "t001,grounded,pass,\n",
        encoding="utf-8",
    )
    first = import_labels(clustered.root, (ratings,), ImportPlan(annotator="amara"))
    again = import_labels(clustered.root, (ratings,), ImportPlan(annotator="amara"))
    found = read_labels(clustered.root)
    assert (first.n_new, again.n_new, again.n_unchanged) == (2, 0, 2)
    assert found["comment"].to_list().count("made up, all of it") == 1
    assert found["guidance_version"].unique().to_list() == ["1"]
    assert found["rubric_version"].to_list() == [None, None]


def test_labels_go_out_and_come_back(clustered: Repository, tmp_path: Path) -> None:
    """What export writes, import reads: JSON lines and CSV alike."""
    label_all(clustered, 4)
    before = read_labels(clustered.root)
    for form in ("jsonl", "csv"):
        path = tmp_path / f"labels.{form}"
        export_labels(clustered.root, ExportPlan(form, path=path))
        assert import_labels(clustered.root, (path,), ImportPlan()).n_unchanged == 8
    assert read_labels(clustered.root).equals(before)


def test_a_changed_label_supersedes(clustered: Repository, tmp_path: Path) -> None:
    """An imported label of the same person, trace and rubric takes the older one's place."""
    label_all(clustered, 2)
    path = tmp_path / "amara.jsonl"
    path.write_text(render_label(label("t000", "pass")), encoding="utf-8")
    report = import_labels(clustered.root, (path,), ImportPlan())
    found = read_labels(clustered.root).filter(annotator="amara", trace_id="t000")
    assert (report.n_replaced, found["label"].to_list()) == (1, ["pass"])


def test_one_faulty_label_imports_nothing(clustered: Repository, tmp_path: Path) -> None:
    """Every fault of every file is told with its place, and nothing is written."""
    one, other = tmp_path / "one.jsonl", tmp_path / "other.csv"
    one.write_text(render_label(label("t000", "pass")) + '{"trace_id": "t1"}\n', encoding="utf-8")
    other.write_text("trace_id,rubric,label,score\nt1,polite,pass,\nt1,grounded,4,four\n")
    with pytest.raises(DataError) as caught:
        import_labels(clustered.root, (one, other), ImportPlan(annotator="amara"))
    told = caught.value.message
    assert "one.jsonl:2: rubric is missing" in told
    assert "other.csv:2: params.yaml pins no rubric polite" in told
    assert 'other.csv:3: score must be a number in [0, 1], not "four"' in told
    assert not (clustered.root / "labels").exists()


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("a.jsonl", "[1]\n", "a.jsonl:1: not a JSON object"),
        ("a.jsonl", "{\n", "a.jsonl:1: not valid JSON"),
        ("a.csv", "trace_id,label\nt1\n", "a.csv:2: 1 cells under 2 columns"),
        ("a.csv", "", "a.csv is empty"),
    ],
)
def test_a_file_that_cannot_be_read_is_told(
    clustered: Repository, tmp_path: Path, name: str, text: str, told: str
) -> None:
    """A broken file is named, line and all."""
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DataError) as caught:
        import_labels(clustered.root, (path,), ImportPlan())
    assert told in caught.value.message


def test_labels_for_unknown_traces_are_counted(clustered: Repository, tmp_path: Path) -> None:
    """A label may come before its trace; how many do is said."""
    path = tmp_path / "amara.jsonl"
    path.write_text(render_label(label("elsewhere", "pass")), encoding="utf-8")
    assert import_labels(clustered.root, (path,), ImportPlan()).n_without_trace == 1


def test_agreement_by_route(clustered: Repository) -> None:
    """Routes come from the traces, though labels do not name them."""
    label_all(clustered, 4)
    report = agree(clustered.root, by="route")
    assert [found.stratum for found in report.rubrics] == ["", "route=refund"]
    assert report.rubrics[0].raw.value == 1.0


def test_nobody_to_agree(clustered: Repository) -> None:
    """Without labels there is nothing to compare."""
    with pytest.raises(DataError, match="no labels to compare"):
        agree(clustered.root)


@pytest.mark.parametrize("form", ["label-studio", "argilla"])
def test_labels_go_to_another_tool_and_come_back(
    clustered: Repository, tmp_path: Path, form: str
) -> None:
    """Another tool's file of our labels, read again, says what the labels said."""
    rows = [label("t000", "fail", comment="no such office", reference="thirty days")]
    append_labels(clustered.root, "amara", [*rows, label("t001", "pass")])
    append_labels(clustered.root, "bo", [label("t000", "fail", "bo")])
    path = tmp_path / "file.json"
    people = {"amara@example.org": "amara"}
    sent = export_labels(clustered.root, ExportPlan(form, is_wanted=True, path=path, people=people))
    report = import_labels(clustered.root, (path,), ImportPlan(form, dialect=Dialect(people)))
    assert (report.n_read, report.n_unchanged) == (3, 3)
    assert sent.strangers == {"label-studio": ("bo",), "argilla": ("amara", "bo")}[form]


def test_a_spreadsheet_of_labels(clustered: Repository, tmp_path: Path) -> None:
    """A verdict counts however it is written, a cell may be long, and what is none is told."""
    path = tmp_path / "given.csv"
    path.write_text(
        "trace_id,rubric,label,reference\n"
        f"t000,grounded,Fail ,{'thirty days ' * 50_000}\nt001,grounded,PASS,\nt002,grounded,hm,\n"
    )
    report = import_labels(clustered.root, (path,), ImportPlan(annotator="amara"))
    assert (report.n_new, report.no_verdicts) == (3, ("hm",))
    found = read_labels(clustered.root).sort("trace_id")
    assert found["label"].to_list() == ["fail", "pass", "hm"]
    assert found["score"].to_list() == [0.0, 1.0, None]
    assert import_labels(clustered.root, (path,), ImportPlan(annotator="amara")).n_unchanged == 3


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ('trace_id,rubric,label\nt000,grounded,"fail\n', "given.csv:2: unexpected end of data"),
        ("trace_id,label,label\nt000,fail,pass\n", "given.csv:1: column label stands twice"),
    ],
)
def test_a_broken_spreadsheet_is_told(
    clustered: Repository, tmp_path: Path, text: str, fault: str
) -> None:
    """A quotation without an end and a column named twice are faults, and nothing is guessed."""
    path = tmp_path / "given.csv"
    path.write_text(text)
    with pytest.raises(DataError, match=fault):
        import_labels(clustered.root, (path,), ImportPlan(annotator="amara"))
    assert read_labels(clustered.root).is_empty()


def test_what_comes_back_keeps_its_role_and_its_guidance(
    clustered: Repository, tmp_path: Path
) -> None:
    """A senior stays one, and labels under an older guidance are not taken for the new one's."""
    append_labels(clustered.root, "amara", [label("t000", "fail", sections=["1"])])
    append_labels(clustered.root, "chen", [label("t000", "pass", "chen", role="senior")])
    path = tmp_path / "tasks.json"
    export_labels(clustered.root, ExportPlan("label-studio", path=path))
    pins = clustered.read("params.yaml")
    clustered.gen({"params.yaml": pins.replace('guidance_version: "1"', 'guidance_version: "2"')})
    report = import_labels(clustered.root, (path,), ImportPlan("label-studio"))
    assert (report.n_new, report.n_unchanged) == (0, 2)
    path.write_text(path.read_text().replace('"pass"', '"fail"'))
    assert import_labels(clustered.root, (path,), ImportPlan("label-studio")).n_new == 1
    (mind,) = read_labels(clustered.root).filter(pl.col("annotator") == "chen").to_dicts()
    assert (mind["label"], mind["role"], mind["guidance_version"]) == ("fail", "senior", "2")
    given = tmp_path / "given.csv"
    given.write_text("trace_id,rubric,label\nt000,grounded,fail\n")
    anew = import_labels(clustered.root, (given,), ImportPlan(annotator="amara"))
    assert anew.n_new == 1  # nobody says that it is the old label: it follows the guidance of now
    assert import_labels(clustered.root, (given,), ImportPlan(annotator="amara")).n_unchanged == 1
    older = ImportPlan(annotator="dee", guidance_version="1")
    import_labels(clustered.root, (given,), older)
    assert read_labels(clustered.root)["guidance_version"].sort().to_list() == ["1", "2", "2"]


@pytest.mark.parametrize("form", ["label-studio", "argilla"])
def test_representatives_go_out_to_be_labelled(clustered: Repository, form: str) -> None:
    """With nothing labelled, the clusters' representatives are what another tool is given."""
    text = export_labels(clustered.root, ExportPlan(form, is_wanted=True)).text
    assert [name for name in ("t000", "t001", "t002", "t003") if name in text] == [
        "t000",
        "t001",
        "t002",
    ]


def test_the_configuration_for_label_studio_shows_the_guidance(clustered: Repository) -> None:
    """The labelling page of Label Studio asks for each rubric and shows its guidance."""
    text = export_labels(clustered.root, ExportPlan("label-studio-config")).text
    page = ET.fromstring(text)  # noqa: S314 -- our own text
    assert page.find("Choices[@name='grounded']") is not None
    assert "grounded: Fail whatever the context does not say." in text


FORMS = {
    "stars": "{type: star}",
    "steps": "{type: numeric, worst: 10, best: 0, step: 1}",
    "shape": "{type: categorical, choices: [invented, sound], scores: {invented: 0, sound: 1}}",
    "words": "{type: text}",
}


@pytest.fixture
def formed(clustered: Repository) -> Repository:
    """The clustered repository with one rubric per type of label."""
    pins = clustered.read("params.yaml")
    for name, form in FORMS.items():
        text = (
            f'name: {name}\nversion: "1"\nlabel: {form}\nscorer: {{local: {{metric: grounded}}}}\n'
        )
        clustered.gen({f"rubrics/{name}.yaml": text})
        pins += f'  {name}: {{version: "1"}}\n'
    clustered.gen({"params.yaml": pins}, commit="Ask in four ways")
    return clustered


GIVEN = {
    "grounded": "fail",
    "stars": "4",
    "steps": "2.0",
    "shape": "invented",
    "words": "no office",
}


def test_five_types_of_labels(formed: Repository) -> None:
    """Thumbs, stars, numbers, categories and words become labels, each worth what it is worth."""

    def ask(question: Question) -> Given | str:
        is_first = question.item.trace_id == "t000"
        return Given(GIVEN[question.item.rubric]) if is_first else "quit"

    label_step(formed.root, ask, LabelPlan("amara"))
    rows = read_labels(formed.root).sort("rubric").select("rubric", "label", "score").rows()
    assert rows == [
        ("grounded", "fail", 0.0),
        ("shape", "invented", 0.0),
        ("stars", "4", 0.75),
        ("steps", "2", 0.8),
        ("words", "no office", None),
    ]


@pytest.mark.parametrize("form", ["label-studio", "argilla", "jsonl", "csv"])
def test_every_type_goes_out_and_comes_back(formed: Repository, tmp_path: Path, form: str) -> None:
    """What another tool is given of any type of label, it gives back."""
    scores = {"grounded": 0.0, "stars": 0.75, "steps": 0.8, "shape": 0.0, "words": None}
    labels = {**GIVEN, "steps": "2"}
    rows = [label("t000", labels[name], rubric=name, score=score) for name, score in scores.items()]
    append_labels(formed.root, "amara", rows)
    path = tmp_path / f"file.{form}"
    export_labels(formed.root, ExportPlan(form, path=path))
    report = import_labels(formed.root, (path,), ImportPlan(form))
    assert (report.n_read, report.n_unchanged) == (5, 5)


def test_label_studio_asks_in_each_rubrics_way(formed: Repository) -> None:
    """The configuration has a rating, a number with its ends, choices and a text."""
    page = ET.fromstring(export_labels(formed.root, ExportPlan("label-studio-config")).text)  # noqa: S314 -- ours
    assert page.find("Rating[@name='stars'][@maxRating='5']") is not None
    assert page.find("Number[@name='steps'][@min='0'][@max='10'][@step='1']") is not None
    assert page.find("Choices[@name='shape']/Choice[@value='invented']") is not None
    assert page.find("TextArea[@name='words']") is not None


def test_a_label_that_the_form_does_not_take_is_not_imported(
    formed: Repository, tmp_path: Path
) -> None:
    """A sixth star, or a score that is not the star's, is a fault with its place."""
    path = tmp_path / "given.csv"
    path.write_text("trace_id,rubric,label,score\nt000,stars,6,\nt001,stars,4,0.5\n")
    with pytest.raises(DataError) as caught:
        import_labels(formed.root, (path,), ImportPlan(annotator="amara"))
    assert "given.csv:2: '6' is no number of stars from 1 to 5" in caught.value.message
    assert "given.csv:3: score is 0.5, but label '4' means 0.75" in caught.value.message


def test_labels_of_other_kinds_stay_where_only_traces_are_shown(clustered: Repository) -> None:
    """JSON lines hold every kind; a tool that shows traces gets traces, and the rest is counted."""
    call = label("t000", "fail", item_kind="tool_call", item_id="t000/s1", label_id="call")
    append_labels(clustered.root, "amara", [label("t000", "pass"), call])
    assert export_labels(clustered.root, ExportPlan("jsonl")).n_labels == 2
    report = export_labels(clustered.root, ExportPlan("label-studio"))
    assert (report.n_labels, report.n_left_out) == (1, 1)
    assert read_labels(clustered.root)["label_id"].to_list() == ["amara-t000-grounded"]


def test_labels_are_committed_under_the_annotators_identity(clustered: Repository) -> None:
    """One commit with just the label file; what else is staged stays staged."""
    clustered.gen({"staged.txt": "mine"})
    clustered.git("add", "staged.txt")
    _, ask = say(Given("fail"), "quit")
    plan = LabelPlan("Amara Okafor <amara@example.org>")
    report = label_step(clustered.root, ask, plan)  # type: ignore[arg-type]
    shown = clustered.git("show", "--format=%an <%ae>%n%B", "--name-only", "HEAD")
    assert report.committed.author == "Amara Okafor <amara@example.org>"
    assert shown.splitlines()[0] == report.committed.author
    assert "Label 1 item as amara-okafor" in shown
    assert "Guidance-version: 1" in shown
    assert shown.splitlines()[-1] == "labels/amara-okafor.jsonl"
    assert clustered.status().splitlines()[0] == "A  staged.txt"


def test_an_identity_is_remembered_by_history(clustered: Repository) -> None:
    """Who committed here before gives no address again; for a stranger the Git user commits."""
    _, ask = say(Given("fail"), "quit", "quit", "quit")
    first = label_step(clustered.root, ask, LabelPlan("Amara Okafor <amara@example.org>"))  # type: ignore[arg-type]
    append_labels(clustered.root, "amara-okafor", [label("t003", "pass", "amara-okafor")])
    again = label_step(clustered.root, ask, LabelPlan("amara-okafor"))  # type: ignore[arg-type]
    assert again.committed.author == first.committed.author
    append_labels(clustered.root, "bo", [label("t003", "pass", "bo")])
    other = label_step(clustered.root, ask, LabelPlan("bo"))  # type: ignore[arg-type]
    assert other.committed.author == "Ada Author <ada@example.org>"
    assert "Labelled-by: bo (annotator)" in clustered.git("log", "-1", "--format=%B")


def test_a_commit_that_git_refuses_costs_no_label(clustered: Repository) -> None:
    """A hook that says no leaves the label on disk, and its words are told."""
    hook = clustered.root / ".git" / "hooks" / "pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho not on a Friday >&2\nexit 1\n")
    hook.chmod(0o755)
    _, ask = say(Given("fail"), "quit")
    report = label_step(clustered.root, ask, LabelPlan("amara"))  # type: ignore[arg-type]
    assert "not on a Friday" in report.committed.reason
    assert read_labels(clustered.root).height == 1


def test_a_label_of_a_retired_trace_stays(clustered: Repository) -> None:
    """A label whose trace is gone is no fault: it still counts, and is asked about no more."""
    append_labels(clustered.root, "amara", [label("retired", "pass")])
    append_labels(clustered.root, "bo", [label("retired", "fail", "bo")])
    _, ask = say("quit")
    senior = label_step(clustered.root, ask, LabelPlan("chen", is_senior=True))  # type: ignore[arg-type]
    assert (senior.n_left, senior.gone) == (0, ("retired",))
    assert agree(clustered.root).rubrics[0].n_disputed == 1


def test_spans_calls_and_sessions_of_the_representatives(clustered: Repository) -> None:
    """The other kinds follow from the same traces; one without spans or a session has none."""
    for kind in ("span", "tool_call", "session"):
        _, ask = say()
        report = label_step(clustered.root, ask, LabelPlan("amara", kind=kind))  # type: ignore[arg-type]
        assert (report.n_left, report.gone) == (0, ())


def test_golden_rows_and_what_the_application_answers_now(repository: Repository) -> None:
    """A golden row is looked at again, and so is a run on it; labels of each stay apart."""
    make_promotable(repository, [failure(0), failure(1)])
    request = PromoteRequest((), "support", takes_all=True)
    branch = promote(repository.root, request).branch
    repository.git("merge", "--quiet", "--no-edit", str(branch))
    run = {"item_id": failure(0).row_id, "set": "support", "replicate": 0, "status": "ok"}
    outputs = pl.DataFrame([run | {"output": "Yes: …", "group_id": "g"}], schema=OUTPUTS.schema)
    parquet.write(repository.root / "loop/score/outputs.parquet", OUTPUTS, outputs)
    asked, ask = say(Given("fail"), "quit", Given("pass"))
    label_step(repository.root, ask, LabelPlan("amara", kind="golden_row"))  # type: ignore[arg-type]
    label_step(repository.root, ask, LabelPlan("amara", kind="prototype_run"))  # type: ignore[arg-type]
    cases = [question.item.case for question in asked]
    assert [case.output for case in (cases[0], cases[2])] == [
        f"I cannot help with that ({0 if cases[0].item_id == failure(0).row_id else 1}).",
        "Yes: …",
    ]
    found = read_labels(repository.root, kind=None).filter(annotator="amara")
    kinds = found.group_by("item_kind").len().sort("item_kind").rows()
    assert kinds == [("golden_row", 1), ("prototype_run", 1), ("trace", 2)]


def test_the_least_certain_failures_come_first(clustered: Repository) -> None:
    """--order boundary asks about all failures, nearest to the line between two clusters first."""
    with pytest.raises(DataError, match="have not been clustered yet"):
        label_step(clustered.root, say()[1], LabelPlan("amara", order="boundary"))  # type: ignore[arg-type]
    margins = {"t000": 0.4, "t001": 0.1, "t002": None, "t003": 0.05}
    rows: list[dict[str, Any]] = [
        {
            "trace_id": trace_id,
            "cluster_id": None if trace_id == "t003" else "c1",
            "probability": 0.5,
            "runner_up": None if margin is None else "c2",
            "margin": margin,
            "is_soft": False,
            "weight": 1.0,
            "text": "lisbon",
            "feedback_ids": [],
        }
        for trace_id, margin in margins.items()
    ]
    members = pl.DataFrame(rows, schema=MEMBERS.schema)
    parquet.write(clustered.root / "loop/cluster/members.parquet", MEMBERS, members)
    asked, ask = say(Given("pass"), Given("fail"), Given("pass"))
    label_step(clustered.root, ask, LabelPlan("amara", order="boundary"))  # type: ignore[arg-type]
    assert [question.item.trace_id for question in asked] == ["t003", "t001", "t000"]
    assert [question.item.case.cluster_name for question in asked] == [
        None,
        "lisbon office",
        "lisbon office",
    ]
    with pytest.raises(DataError, match="no judge has been calibrated"):
        label_step(clustered.root, ask, LabelPlan("amara", order="disagreement"))  # type: ignore[arg-type]
