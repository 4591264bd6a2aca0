"""Records what users do and say about answers, inside the application that gave them.

    from gitloop import capture

    capture.thumbs_down(trace_id, route="refund", user_cohort="pro", prompt_version="support@2")

Standard library only. An event is on disk (written and fsync'd) when the call returns, it is never
sampled, and a failure never reaches the host application: the event goes to a fallback file and is
counted in `capture.counts()`. Many threads and processes may record at once.

The spool is `$GITLOOP_SPOOL`, or `data/feedback/spool` of the gitloop repository that holds the
current directory; `gitloop capture seal` turns it into a tracked table. `capture.configure(...)`
chooses another place, the batched mode, or exceptions in place of the fallback.
"""

from __future__ import annotations

from gitloop.capture.recorder import Recorder
from gitloop.capture.values import Batch, Counts, Receipt

TYPE_CHECKING = False  # the name that type checkers know, without the cost of importing typing
if TYPE_CHECKING:
    from typing import Unpack

    from gitloop.capture.events import Context, Fields

__all__ = [
    "Batch",
    "Counts",
    "Receipt",
    "Recorder",
    "abandon",
    "comment",
    "configure",
    "copy",
    "counts",
    "edit",
    "escalate",
    "flush",
    "outcome",
    "rating",
    "record",
    "regenerate",
    "relabel",
    "retry",
    "rubric_score",
    "thumbs_down",
    "thumbs_up",
]

_recorder = Recorder()


def configure(
    spool: str | None = None, *, batch: Batch | None = None, is_strict: bool = False
) -> None:
    """Choose where and how this process records; what was recorded before is made durable.

    Args:
        spool: Directory of the spool; None looks for it as the module's docstring says.
        batch: None syncs every event; a `Batch` syncs many at once and says what that risks.
        is_strict: Whether a failure raises `errors.DataError` instead of going to the fallback.
    """
    global _recorder  # noqa: PLW0603 -- the process has one recorder, and this is where it changes
    _recorder.close()
    _recorder = Recorder(spool, batch=batch, is_strict=is_strict)


def record(**fields: Unpack[Fields]) -> Receipt:
    """Record one event; fields are the columns of `tables.FEEDBACK`, `signal_type` is required.

    A field of another name is kept in `metadata`. `created_at` is now unless it is given;
    `feedback_id` is drawn at random: give your own where a request may be repeated, and the event
    counts once. `score_source` is "human" unless it is given, but for rubric_score and outcome.
    """
    return _recorder.record(fields)


def counts() -> Counts:
    """What became of this process's events so far."""
    return _recorder.counts()


def flush() -> None:
    """Make every event of this process durable; only the batched mode ever needs it."""
    _recorder.flush()


def thumbs_up(trace_id: str, **context: Unpack[Context]) -> Receipt:
    """The user liked the answer."""
    return record(signal_type="thumbs_up", trace_id=trace_id, **context)


def thumbs_down(trace_id: str, **context: Unpack[Context]) -> Receipt:
    """The user did not like the answer."""
    return record(signal_type="thumbs_down", trace_id=trace_id, **context)


def rating(trace_id: str, value: float, **context: Unpack[Context]) -> Receipt:
    """The user rated the answer, e.g. 1 to 5 stars; higher is better."""
    return record(signal_type="rating", trace_id=trace_id, value=value, **context)


def comment(trace_id: str, text: str, **context: Unpack[Context]) -> Receipt:
    """The user wrote about the answer."""
    return record(signal_type="comment", trace_id=trace_id, comment=text, **context)


def retry(trace_id: str, **context: Unpack[Context]) -> Receipt:
    """The user asked again in other words; `trace_id` is the answer that was not enough."""
    return record(signal_type="retry", trace_id=trace_id, **context)


def regenerate(trace_id: str, **context: Unpack[Context]) -> Receipt:
    """The user had the answer made again; `trace_id` is the answer that was thrown away."""
    return record(signal_type="regenerate", trace_id=trace_id, **context)


def abandon(trace_id: str, **context: Unpack[Context]) -> Receipt:
    """The user left in the middle of the conversation, after this answer."""
    return record(signal_type="abandon", trace_id=trace_id, **context)


def copy(trace_id: str, **context: Unpack[Context]) -> Receipt:
    """The user copied the answer to use it elsewhere."""
    return record(signal_type="copy", trace_id=trace_id, **context)


def edit(trace_id: str, edited_output: str, **context: Unpack[Context]) -> Receipt:
    """The user changed the answer before using it; `edited_output` is what they made of it."""
    return record(signal_type="edit", trace_id=trace_id, edited_output=edited_output, **context)


def escalate(trace_id: str, **context: Unpack[Context]) -> Receipt:
    """The user went on to a person."""
    return record(signal_type="escalate", trace_id=trace_id, **context)


def outcome(trace_id: str, value: float, score_source: str, **context: Unpack[Context]) -> Receipt:
    """What came of it in the end, e.g. 1 for a solved ticket; `score_source` says who knows."""
    return record(
        signal_type="outcome", trace_id=trace_id, value=value, score_source=score_source, **context
    )


def rubric_score(
    trace_id: str, rubric: str, value: float, score_source: str, **context: Unpack[Context]
) -> Receipt:
    """A grader scored the answer against a rubric, in [0, 1], higher is better.

    Args:
        trace_id: The trace that was scored.
        rubric: "name" or "name@version".
        value: The score.
        score_source: "human", "api" or "auto_grader".
        **context: Whatever else is known.
    """
    metadata = {**(context.get("metadata") or {}), "rubric": rubric}
    said = {"trace_id": trace_id, "value": value, "score_source": score_source}
    return _recorder.record(
        {**context, **said, "signal_type": "rubric_score", "metadata": metadata}
    )


def relabel(trace_id: str, rubric: str, label: str, **context: Unpack[Context]) -> Receipt:
    """A reviewer gave the answer another label, e.g. "fail", on a rubric."""
    metadata = {**(context.get("metadata") or {}), "rubric": rubric, "label": label}
    return _recorder.record(
        {**context, "trace_id": trace_id, "signal_type": "relabel", "metadata": metadata}
    )
