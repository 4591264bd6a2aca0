"""The label page's server: who may come in, what is kept, and what is refused."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from gitloop.core.label import Session
from gitloop.errors import ConfigError, DataError
from gitloop.pages.label import Refusal
from gitloop.pages.server import LocalServer
from gitloop.steps.label import LabelPlan, LabelReport, open_session
from gitloop.steps.label.desk import Desk
from gitloop.steps.label.page import label_page
from gitloop.steps.label.session import open_queue
from gitloop.storage.labels import append_labels, read_labels
from gitloop.workspace import Workspace
from tests.labelled import label, labelled_repository
from tests.repositories import Repository


@dataclass(slots=True)
class Client:
    """A browser that does only what it is told.

    Attributes:
        link: The link that was announced first.
        links: Every link.
        key: What it was given for the link's token.
        window: Its window's id.
        report: What the session returned in the end.
    """

    link: str
    links: list[str]
    key: str = ""
    window: str = "one"
    report: list[LabelReport] = field(default_factory=list)

    def ask(
        self, method: str, path: str, body: object = None, headers: dict[str, str] | None = None
    ) -> tuple[int, dict[str, Any]]:
        """Status and JSON of an answer; headers are added to, or replace, those of the page."""
        parts = urlsplit(self.link)
        connection = http.client.HTTPConnection(parts.netloc, timeout=30)
        own = {"Origin": f"http://{parts.netloc}", "X-Gitloop-Key": self.key}
        sent = {name: value for name, value in (own | (headers or {})).items() if value}
        raw = None if body is None else json.dumps(body).encode()
        connection.request(method, path, raw, sent)
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        is_json = (answer.getheader("content-type") or "").startswith("application/json")
        return answer.status, json.loads(text) if is_json else {"text": text.decode()}

    def enter(self, link: str = "") -> int:
        """Trade a link's token for a key."""
        token = (link or self.link).partition("#")[2]
        status, answer = self.ask("POST", "/api/enter", {"token": token})
        self.key = answer.get("key", self.key)
        return status

    def act(self, act: str, number: int = 0, **sent: object) -> tuple[int, dict[str, Any]]:
        """Keep, save or drop."""
        body = {"window": self.window, **sent}
        return self.ask("POST", f"/api/questions/{number}/{act}", body)

    def look(self, number: int = 0) -> dict[str, Any]:
        """One question."""
        return self.ask("GET", f"/api/questions/{number}?window={self.window}")[1]

    def other(self) -> Client:
        """Another window that came in as well."""
        client = Client(self.link, self.links, window="two")
        client.enter(self.links[-1])
        return client


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """Six traces; each test labels under a name of its own."""
    return labelled_repository(tmp_path_factory.mktemp("pages") / "repository", 6)


@pytest.fixture
def client(shared: Repository, request: pytest.FixtureRequest) -> Iterator[Client]:
    """A session of an annotator named like the test, entered."""
    name = request.node.name.replace("[", "-").replace("]", "")[:60]
    links: list[str] = []
    reports: list[LabelReport] = []
    is_open = threading.Event()

    def announce(link: str, session: Session, n_open: int) -> None:
        del session, n_open
        links.append(link)
        is_open.set()

    plan = LabelPlan(name, n_sample=6, is_committed=False)
    thread = threading.Thread(
        target=lambda: reports.append(label_page(shared.root, plan, announce)), daemon=True
    )
    thread.start()
    assert is_open.wait(30)
    made = Client(links[0], links, report=reports)
    made.enter()
    yield made
    made.ask("POST", "/api/finish", {})
    thread.join(30)
    assert not thread.is_alive()


def own(repository: Repository, request: pytest.FixtureRequest) -> list[dict[str, Any]]:
    """The labels in force of the annotator of this test."""
    name = request.node.name.replace("[", "-").replace("]", "")[:60]
    return read_labels(repository.root).filter(annotator=name).to_dicts()


def test_a_link_works_once(client: Client) -> None:
    """The token is used up by the first browser; the next one needs the next link."""
    assert client.enter() == 401
    assert len(client.links) == 2
    assert client.enter(client.links[1]) == 200


@pytest.mark.parametrize("key", ["", "made-up"])
def test_without_a_key_nothing_is_told(client: Client, key: str) -> None:
    """No key, or a wrong one, opens no door."""
    client.key, kept = key, client.key
    assert client.ask("GET", "/api/overview")[0] == 401
    assert client.act("save", values={"label": "pass"}, revision="")[0] == 401
    client.key = kept


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "http://127.0.0.1:1"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": ""}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Host": "evil.example"}, 421),
        ({"Content-Length": "99999999"}, 413),
    ],
)
def test_another_origin_is_refused(
    client: Client, shared: Repository, request: pytest.FixtureRequest,
    headers: dict[str, str], status: int,
) -> None:  # fmt: skip
    """Even with the right key, what another page posts, or another name reaches, is refused."""
    body = {"window": "x", "values": {"label": "pass"}, "revision": ""}
    assert client.ask("POST", "/api/questions/0/save", body, headers)[0] == status
    assert own(shared, request) == []


def test_the_page_itself_holds_no_secret_and_no_case(client: Client) -> None:
    """The shell is the same for everybody, loads only from here, and may be framed by nobody."""
    parts = urlsplit(client.link)
    connection = http.client.HTTPConnection(parts.netloc, timeout=30)
    connection.request("GET", "/")
    answer = connection.getresponse()
    text = answer.read().decode()
    policy = answer.getheader("content-security-policy") or ""
    connection.close()
    assert "question t0" not in text
    assert client.key not in text
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert answer.getheader("set-cookie") is None


def test_an_answer_is_a_label_with_name_guidance_and_time(
    client: Client, shared: Repository, request: pytest.FixtureRequest
) -> None:
    """What is saved says who, what, under which rubric and guidance, why, and when."""
    values = {"label": "fail", "comment": " invented ", "reference": "30 days", "sections": ["1"]}
    status, view = client.act("save", values=values, revision="")
    (row,) = own(shared, request)
    told = ("label", "comment", "reference", "sections", "guidance_version", "rubric_version")
    assert status == 200
    assert [row[name] for name in told] == ["fail", "invented", "30 days", ["1"], "1", "1"]
    assert row["created_at"] is not None
    assert view["own"]["label"] == "fail"


def test_the_answer_unedited_is_no_reference(
    client: Client, shared: Repository, request: pytest.FixtureRequest
) -> None:
    """Whoever opens the editor and changes nothing has not said what it should have said."""
    text = client.look()["texts"][0]
    client.act("save", values={"label": "fail", "reference": text}, revision="")
    assert own(shared, request)[0]["reference"] is None


@pytest.mark.parametrize("values", [{}, {"label": " "}, {"label": "maybe"}, {"label": ["pass"]}])
def test_what_is_no_answer_is_refused_and_kept(client: Client, values: dict[str, Any]) -> None:
    """A refused answer is told in words, and what was typed is still there."""
    sent = {**values, "comment": "half a thought"}
    status, answer = client.act("save", values=sent, revision="")
    assert status == 422
    assert answer["error"]
    assert client.look()["draft"]["comment"] == "half a thought"


@pytest.mark.parametrize("body", [None, [], {"values": 7}, {"values": {"label": {}}}])
def test_nonsense_is_refused(client: Client, body: object) -> None:
    """A request that the page never makes is refused in words."""
    assert client.ask("POST", "/api/questions/0/save", body)[0] == 422
    assert client.ask("POST", "/api/questions/999/keep", {"values": {}})[0] == 422
    assert client.ask("POST", "/api/questions/0/burn", body)[0] == 404


def test_an_answer_to_another_question_is_refused(
    client: Client, shared: Repository, request: pytest.FixtureRequest
) -> None:
    """A page from before a restart numbers questions differently; its answer hits no other one."""
    meant = f"trace:{client.look(1)['id']}:grounded"
    wrong = client.act("save", values={"label": "pass"}, revision="", question=meant)
    assert (wrong[0], own(shared, request)) == (422, [])
    assert client.act("save", 1, values={"label": "pass"}, revision="", question=meant)[0] == 200


def test_an_answer_sent_twice_is_one_label(
    client: Client, shared: Repository, request: pytest.FixtureRequest
) -> None:
    """A save whose answer got lost may be sent again; the file holds one line."""
    for _ in range(2):
        assert client.act("save", values={"label": "pass"}, revision="")[0] == 200
    name = own(shared, request)[0]["annotator"]
    assert len(shared.read(f"labels/{name}.jsonl").splitlines()) == 1


def test_two_windows_on_one_item_overwrite_nothing_unseen(
    client: Client, shared: Repository, request: pytest.FixtureRequest
) -> None:
    """Who saves second is told what the first said, and may still decide; both lines stay."""
    other = client.other()
    before = other.look()
    client.act("save", values={"label": "pass"}, revision=client.look()["revision"])
    status, answer = other.act("save", values={"label": "fail"}, revision=before["revision"])
    assert (status, answer["conflict"]) == (409, True)
    view = other.look()
    assert (view["own"]["label"], view["draft"]["label"]) == ("pass", "fail")
    assert other.act("save", values={"label": "fail"}, revision=view["revision"])[0] == 200
    (row,) = own(shared, request)
    lines = shared.read(f"labels/{row['annotator']}.jsonl").splitlines()
    assert [json.loads(line)["label"] for line in lines] == ["pass", "fail"]


def test_drafts_of_two_windows_stand_beside_each_other(client: Client) -> None:
    """Neither window's typing undoes the other's; who starts from a draft takes it over."""
    other = client.other()
    client.act("keep", values={"comment": "mine"}, base=None)
    other.act("keep", values={"comment": "theirs"}, base=None)
    assert client.look()["draft"]["comment"] == "mine"
    assert [values["comment"] for values in client.look()["others"]] == ["theirs"]
    third = Client(client.link, client.links, client.key, "three")
    view = third.look()
    assert view["draft"]["comment"] == "theirs"
    third.act("keep", values={"comment": "theirs, and more"}, base=view["base"])
    assert [values["comment"] for values in third.look()["others"]] == ["mine"]


def test_a_window_that_was_closed_in_the_middle_loses_nothing(client: Client) -> None:
    """What was kept is there for the next window, marked as not saved."""
    client.act("keep", number=1, values={"label": "fail", "comment": "not fini"}, base=None)
    fresh = client.other()
    assert fresh.look(1)["draft"] == {"label": "fail", "comment": "not fini"}
    states = fresh.ask("GET", "/api/overview")[1]["states"]
    assert states[1] == {"saved": False, "draft": True}


def test_a_saved_answer_has_no_draft(client: Client) -> None:
    """With the label saved, the draft has done its work."""
    client.act("keep", values={"label": "pass"}, base=None)
    client.act("save", values={"label": "pass"}, revision="")
    view = client.look()
    assert (view["draft"], view["own"]["label"]) == (None, "pass")


def test_nobody_elses_labels_are_sent(client: Client, shared: Repository) -> None:
    """Not a word of another annotator reaches this one's browser."""
    told = "a remark that only bo may see"
    append_labels(shared.root, "bo", [label("t000", "fail", "bo", comment=told)])
    everything = [client.ask("GET", "/api/overview")[1], *(client.look(n) for n in range(6))]
    assert told not in json.dumps(everything)
    assert all(view["opinions"] == [] for view in everything[1:])


def test_a_file_that_was_edited_into_nonsense_is_named(
    client: Client, shared: Repository, request: pytest.FixtureRequest
) -> None:
    """The line is named on the page, the answer waits as a draft, and mending the file goes on."""
    client.act("save", values={"label": "pass"}, revision="")
    path = shared.root / "labels" / f"{own(shared, request)[0]['annotator']}.jsonl"
    good = path.read_text()
    path.write_text(good + '{"label": "fai\n', encoding="utf-8")
    status, answer = client.act("save", number=1, values={"label": "fail"}, revision="")
    assert status == 500
    assert f"{path.name}:2: not valid JSON" in answer["error"]
    path.write_text(good, encoding="utf-8")
    assert client.look(1)["draft"] == {"label": "fail"}
    assert client.act("save", number=1, values={"label": "fail"}, revision="")[0] == 200


def test_a_port_that_is_taken_is_told() -> None:
    """Two servers cannot share a port, and the message says what to do."""
    with LocalServer() as server:
        port = urlsplit(server.origin).port or 0
        with pytest.raises(ConfigError, match=f"port {port} cannot be used"):
            LocalServer(port)


def test_a_faulty_label_file_opens_no_page(tmp_path: Path) -> None:
    """Before anything is served every bad line of the own file is named."""
    repository = labelled_repository(tmp_path / "repository", 2)
    repository.gen({"labels/amara.jsonl": "nonsense\n"})
    with pytest.raises(DataError, match=r"labels/amara\.jsonl:1: not valid JSON"):
        label_page(repository.root, LabelPlan("amara", n_sample=2), lambda *_: None)


def test_what_another_senior_settled_is_done(tmp_path: Path) -> None:
    """A dispute that is settled waits for nobody; the next senior starts at what is open."""
    repository = labelled_repository(tmp_path / "repository", 2)
    for n in range(2):
        append_labels(repository.root, "amara", [label(f"t00{n}", "pass")])
        append_labels(repository.root, "bo", [label(f"t00{n}", "fail", "bo")])
    append_labels(repository.root, "chen", [label("t000", "fail", "chen", role="senior")])
    workspace = Workspace(repository.root)
    plan = LabelPlan("dana", is_senior=True)
    session = open_session(workspace, plan)
    desk = Desk(workspace, session, open_queue(workspace, session, plan), plan)
    shown = desk.overview()
    assert [question["id"] for question in shown["questions"]] == ["t000", "t001"]
    assert [state["saved"] for state in shown["states"]] == [True, False]
    assert desk.n_left == 1
    said = [(one["annotator"], one["label"]) for one in desk.look(1, "w")["opinions"]]
    assert said == [("amara", "pass"), ("bo", "fail")]


def test_two_processes_of_one_person_take_turns(tmp_path: Path) -> None:
    """Of two that answer one question at one moment, one is told what the other said."""
    repository = labelled_repository(tmp_path / "repository", 2)
    desks = []
    for _ in range(2):
        workspace, plan = Workspace(repository.root), LabelPlan("amara", n_sample=2)
        session = open_session(workspace, plan)
        desks.append(Desk(workspace, session, open_queue(workspace, session, plan), plan))
    start, told = threading.Barrier(2), list[str]()

    def answer(desk: Desk, verdict: str) -> None:
        start.wait(10)
        try:
            desk.save(0, verdict, {"values": {"label": verdict}, "revision": ""})
            told.append("saved")
        except Refusal as error:
            told.append(str(error))

    threads = [
        threading.Thread(target=answer, args=pair)
        for pair in zip(desks, ("pass", "fail"), strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(told) == ["another window answered this meanwhile", "saved"]
    assert read_labels(repository.root).height == 1
