"""From a branch to a pull request: gh, glab, or the two commands; and one comment, kept fresh."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from gitloop import scaffold
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

FORGE = """\
#!/bin/sh
# gh api COMMENTS [--paginate …] lists, with a body it adds; --method PATCH URL changes.
folder=$(dirname "$0")
for word in "$@"; do case $word in body=@*) body=${word#body=@};; esac; done
case "$*" in
  *--paginate*) [ ! -f "$folder/comment" ] || echo https://forge.example/comment/1;;
  *PATCH*) cp "$body" "$folder/comment"; echo patched >> "$folder/log";;
  *) cp "$body" "$folder/comment"; echo added >> "$folder/log";;
esac
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
    assert "gh pr create" in capsys.readouterr().out
    hub.git("branch", "-D", hub.git("branch", "--list", "gitloop/*", "--format=%(refname:short)"))
    program(tmp_path, "gh", FAKE)
    assert invoke(args) == 0
    assert "https://forge.example/1" in capsys.readouterr().out


def test_comment_of_the_workflow_is_edited_in_place(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The workflow that init writes has one comment, found again by its hidden first line."""
    make_promotable(repository, [failure(0)])
    base = repository.git("rev-parse", "HEAD")
    report = promote(repository.root, PromoteRequest((), "support", takes_all=True))
    repository.git("merge", "--quiet", "--ff-only", str(report.branch))
    workflow = yaml.safe_load(scaffold.text("github.yml"))
    (step,) = [s for s in workflow["jobs"]["golden"]["steps"] if s.get("name") == "Comment"]
    (tmp_path / "bin").mkdir()
    program(tmp_path, "gh", FORGE)
    own = Path(sys.executable).parent
    monkeypatch.setenv(
        "PATH", f"{tmp_path / 'bin'}{os.pathsep}{own}{os.pathsep}{os.environ['PATH']}"
    )
    names = {"COMMENTS": "repos/team/app/issues/1/comments", "BASE": base}
    for _ in range(2):
        subprocess.run(
            ["/bin/sh", "-e", "-c", step["run"]],
            cwd=repository.root,
            env={**os.environ, **names, "RUNNER_TEMP": str(tmp_path)},
            check=True,
        )
    assert (tmp_path / "bin/log").read_text().split() == ["added", "patched"]
    comment = (tmp_path / "bin/comment").read_text()
    assert comment.startswith("<!-- gitloop diff -->\n")
    assert "**1 added**" in comment
