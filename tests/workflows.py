"""A CI workflow's steps, run on this machine as they are written."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

ACTIONS = {"actions/checkout", "actions/setup-python", "actions/cache", "actions/upload-artifact"}
"""What the forge does by itself: the test has made the checkout and the environment already."""

FORGE = """\
#!/bin/sh
# gh api COMMENTS lists with --paginate and adds with a body; --method PATCH URL changes.
folder=$(dirname "$0")
for word in "$@"; do case $word in
  body=@*) body=${word#body=@};;
  https://forge.example/*) known=${word##*/};;
esac; done
case "$*" in
  *--paginate*)
    for path in "$folder"/comment-*; do
      [ -f "$path" ] || continue
      case "$*" in *"$(head -n 1 "$path")"*) echo "https://forge.example/${path##*/}";; esac
    done;;
  *) name=${known:-comment-$(basename "$body")}
     [ -n "$known" ] && did=changed || did=added
     cp "$body" "$folder/$name"; echo "$did $name" >> "$folder/log";;
esac
"""
"""A `gh` that keeps the comments of one pull request beside itself, and a log."""

_EXPRESSION = re.compile(r"\$\{\{\s*(.*?)\s*\}\}")


@dataclass
class Run:
    """What came of a job.

    Attributes:
        codes: Step name → exit code, of each step that ran.
        told: What all steps printed.
    """

    codes: dict[str, int] = field(default_factory=dict)
    told: str = ""


def run_github(text: str, checkout: Path, env: Mapping[str, str], values: Mapping[str, str]) -> Run:
    """Run the job "gate" of a GitHub workflow: each step in bash, as GitHub starts it.

    Args:
        text: The workflow.
        checkout: The working directory.
        env: The runner's environment.
        values: Expression → what it gives; "true" and "false" for a condition. An expression that
            is not named here is an error.
    """
    job = yaml.safe_load(text)["jobs"]["gate"]
    job_env = {**env, **_filled(job.get("env", {}), values)}
    done = Run()
    has_failed = False
    for step in job["steps"]:
        if "uses" in step:
            assert step["uses"].split("@")[0] in ACTIONS
            continue
        condition = step.get("if", "")
        runs = values[condition] == "true" if condition else not has_failed
        if not runs:
            continue
        ended = subprocess.run(
            ["/bin/bash", "--noprofile", "--norc", "-e", "-c", _fill(step["run"], values)],
            cwd=checkout,
            env={**job_env, **_filled(step.get("env", {}), values)},
            capture_output=True,
            text=True,
            check=False,
        )
        done.codes[step["name"]] = ended.returncode
        done.told += ended.stdout + ended.stderr
        has_failed = has_failed or ended.returncode != 0
    return done


def _filled(env: Mapping[str, Any], values: Mapping[str, str]) -> dict[str, str]:
    return {name: _fill(str(value), values) for name, value in env.items()}


def _fill(text: str, values: Mapping[str, str]) -> str:
    return _EXPRESSION.sub(lambda found: values[found[1]], text)
