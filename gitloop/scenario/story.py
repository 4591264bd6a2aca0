"""The loop as a story: what is written, what is typed, what is committed, in order.

Data only: `steps/demo.py` acts it out, and the README's transcript is what it shows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from importlib.resources import files

from gitloop.scenario import prompts

SET = "support"
INBOX = ".gitloop/inbox"
"""Where the demo's raw material arrives; ignored by Git."""


@dataclass(frozen=True, slots=True)
class Run:
    """Type a command. `{promotion}` stands for the branch that promote made.

    Attributes:
        command: As typed in a shell without any shell syntax but spaces.
        expected: The exit code that the story needs.
        is_shown: Whether the reader sees the command and its output.
        says_little: Whether the reader sees the command alone.
    """

    command: str
    expected: int = 0
    is_shown: bool = True
    says_little: bool = False


@dataclass(frozen=True, slots=True)
class Write:
    """Write files and say so.

    Attributes:
        texts: Path → text; an empty text removes the file.
        note: What the reader is told.
    """

    texts: dict[str, str] = field(hash=False)
    note: str


@dataclass(frozen=True, slots=True)
class Commit:
    """Commit everything."""

    message: str


@dataclass(frozen=True, slots=True)
class Traffic:
    """Let two weeks of traffic arrive: traces as a file, feedback through the recorder."""


@dataclass(frozen=True, slots=True)
class Verdicts:
    """Let people label what clustering put before them.

    Attributes:
        annotators: Who.
        settles: Whose disputes they see; () shows them all cases.
    """

    annotators: tuple[str, ...]
    settles: tuple[str, ...] = ()


Act = Run | Write | Commit | Traffic | Verdicts


@dataclass(frozen=True, slots=True)
class Scene:
    """One chapter.

    Attributes:
        title: Its heading.
        lines: What the reader is told first.
        at: When it plays; every commit and record in it carries this time.
        acts: What happens.
    """

    title: str
    lines: tuple[str, ...]
    at: datetime
    acts: tuple[Act, ...]


def scenes(seed: int, set_up: Mapping[str, str]) -> tuple[Scene, ...]:
    """The whole story, from `git init` to the proof.

    Args:
        seed: Seed of the scenario, and of the repository's params.yaml.
        set_up: The files that `gitloop init --set support` writes: path → text.
    """
    days = iter(_DAYS)
    told = (
        _set_up(seed, set_up),
        _capture(),
        _cluster(),
        _label(),
        _calibrate(),
        _promote(),
        _fix(),
        _block(),
        _mend(),
        _prove(),
    )
    return tuple(
        Scene(f"{n}. {title}", lines, next(days), acts)
        for n, (title, lines, acts) in enumerate(told, start=1)
    )


_STARTS_AT = datetime(2026, 5, 18, 7, tzinfo=UTC)
_DAYS = tuple(_STARTS_AT + timedelta(days=n) for n in (-16, 0, 0.1, 2.5, 2.6, 3, 3.5, 8, 9, 9.5))

_Told = tuple[str, tuple[str, ...], tuple[Act, ...]]


def _set_up(seed: int, set_up: Mapping[str, str]) -> _Told:
    return (
        "A repository",
        ("A support assistant: three routes, four cohorts, one prompt file.",),
        (
            Run("git init --quiet --initial-branch=main", is_shown=False),
            Write(
                {
                    "app/assistant.py": _application(),
                    "prompts/support.md": prompts.prompt_file("2"),
                },
                "the assistant and its prompt, version 2",
            ),
            Commit("The support assistant"),
            Run(f"gitloop init --quiet --set {SET} --ci github"),
            Write(
                _settings(seed, set_up), "params.yaml, dvc.yaml and two rubrics, for this assistant"
            ),
            Commit("Set up gitloop"),
        ),
    )


def _capture() -> _Told:
    return (
        "Capture",
        ("Two weeks go by. 1-3 % of users click; many more retry, edit or give up.",),
        (
            Traffic(),
            Run(f"gitloop capture import {INBOX}/traces.jsonl"),
            Run("gitloop capture seal"),
            Commit("Two weeks of traffic and feedback"),
        ),
    )


def _cluster() -> _Told:
    return (
        "Join and cluster",
        ("Every event meets its trace; failures of one kind fall together.",),
        (Run("dvc repro cluster"), Commit("Cluster the failures")),
    )


def _label() -> _Told:
    return (
        "Label",
        ("Two people label a few cases per cluster; a senior settles what they differ on.",),
        (
            Verdicts(("amara", "bo")),
            Verdicts(("chen",), settles=("amara", "bo")),
            Run(f"gitloop labels import {INBOX}/labels.jsonl"),
            Run("gitloop agree --disputes 1"),
            Commit("Label the representatives"),
        ),
    )


def _calibrate() -> _Told:
    return (
        "Calibrate",
        ("How far can the judge be trusted, and where is its line?",),
        (Run("dvc repro calibrate"), Commit("Calibrate the judges")),
    )


def _promote() -> _Told:
    return (
        "Promote",
        ("The agreed cases become regression tests: one commit on a branch, for review.",),
        (
            Run(f"gitloop promote --no-body --all --set {SET}"),
            Run("git diff --stat main...{promotion}"),
            Run("git merge -q --no-ff --no-edit {promotion}"),
            Run("dvc checkout --quiet --allow-missing", is_shown=False),
        ),
    )


def _fix() -> _Told:
    return (
        "Fix, gate, and pin the baseline",
        ("Prompt version 3 answers the promoted failures; its run becomes the baseline.",),
        (
            Write(
                {"prompts/support.md": prompts.prompt_file("3")}, "prompts/support.md, version 3"
            ),
            Run("dvc repro gate"),
            Commit("Prompt 3: fix what was promoted"),
            Run("gitloop baseline"),
            Commit("Pin the baseline"),
        ),
    )


def _block() -> _Told:
    return (
        "A pull request that brings a failure back",
        ("Version 4 is shorter and friendlier, and loses one line. The gate must see it.",),
        (
            Run("git switch --quiet --create friendlier"),
            Write(
                {"prompts/support.md": prompts.prompt_file("4")}, "prompts/support.md, version 4"
            ),
            Run("dvc repro --quiet gate", says_little=True),
            Commit("Prompt 4: shorter and friendlier"),
            Run("gitloop gate --check", expected=2),
        ),
    )


def _mend() -> _Told:
    return (
        "The fixed pull request, and what the optimizer says",
        ("Version 5 keeps the tone and the line.",),
        (
            Run("git switch --quiet main", is_shown=False),
            Run("git switch --quiet --create friendlier-and-right"),
            Write(
                {"prompts/support.md": prompts.prompt_file("5")}, "prompts/support.md, version 5"
            ),
            Run("dvc repro --quiet", says_little=True),
            Commit("Prompt 5: friendlier, with the return policy"),
            Run("gitloop gate --check"),
            Run("head -n 9 loop/optimize/report.md"),
            Run("git switch --quiet main", is_shown=False),
            Run("git merge -q --no-ff --no-edit friendlier-and-right"),
        ),
    )


def _prove() -> _Told:
    return (
        "Prove it",
        ("Nothing is left lying about, and every number follows from the commit.",),
        (
            Run("git status --short"),
            Run("dvc status"),
            Run("gitloop verify --gate"),
            Run("gitloop status"),
        ),
    )


def _application() -> str:
    return (files(__package__) / "assistant.py").read_text(encoding="utf-8")


def _settings(seed: int, set_up: Mapping[str, str]) -> dict[str, str]:
    """The set-up's files, fitted to the assistant; an empty text removes what is not needed."""
    own = files(__package__) / "files"
    params = set_up["params.yaml"]
    fitted = {
        "seed: 0": f"seed: {seed}",
        "max_evaluations: 2000": "max_evaluations: 600",
        'guidance_version: "1" ': f'guidance_version: "{_GUIDANCE}" ',
        "callable: gitloop_target:answer": "callable: app.assistant:answer",
        "prompt: prompts/assistant.md": "prompt: prompts/support.md",
        "  grounded:\n": '  resolved:\n    version: "1"\n    judge: {use: local, version: "1"}\n'
        "  grounded:\n",
    }
    for old, new in fitted.items():
        params = params.replace(old, new)
    return {
        "params.yaml": params,
        "dvc.yaml": set_up["dvc.yaml"].replace("gitloop_target.py", "app/assistant.py"),
        "rubrics/grounded.yaml": (own / "grounded.yaml").read_text(encoding="utf-8"),
        "rubrics/resolved.yaml": (own / "resolved.yaml").read_text(encoding="utf-8"),
        "prompts/assistant.md": "",
        "gitloop_target.py": "",
    }


_GUIDANCE = "2026-05"
