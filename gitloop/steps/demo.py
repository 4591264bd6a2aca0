"""Walk the whole loop in a new repository, in front of the reader."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from gitloop import capture, scaffold
from gitloop.errors import GitloopError, WorkspaceError
from gitloop.scenario.generate import Scenario, generate
from gitloop.scenario.people import disputed, label
from gitloop.scenario.story import (
    INBOX,
    SET,
    Act,
    Commit,
    Run,
    Scene,
    Traffic,
    Verdicts,
    Write,
    scenes,
)
from gitloop.storage.files import read_json, read_text, write_text

_NOISE = (
    "To track the changes",
    "To enable auto staging",
    "Updating lock file",
    "Use `dvc push`",
    "Generating lock file",
    "Stage '",
    "'data/",
    "git add dvc.lock",
    "dvc config core.autostage",
    "> ",
)
"""Lines of DVC that tell what the demo does itself."""

_CONTROLS_PER_CLUSTER = 12
"""Cases without a complaint that people label too: a threshold needs both kinds."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something for the reader.

    Attributes:
        kind: "title", "line", "note", "command", "output" or "end".
        text: What to show, without indentation.
    """

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class DemoReport:
    """What the demo left behind.

    Attributes:
        directory: The new repository, as it was named.
        seed: Seed of the scenario.
        n_commands: Commands that were run in front of the reader.
    """

    directory: str
    seed: int
    n_commands: int


def demo(directory: Path, *, seed: int, n_traces: int, tell: Callable[[Event], None]) -> DemoReport:
    """Build the repository and walk the loop; every command is a real process.

    Args:
        directory: A directory that does not exist, or is empty.
        seed: Seed of the scenario: the same seed gives the same trees, byte for byte.
        n_traces: Traces of the scenario.
        tell: Called with each event, as it happens.

    Raises:
        WorkspaceError: The directory has something in it.
        GitloopError: A command did not end as the story needs; its output is in the message.
    """
    if directory.exists() and any(directory.iterdir()):
        raise WorkspaceError(f"{directory} is not empty", hint="name a new directory")
    directory.mkdir(parents=True, exist_ok=True)
    scenario = generate(seed, n_traces)
    n_commands = 0
    for scene in scenes(seed, scaffold.new_files(SET, "github")):
        tell(Event("title", scene.title))
        for line in scene.lines:
            tell(Event("line", line))
        for act in scene.acts:
            for event in _play(act, scene, scenario, directory):
                n_commands += event.kind == "command"
                tell(event)
    return DemoReport(str(directory), seed, n_commands)


def _play(act: Act, scene: Scene, scenario: Scenario, root: Path) -> Iterator[Event]:
    if isinstance(act, Run):
        yield from _run(act, scene.at, root)
    elif isinstance(act, Write):
        yield Event("note", act.note)
        _write(act.texts, root)
    elif isinstance(act, Commit):
        _run_quietly(["git", "add", "--all"], scene.at, root)
        _run_quietly(["git", "commit", "--quiet", "--message", act.message], scene.at, root)
        yield Event("note", f"committed: {act.message}")
    elif isinstance(act, Traffic):
        yield Event("note", _arrive(scenario, root))
    else:
        yield Event("note", _judge(act, scenario, root))


def _run(act: Run, at: datetime, root: Path) -> Iterator[Event]:
    command = act.command
    if "{promotion}" in command:
        listing = ["git", "for-each-ref", "--format=%(refname:short)", "refs/heads/gitloop/promote"]
        branch = _run_quietly(listing, at, root).strip()
        command = command.replace("{promotion}", branch)
    if act.is_shown:
        yield Event("command", command)
    output = _run_quietly(shlex.split(command), at, root, expected=act.expected)
    if act.is_shown and not act.says_little:
        for line in output.splitlines():
            if line.strip() and not line.strip().startswith(_NOISE):
                yield Event("output", line.rstrip())
    if act.expected:
        yield Event("output", f"exit code {act.expected}")


def _run_quietly(command: list[str], at: datetime, root: Path, *, expected: int = 0) -> str:
    """What the command prints, run at the story's time by the story's author."""
    own_bin = str(Path(sys.executable).parent)
    stamp = str(int(at.timestamp()))
    author = {"NAME": "Gitloop Demo", "EMAIL": "demo@gitloop.invalid", "DATE": f"{stamp} +0000"}
    env = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    env |= {f"GIT_{role}_{key}": v for role in ("AUTHOR", "COMMITTER") for key, v in author.items()}
    env |= {
        "PATH": f"{own_bin}{os.pathsep}{env.get('PATH', '')}",
        "SOURCE_DATE_EPOCH": stamp,
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "DVC_NO_ANALYTICS": "1",
        "COLUMNS": "76",
    }
    done = subprocess.run(
        command, cwd=root, env=env, text=True, check=False, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    if done.returncode != expected:
        raise GitloopError(
            f"`{shlex.join(command)}` ended with {done.returncode}, not {expected}:\n{done.stdout}",
            hint=f"look at {root}: everything up to here is committed",
        )
    return done.stdout


def _write(texts: dict[str, str], root: Path) -> None:
    for path, text in texts.items():
        if text:
            write_text(root / path, text)
        else:
            (root / path).unlink()


def _arrive(scenario: Scenario, root: Path) -> str:
    """Traces arrive as a file; every feedback event goes through the recorder."""
    _write_lines(root / INBOX / "traces.jsonl", list(scenario.traces))
    spool = str(root / "data/feedback/spool")
    recorder = capture.Recorder(spool, batch=capture.Batch(), is_strict=True)
    for event in scenario.feedback:
        recorder.record({**event, "metadata": json.loads(event.get("metadata") or "{}")})
    recorder.close()
    return f"{len(scenario.traces):,} traces, {len(scenario.feedback):,} feedback events"


def _judge(act: Verdicts, scenario: Scenario, root: Path) -> str:
    """People label the representatives and as many cases that nobody complained about."""
    found = read_json(root / "loop/cluster/metrics.json")["clusters"]
    clusters = {
        trace_id: cluster_id
        for cluster_id, cluster in sorted(found.items())
        for trace_id in cluster["representatives"]
    }
    failed = {event.get("trace_id") for event in scenario.feedback}
    quiet = sorted(str(t["trace_id"]) for t in scenario.traces if t["trace_id"] not in failed)
    shown = [*clusters, *quiet[: _CONTROLS_PER_CLUSTER * len(found)]]
    if act.settles:
        given = [label(scenario, shown, annotator=name) for name in act.settles]
        shown = disputed(*given)
    inbox = root / INBOX / "labels.jsonl"
    rows = _rows(inbox) if inbox.exists() else []
    for annotator in act.annotators:
        rows += label(scenario, shown, annotator=annotator, clusters=clusters)
    _write_lines(inbox, rows)
    return f"{' and '.join(act.annotators)} label {len(shown)} cases"


def _rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in read_text(path).splitlines()]


def _write_lines(path: Path, rows: list[dict[str, Any]]) -> None:
    text = "".join(
        json.dumps(row, sort_keys=True, ensure_ascii=False, default=datetime.isoformat) + "\n"
        for row in rows
    )
    write_text(path, text)
