"""The way from a branch to a pull request: the forge's own program, or the commands to type."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from gitloop.errors import ToolError
from gitloop.steps.promote.run import PromoteReport
from gitloop.storage.files import write_text
from gitloop.storage.git import GitRepository

_SECONDS = 120


@dataclass(frozen=True, slots=True)
class PullRequest:
    """A pull request that was opened, or how to open it.

    Attributes:
        url: Where it is, or None where neither gh nor glab is there.
        commands: The commands that open it; () where it is open.
    """

    url: str | None
    commands: tuple[str, ...]


def open_pull_request(directory: Path, report: PromoteReport) -> PullRequest:
    """Push the branch and open its pull request through gh or glab, or tell the two commands.

    The body goes into a file under Git's own directory, where no commit picks it up.

    Raises:
        ToolError: The push, gh or glab failed.
    """
    git = GitRepository(directory)
    branch = report.branch or ""
    remote = (git.text("remote").splitlines() or ["origin"])[0]
    body = git.common_dir / "gitloop" / "pull-requests" / f"{report.set}-{report.record}.md"
    write_text(body, report.body)
    push = ["git", "push", "--set-upstream", remote, branch]
    programs = _programs(git, remote)
    for program in programs:
        if shutil.which(program):
            _run(push, git.root)
            create = _create(program, branch, report.title)
            told = ["--body-file", str(body)] if program == "gh" else ["--description", report.body]
            return PullRequest(_run([*create, *told], git.root), ())
    shown = shlex.quote(str(body.relative_to(git.root) if body.is_relative_to(git.root) else body))
    told = [f"--body-file {shown}" if programs[0] == "gh" else f'--description "$(cat {shown})"']
    create = _create(programs[0], branch, report.title)
    return PullRequest(None, (shlex.join(push), " ".join([shlex.join(create), *told])))


def _programs(git: GitRepository, remote: str) -> tuple[str, ...]:
    """The programs that may open a pull request there: the forge's own where its name tells."""
    try:
        url = git.text("remote", "get-url", remote).lower()
    except ToolError:  # git's way to say that there is no such remote
        url = ""
    if "gitlab" in url:
        return ("glab",)
    return ("gh",) if "github" in url else ("gh", "glab")


def _create(program: str, branch: str, title: str) -> list[str]:
    if program == "gh":
        return ["gh", "pr", "create", "--head", branch, "--title", title]
    return ["glab", "mr", "create", "--yes", "--source-branch", branch, "--title", title]


def _run(command: list[str], directory: Path) -> str:
    """The last line that the command prints."""
    try:
        done = subprocess.run(
            command,
            cwd=directory,
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
            timeout=_SECONDS,
        )
    except subprocess.TimeoutExpired as error:
        raise ToolError(f"{command[0]} did not end in {_SECONDS} s") from error
    if done.returncode:
        words = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:]
        raise ToolError(
            f"{' '.join(command[:3])} failed: {''.join(words)}",
            hint="the branch is there: open the pull request by hand",
        )
    return (done.stdout.strip().splitlines() or [""])[-1]
