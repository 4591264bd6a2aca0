"""The local page: a desk behind a door that opens once per link."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from gitloop.core.label import Queue, Session
from gitloop.pages.door import Door
from gitloop.pages.label import label_app
from gitloop.pages.server import LocalServer
from gitloop.steps.label.committing import Committed
from gitloop.steps.label.desk import Desk
from gitloop.steps.label.session import LabelPlan, open_queue, open_session
from gitloop.steps.label.terminal import LabelReport
from gitloop.workspace import Workspace

Announce = Callable[[str, Session, int], None]
"""Told each link, who it is for, and how many questions are open."""


def label_page(
    directory: Path, plan: LabelPlan, announce: Announce, *, port: int = 0
) -> LabelReport:
    """Serve the page on the loopback until it is finished or interrupted, then commit.

    Args:
        directory: A directory in the repository.
        plan: Who labels what.
        announce: Told a link that works once; told the next one when it was used.
        port: Where to listen on 127.0.0.1; 0 for any free port.

    Raises:
        ConfigError: Nobody is named, a rubric is unknown, or the port is taken.
        DataError: There is nothing to choose from yet, or a label file is faulty.
    """
    workspace = Workspace(directory)
    session = open_session(workspace, plan)
    return serve_queue(
        workspace, session, open_queue(workspace, session, plan), plan, announce, port
    )


def serve_queue(  # one more than a call needs, so that other verbs bring their own questions
    workspace: Workspace,
    session: Session,
    queue: Queue,
    plan: LabelPlan,
    announce: Announce,
    port: int = 0,
) -> LabelReport:
    """Serve any queue of questions; `gitloop pairs label` brings pairs.

    Where there is no question at all, no page is opened.
    """
    desk = Desk(workspace, session, queue, plan)
    if not desk.n_questions:
        return _report(desk, session, queue, Committed())
    ended: list[Committed] = []
    with LocalServer(port) as server:
        door = Door(server.origin, lambda link: announce(link, session, desk.n_left))

        def finish() -> Committed:
            ended.append(desk.finish())
            server.stop()
            return ended[-1]

        app = label_app(door, desk, finish)
        door.invite()
        server.run(app)
    return _report(desk, session, queue, ended[-1] if ended else desk.finish())


def _report(desk: Desk, session: Session, queue: Queue, committed: Committed) -> LabelReport:
    return LabelReport(
        annotator=session.annotator,
        role=session.role,
        path=f"labels/{session.annotator}.jsonl",
        n_labelled=desk.n_saved,
        n_skipped=0,
        n_left=desk.n_left,
        n_done=queue.n_done,
        gone=queue.gone,
        committed=committed,
    )
