"""What the page can do: look at a question, keep what is typed, save an answer, finish."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any

from gitloop.core import label as core
from gitloop.core.label import Item, Queue, Session
from gitloop.digests import sha256_of
from gitloop.pages.label import Refusal
from gitloop.steps.label.committing import Committed, commit_labels
from gitloop.steps.label.session import LabelPlan, identity_of, rules
from gitloop.storage.drafts import keep_draft, read_drafts, taking_turns
from gitloop.storage.labels import FOLDER, append_labels, label_key, scan_labels
from gitloop.workspace import Workspace

_TYPED = ("label", "comment", "reference", "sections")


class Desk:
    """One person's session, used by any number of browser windows at a time.

    Args:
        workspace: The opened checkout.
        session: Who labels.
        queue: What they are asked.
        plan: How they asked for it.

    Raises:
        DataError: Their label file is faulty; each bad line is named.
    """

    def __init__(
        self, workspace: Workspace, session: Session, queue: Queue, plan: LabelPlan
    ) -> None:
        self._workspace = workspace
        self._session = session
        self._plan = plan
        self._questions = (*queue.done, *queue.items)
        self._settled = {_name(item) for item in queue.done if session.role == "senior"}
        self._gone = queue.gone
        self._rules = rules(workspace, session)
        self._turn = threading.RLock()
        self._stamp: tuple[int, int] | None = None
        self._own: dict[tuple[str, ...], dict[str, Any]] = {}
        self._saved: set[str] = set()
        self._labels()

    @property
    def n_questions(self) -> int:
        """How many questions there are, answered ones included."""
        return len(self._questions)

    @property
    def n_saved(self) -> int:
        """How many questions were answered, or answered anew, in this session."""
        return len(self._saved)

    @property
    def n_left(self) -> int:
        """How many questions still wait for this person under the current guidance."""
        with self._turn:
            return sum(not self._is_done(item) for item in self._questions)

    def overview(self) -> dict[str, Any]:
        """Every question in a line, and how far each has come."""
        with self._turn:
            drafts = read_drafts(self._workspace.root, self._session.annotator)
            states = [
                {"saved": self._is_done(item), "draft": _name(item) in drafts}
                for item in self._questions
            ]
            shown = core.overview(self._session, self._questions, self._rules)
            return shown | {"states": states, "gone": list(self._gone)}

    def look(self, number: int, window: str) -> dict[str, Any]:
        """The question, with the person's own label and what they typed, here or elsewhere."""
        item = self._item(number)
        with self._turn:
            drafts = read_drafts(self._workspace.root, self._session.annotator)
            by_window = drafts.get(_name(item), {})
            newest = max(by_window, key=lambda name: by_window[name]["order"], default=None)
            chosen = window if window in by_window else newest
            draft = None if chosen is None else by_window[chosen]["values"]
            shown = core.view(
                self._session,
                item,
                seed=self._workspace.params.seed,
                own=self._current(item),
                draft=draft,
            )
            others = [
                kept["values"]
                for name, kept in sorted(by_window.items())
                if name != chosen and kept["values"] != draft
            ]
            base = None if chosen is None else {"window": chosen, "revision": _revision(draft)}
            return shown | {"others": others, "base": base}

    def keep(self, number: int, window: str, sent: Mapping[str, Any]) -> dict[str, Any]:
        """Keep what was typed; it is on disk when this returns.

        A draft of another window is taken over where this one started from it, and stays beside
        it otherwise.

        Raises:
            Refusal: What was sent cannot be read.
        """
        item = self._item(number, sent)
        values = _values(sent)
        with self._turn, self._alone():
            self._keep(item, window, values, sent.get("base"))
        return {"base": {"window": window, "revision": _revision(values)}}

    def drop(self, number: int) -> dict[str, Any]:
        """Forget what was typed and not saved."""
        item = self._item(number)
        keep_draft(self._workspace.root, self._session.annotator, _name(item), None)
        return {}

    def save(self, number: int, window: str, sent: Mapping[str, Any]) -> dict[str, Any]:
        """Make the answer a label; it is on disk when this returns.

        Raises:
            Refusal: It is no answer, or another window answered meanwhile.
            DataError: The label file is faulty; what was typed is kept as a draft.
        """
        item = self._item(number, sent)
        with self._turn, self._alone():
            self._keep(item, window, _values(sent), sent.get("base"))
            row = self._row(item, _values(sent))
            own = self._current(item)
            if not _is_same(row, own):
                if sent.get("revision", "") != core.revision(own):
                    raise Refusal("another window answered this meanwhile", is_conflict=True)
                append_labels(self._workspace.root, self._session.annotator, [row])
                self._saved.add(_name(item))
            keep_draft(self._workspace.root, self._session.annotator, _name(item), None)
            return self.look(number, window)

    def finish(self) -> Committed:
        """Commit the labels under the annotator's Git identity."""
        with self._turn:
            if not self._plan.is_committed:
                return Committed(reason="--no-commit was asked for")
            identity = identity_of(self._workspace, self._plan, self._session.annotator)
            return commit_labels(self._workspace, self._session, identity)

    def _alone(self) -> AbstractContextManager[None]:
        """Another process of the same person waits, as another window of this one does."""
        return taking_turns(self._workspace.root, self._session.annotator)

    def _keep(self, item: Item, window: str, values: dict[str, Any], base: Any) -> None:  # noqa: ANN401 -- JSON in
        drafts = read_drafts(self._workspace.root, self._session.annotator)
        by_window = dict(drafts.get(_name(item), {}))
        _take_over(by_window, base)
        order = 1 + max((kept["order"] for kept in by_window.values()), default=0)
        by_window[window] = {"values": values, "order": order}
        keep_draft(self._workspace.root, self._session.annotator, _name(item), by_window)

    def _item(self, number: int, sent: Mapping[str, Any] | None = None) -> Item:
        """The question; where the page says which one it means, that must be it."""
        if not 0 <= number < len(self._questions):
            raise Refusal(f"there is no question {number + 1}")
        item = self._questions[number]
        meant = (sent or {}).get("question")
        if meant is not None and meant != _name(item):
            raise Refusal("the questions have changed since: copy what you typed, and reload")
        return item

    def _row(self, item: Item, values: Mapping[str, Any]) -> dict[str, Any]:
        seed, at = self._workspace.params.seed, self._workspace.now()
        try:
            answer = core.given(self._session, item, values, seed=seed)
            return core.label_row(self._session, item, answer, at=at)
        except ValueError as error:
            raise Refusal(str(error)) from error

    def _is_done(self, item: Item) -> bool:
        """Whether it is answered; another senior's word settles a dispute too."""
        return _name(item) in self._settled or self._current(item) is not None

    def _current(self, item: Item) -> dict[str, Any] | None:
        """The person's label in force under the current guidance."""
        key = (self._session.annotator, item.case.kind, item.case.item_id, item.rubric)
        found = self._labels().get(key)
        if found is None or found["guidance_version"] != self._session.guidance_version:
            return None
        return found

    def _labels(self) -> dict[tuple[str, ...], dict[str, Any]]:
        """The person's labels; read again when the file has changed, whoever changed it."""
        path = self._workspace.root / FOLDER / f"{self._session.annotator}.jsonl"
        stat = path.stat() if path.exists() else None
        stamp = (stat.st_mtime_ns, stat.st_size) if stat else None
        if stamp != self._stamp or not self._own:
            labels = scan_labels(self._workspace.root, self._session.annotator).labels
            self._own = {label_key(row): row for row in labels.iter_rows(named=True)}
            self._stamp = stamp
        return self._own


def _name(item: Item) -> str:
    """The question's name among drafts."""
    return f"{item.case.kind}:{item.case.item_id}:{item.rubric}"


def _values(sent: Mapping[str, Any]) -> dict[str, Any]:
    values = sent.get("values")
    if not isinstance(values, Mapping):
        raise Refusal("no values were sent")
    return {name: values[name] for name in _TYPED if values.get(name)}


def _take_over(by_window: dict[str, Any], base: Any) -> None:  # noqa: ANN401 -- JSON in
    """Drop the draft that this one started from, unless its own window went on with it."""
    if isinstance(base, Mapping) and str(base.get("window")) in by_window:
        name = str(base["window"])
        if _revision(by_window[name]["values"]) == base.get("revision"):
            del by_window[name]


def _revision(values: Any) -> str:  # noqa: ANN401 -- JSON holds anything
    return sha256_of(values)[:16]


def _is_same(row: Mapping[str, Any], own: Mapping[str, Any] | None) -> bool:
    """Whether the label in force says all that the row says: an answer sent twice is one label."""
    return own is not None and all(row[name] == own[name] for name in row if name != "created_at")
