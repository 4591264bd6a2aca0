"""The repository that the real loop runs in: set up, configured and driven by real commands."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from benchmarks.real_data import JUDGES, Mtrag

SET = "rag"
BASELINE, CANDIDATE = "reference", "llama-3.1-405b-instruct"
"""The responders: people answer on the main line, and a model wants to take over."""

PARAMS: dict[str, dict[str, Any]] = {
    # FeedbackQA's value is a word, its score a number.
    "capture": {"columns": {"value": "score"}},
    # Two people must say so: 0 bad and 1 could be improved, or 1 and 2 of MTRAG's 1 to 4.
    "failures": {"rating_below": 2.0, "score_below": 0.5, "min_weight": 1.5},
    "rubrics": {
        rubric: {
            "version": "1",
            "judge": {
                "use": "recorded",
                "model": judge,
                "parameters": {"table": "recorded/scores.jsonl", "where": {"judge": judge}},
            },
        }
        for rubric, judge in JUDGES.items()
    },
    "target": {"use": "recorded", "table": "recorded/outputs.parquet"},
    # The raters agree so little (alpha 0.20) that by default none of their pairs would train.
    "pairs": {"sources": ["votes"], "agreement": {"drop_below": -1.0, "train_from": -1.0}},
}
"""What a team would change of the parameters that `gitloop init` writes."""

REPLACED = ("rubrics", "target")
"""Keys whose old values go."""

RUBRIC = """\
name: @RUBRIC@
version: "1"
description: The @RUBRIC@ of an answer, by MTRAG's raters and a recorded judge.
pass_from: 0.8   # ratings 1 to 4 lie at 0, 1/3, 2/3 and 1: a rater passes with a 4
scorer:
  recorded: {}
"""
ENVIRONMENT = {
    "DVC_NO_ANALYTICS": "1",
    "GIT_AUTHOR_DATE": "1780000000 +0000",
    "GIT_AUTHOR_EMAIL": "loop@example.org",
    "GIT_AUTHOR_NAME": "Real Loop",
    "GIT_COMMITTER_DATE": "1780000000 +0000",
    "GIT_COMMITTER_EMAIL": "loop@example.org",
    "GIT_COMMITTER_NAME": "Real Loop",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "SOURCE_DATE_EPOCH": "1780000000",
}
"""A fixed clock and person: the same data gives the same commits."""


class StageError(Exception):
    """A stage failed; the text says what, and what the command said."""


class Loop:
    """The repository that the loop runs in, and the figures that it came to.

    Args:
        root: An empty directory.
        data: The public data.
    """

    def __init__(self, root: Path, data: Path) -> None:
        self.root = root / "repository"
        self.inbox = root / "inbox"
        self.data = data
        self.mtrag = Mtrag(data)
        self.figures: dict[str, dict[str, Any]] = {}
        # Not resolved: a venv's interpreter is a link out of it.
        programs = Path(sys.executable).absolute().parent
        kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
        self._environment = {
            **kept,
            **ENVIRONMENT,
            "HOME": str(root / "home"),
            "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        }
        for folder in (self.root, self.inbox, root / "home"):
            folder.mkdir(parents=True)

    def run(self, *command: str, code: int = 0) -> str:
        """What the command prints.

        Raises:
            StageError: It did not end with `code`.
        """
        done = subprocess.run(
            command, cwd=self.root, env=self._environment, capture_output=True, text=True,
            stdin=subprocess.DEVNULL, check=False,
        )  # fmt: skip
        if done.returncode != code:
            told = (done.stderr.strip() or done.stdout.strip())[-2000:]
            raise StageError(f"{' '.join(command)} ended with {done.returncode}:\n{told}")
        return done.stdout

    def gitloop(self, *args: str, code: int = 0) -> Any:  # noqa: ANN401 -- JSON holds anything
        """What a gitloop command reports."""
        return json.loads(self.run("gitloop", "--format", "json", *args, code=code))

    def prepare(self) -> int:
        """Set up by `gitloop init`, and say who judges what; return the number of files made."""
        self.run("git", "init", "--quiet", "--initial-branch=main")
        report = self.gitloop("init", "--set", SET, "--ci", "none")
        for path in ("rubrics/grounded.yaml", "gitloop_target.py"):
            (self.root / path).unlink()
        for rubric in JUDGES:
            text = RUBRIC.replace("@RUBRIC@", rubric)
            (self.root / f"rubrics/{rubric}.yaml").write_text(text, encoding="utf-8")
        self._connect_recordings()
        return len(report["created"])

    def _connect_recordings(self) -> None:
        """Let stages depend on the recordings; recorded answers leave nothing to optimize."""
        yaml, path = YAML(), self.root / "dvc.yaml"
        pipeline = yaml.load(path)
        stages = pipeline["stages"]
        del stages["optimize"]
        stages["calibrate"]["deps"].append("recorded/scores.jsonl")
        for stage in stages.values():
            if "gitloop_target.py" in stage["deps"]:
                stage["deps"].remove("gitloop_target.py")
        stages["score"]["deps"] += ["recorded/outputs.parquet", "recorded/scores.jsonl"]
        yaml.dump(pipeline, path)

    def commit(self, message: str) -> None:
        """Commit everything that is not ignored."""
        self.run("git", "add", "--all")
        self.run("git", "commit", "--quiet", "--allow-empty", "--message", message)

    def configure(self, *, objective: str, responder: str) -> None:
        """Write down what calibration maximises and who answers, and all that stays the same."""
        yaml = YAML()
        path = self.root / "params.yaml"
        params = yaml.load(path)
        for key, values in PARAMS.items():
            params[key] = values if key in REPLACED else {**params[key], **values}
        params["target"]["parameters"] = {"where": {"responder": responder}}
        params["calibrate"]["objective"] = objective
        yaml.dump(params, path)

    def read(self, path: str) -> Any:  # noqa: ANN401 -- JSON holds anything
        """The JSON value in a file of the repository."""
        return json.loads((self.root / path).read_text(encoding="utf-8"))
