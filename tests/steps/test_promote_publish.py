"""From a branch to a pull request: gh, glab, or the two commands."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from gitloop.cli.main import invoke
from gitloop.errors import ToolError
from gitloop.steps.promote import PromoteRequest, open_pull_request, promote
from tests.promotable import failure, make_promotable
from tests.repositories import Repository

FAKE = """\
#!/bin/sh
printf '%s\\n' "$@" > "$0.args"
echo working
echo https://forge.example/1
"""


@pytest.fixture
def hub(repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    """A promotable repository with a bare remote, and a PATH without gh and glab."""
    make_promotable(repository, [failure(0)])
    repository.git("init", "--quiet", "--bare", str(tmp_path / "hub"))
    repository.git("remote", "add", "origin", str(tmp_path / "hub"))
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/git").symlink_to(str(shutil.which("git")))
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}/usr/bin/nowhere")
    return repository


def program(tmp_path: Path, name: str, text: str) -> Path:
    """A program of that name on the PATH; it keeps its arguments beside itself."""
    path = tmp_path / "bin" / name
    path.write_text(text)
    path.chmod(0o755)
    return path


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("gh", ["pr", "create", "--head", "{branch}", "--title", "{title}", "--body-file"]),
        ("glab", ["mr", "create", "--yes", "--source-branch", "{branch}", "--title", "{title}"]),
    ],
)
def test_pull_request_is_opened(
    hub: Repository, tmp_path: Path, name: str, expected: list[str]
) -> None:
    """The branch is pushed, the forge's program gets title and body, and its address comes back."""
    path = program(tmp_path, name, FAKE)
    report = promote(hub.root, PromoteRequest((), "support", takes_all=True))
    opened = open_pull_request(hub.root, report)
    assert (opened.url, opened.commands) == ("https://forge.example/1", ())
    words = [w.format(branch=report.branch, title=report.title) for w in expected]
    assert Path(f"{path}.args").read_text().splitlines()[: len(words)] == words
    assert Repository(tmp_path / "hub").git("rev-parse", str(report.branch)) == report.commit
    assert hub.status() == ""


@pytest.mark.parametrize(
    ("url", "command"),
    [
        ("https://github.example/team/app", "gh pr create --head gitloop/promote/"),
        ("git@gitlab.example:team/app", "glab mr create --yes --source-branch gitloop/promote/"),
    ],
)
def test_commands_are_told_where_the_program_is_missing(
    hub: Repository, tmp_path: Path, url: str, command: str
) -> None:
    """Nothing is pushed; the commands fit the forge, whatever else is installed."""
    program(tmp_path, "glab" if "github" in url else "gh", FAKE)
    hub.git("remote", "set-url", "origin", url)
    report = promote(hub.root, PromoteRequest((), "support", takes_all=True))
    opened = open_pull_request(hub.root, report)
    assert opened.url is None
    assert opened.commands[0] == f"git push --set-upstream origin {report.branch}"
    assert opened.commands[1].startswith(command)
    body = next((hub.root / ".git/gitloop/pull-requests").iterdir())
    assert body.read_text() == report.body
    assert str(body.relative_to(hub.root)) in opened.commands[1]


def test_forge_that_says_no_is_told(hub: Repository, tmp_path: Path) -> None:
    """The branch stays, and the program's own words are the error."""
    program(tmp_path, "gh", "#!/bin/sh\necho not logged in >&2\nexit 4\n")
    report = promote(hub.root, PromoteRequest((), "support", takes_all=True))
    with pytest.raises(ToolError, match="not logged in"):
        open_pull_request(hub.root, report)
    assert hub.git("rev-parse", str(report.branch)) == report.commit


def test_command_opens_it(
    hub: Repository, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`gitloop promote --pr` prints the address, or the commands."""
    args = ["promote", "--all", "--set", "support", "--pr", "-C", str(hub.root)]
    assert invoke(args) == 0
    told = capsys.readouterr().out
    assert "gh pr create" in told
    assert told.startswith("## Promote 1 row into `support`")
    hub.git("branch", "-D", hub.git("branch", "--list", "gitloop/*", "--format=%(refname:short)"))
    program(tmp_path, "gh", FAKE)
    assert invoke(args) == 0
    told = capsys.readouterr().out
    assert "https://forge.example/1" in told
    assert "## Promote" not in told
