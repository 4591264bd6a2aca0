"""gitloop capture: record events, import files, run the collector, seal, derive signals."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gitloop.cli.options import Console, Verb, Verbs, pass_console
from gitloop.errors import ConfigError, ExitCode
from gitloop.signals import SCORE_SOURCES, SIGNAL_TYPES

if TYPE_CHECKING:
    from gitloop.steps.capture import (
        DeriveReport,
        ImportReport,
        SealReport,
        SpanReport,
        StoreReport,
        Tally,
    )

FORMATS = (
    "auto", "jsonl", "csv", "parquet", "otlp", "openinference", "langfuse", "phoenix", "feedback",
)  # fmt: skip


class _Import(Verb):
    """A verb whose --format is its input's; `gitloop --format json …` shapes its output."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 -- click's own
        super().__init__(*args, **kwargs)
        self.params = [parameter for parameter in self.params if parameter.name != "form"]


@click.group(cls=Verbs)
def capture() -> None:
    """Bring traces and feedback in: record, import, serve, seal, derive."""


@capture.command("record", cls=Verb)
@click.argument("signal", type=click.Choice(tuple(SIGNAL_TYPES)))
@click.option("--trace-id", help="The trace it speaks of.")
@click.option("--span-id", help="The span, where one is meant.")
@click.option("--session-id", help="The conversation.")
@click.option("--prompt-version", help="Name of the prompt that answered.")
@click.option("--route", help="The part of the product.")
@click.option("--user-cohort", help="The kind of user.")
@click.option("--value", type=float, help="Rating, score or outcome on its own scale.")
@click.option("--source", "score_source", type=click.Choice(SCORE_SOURCES), help="Who says so.")
@click.option("--comment", help="What the user wrote.")
@click.option("--edited-output", help="What the user made of the answer.")
@click.option("--id", "feedback_id", help="Its id, where the command may be repeated.")
@pass_console
def record(console: Console, /, signal: str, **fields: Any) -> None:  # noqa: ANN401 -- click's
    """Record one event; it is on disk when the command returns.

    Example: gitloop capture record thumbs_down --trace-id 4bf92f --route refund
    """
    from gitloop.steps.capture import record as step

    report = step(console.directory, {"signal_type": signal, **fields})
    console.show(asdict(report), lambda: [f"recorded {report.feedback_id} in {report.path}"])


@capture.command("import", cls=_Import)
@click.argument(
    "files",
    nargs=-1,
    required=True,
    metavar="FILE…",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
)
@click.option(
    "--format",
    "input_form",
    type=click.Choice(FORMATS),
    default="auto",
    show_default=True,
    help="The files' format.",
)
@click.option(
    "--set", "constants", multiple=True, metavar="NAME=VALUE", help="A value where rows have none."
)
@pass_console
def import_(
    console: Console, files: tuple[Path, ...], input_form: str, constants: tuple[str, ...]
) -> int | None:
    """Import traces and feedback from files of other tools.

    Importing a file again changes nothing. Columns are mapped in params.yaml: capture.columns.

    Example: gitloop capture import spans.otlp.jsonl --set user_cohort=internal
    """
    from gitloop.steps.capture import import_files

    pairs = [constant.partition("=") for constant in constants]
    if any(not sign or not name for name, sign, _ in pairs):
        raise ConfigError("--set takes NAME=VALUE", hint="e.g. --set score_source=human")
    report = import_files(
        console.directory,
        [Path.cwd() / path for path in files],
        input_form,
        {name: value for name, _, value in pairs},
        console.progress,
    )
    console.show(asdict(report), lambda: _import_lines(report))
    return None if report.is_complete else ExitCode.FAILURE


@capture.command("seal", cls=Verb)
@click.option("--all", "is_whole", is_flag=True, help="Traces too whose spans still arrive.")
@pass_console
def seal(console: Console, /, *, is_whole: bool) -> int | None:
    """Turn the open spools into tracked parts of data/feedback and data/traces.

    Safe to run at any time and to kill at any moment; recorders go on meanwhile. Example: nightly,
    gitloop capture seal && git add data && git commit -m "Feedback of the day"
    """
    from gitloop.steps.capture import seal as step

    report = step(console.directory, console.progress, is_whole=is_whole)
    console.show(asdict(report), lambda: _seal_lines(report))
    return None if report.is_complete else ExitCode.FAILURE


@capture.command("derive", cls=Verb)
@pass_console
def derive(console: Console) -> int | None:
    """Find implicit signals in the traces: retry, regenerate, edit, escalate, abandon.

    Each event names its rule and confidence in its metadata. Example: gitloop capture derive
    """
    from gitloop.steps.capture import derive as step

    report = step(console.directory)
    console.show(asdict(report), lambda: _derive_lines(report))
    return None if report.is_complete else ExitCode.FAILURE


@capture.command("serve", cls=Verb)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=4318, show_default=True, help="TCP port."
)
@click.option(
    "--token-file",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="File with the bearer token; or set GITLOOP_TOKEN.",
)
@click.option(
    "--origin", "origins", multiple=True, metavar="URL", help="A page's origin that may send."
)
@click.option(
    "--proxy", "proxies", multiple=True, metavar="IP", help="A proxy that names its clients."
)
@click.option(
    "--max-body",
    "max_body_mb",
    type=click.FloatRange(min=0.001, max=64),
    default=8.0,
    show_default=True,
    metavar="MB",
    help="Largest body.",
)
@click.option(
    "--rate",
    type=click.FloatRange(min=0),
    default=10_000.0,
    show_default=True,
    metavar="N",
    help="Events per second and address; 0: any.",
)
@pass_console
def serve(console: Console, /, **options: Any) -> None:  # noqa: ANN401 -- click's
    """Run the collector: feedback and spans over HTTP, durable when they are answered.

    POST /v1/feedback takes one event or a list, POST /v1/traces takes OTLP. Pages load /gitloop.js;
    their key comes from GITLOOP_BROWSER_KEY. Ends at SIGTERM. Needs the extra [serve].

    Example: gitloop capture serve --origin https://app.example.com
    """
    import os

    from gitloop.steps.capture.serving import ServePlan
    from gitloop.steps.capture.serving import serve as step

    plan = ServePlan(
        token=os.environ.get("GITLOOP_TOKEN", ""),
        browser_key=os.environ.get("GITLOOP_BROWSER_KEY", ""),
        **options,
    )
    step(console.directory, plan, lambda url: console.say(f"listening on {url}"))


def _derive_lines(report: DeriveReport) -> list[str]:
    found = ", ".join(f"{signal} {n:,}" for signal, n in report.n_found.items())
    lines = [
        f"{report.n_traces:,} traces, {report.n_silent:,} of them without session or time",
        f"  found {found}",
        *(f"  wrote {path}" for path in report.feedback.parts),
    ]
    return [*lines, *_store_lines(report.stores), "next: gitloop join"]


def _import_lines(report: ImportReport) -> list[str]:
    lines = [
        f"{file.name[:40]}: {file.form}, {file.n_traces:,} traces, {file.n_events:,} events"
        for file in report.files
    ]
    for noun, tally in (("traces", report.traces), ("events", report.feedback)):
        if tally.n_new or tally.n_repeated or tally.n_conflicts:
            lines.append(_tally_words(noun, tally))
        lines += [f"  wrote {path}" for path in (*tally.parts, *tally.conflict_parts)]
        if tally.n_conflicts:
            lines.append("  the first import stands; to replace it: docs/capture.md, Import")
    lines += _store_lines(report.stores)
    if report.traces.parts or report.feedback.parts:
        lines.append("next: gitloop join")
    return lines


def _seal_lines(report: SealReport) -> list[str]:
    if not report.n_files and not report.spans.n_files:
        return ["nothing to seal", *_store_lines(report.stores)]
    lines = []
    if report.n_files:
        lines += [
            f"sealed {report.n_lines:,} lines of {report.n_files:,} spool files",
            f"  {report.n_new:,} new, {report.n_repeated:,} there already",
            f"  {report.n_conflicts:,} conflict, {report.n_aside:,} aside, {report.n_torn:,} torn",
            *(f"  wrote {path}" for path in report.parts),
        ]
        lines += [f"  aside: {reason[:70]}" for reason in report.reasons[:3]]
    lines += _span_lines(report.spans)
    lines += _store_lines(report.stores)
    lines.append("next: gitloop join")
    return lines


def _span_lines(spans: SpanReport) -> list[str]:
    if not spans.n_files:
        return []
    lines = [
        f"sealed {spans.n_requests:,} requests of spans",
        f"  {_tally_words('traces', spans.traces)}",
    ]
    if spans.feedback.n_new or spans.feedback.n_repeated or spans.feedback.n_conflicts:
        lines.append(f"  {_tally_words('scores on spans', spans.feedback)}")
    if spans.n_waiting:
        lines.append(f"  {spans.n_waiting:,} traces still arrive and wait; --all takes them now")
    lines += [f"  wrote {path}" for path in (*spans.traces.parts, *spans.feedback.parts)]
    return [*lines, *(f"  aside: {reason[:70]}" for reason in spans.reasons[:3])]


def _tally_words(noun: str, tally: Tally) -> str:
    return (
        f"{noun}: {tally.n_new:,} new, {tally.n_repeated:,} there already,"
        f" {tally.n_conflicts:,} in conflict"
    )


def _store_lines(stores: tuple[StoreReport, ...]) -> list[str]:
    lines = []
    for store in stores:
        if store.n_copied:
            lines.append(f"store {store.name}: {store.n_copied:,} parts copied to it")
        if store.n_behind:
            lines.append(f"store {store.name}: {store.n_behind:,} parts behind: {store.reason}")
    return lines
