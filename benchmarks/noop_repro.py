"""What our pipeline adds to a `dvc repro` that has nothing to do.

    python benchmarks/noop_repro.py --repository DIR [--runs 9]

The peer is a pipeline of the same shape in a repository of its own: as many stages, with as many
dependencies, parameters, outputs and pointers, but with one tiny file each and a shell's `echo` in
place of a command. Both are repeated in turn, so the ratio is what data and commands of ours cost.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from benchmarks.measuring import medians
from benchmarks.startup import demo_repository, isolated

TARGET = 1.10
"""CPU time of a no-op in our repository, in times of the peer's."""


def same_shape(ours: Path, theirs: Path, environment: dict[str, str]) -> int:
    """Build the peer and run it once; return its number of stages.

    Args:
        ours: The repository whose pipeline is copied.
        theirs: A directory that does not exist.
        environment: For git and dvc.
    """
    theirs.mkdir()
    run = Runner(theirs, environment)
    run("git", "init", "--quiet")
    run("dvc", "init", "--quiet")
    yaml = YAML()
    pipeline = yaml.load(ours / "dvc.yaml")
    (theirs / "params.yaml").write_bytes((ours / "params.yaml").read_bytes())
    (theirs / ".gitignore").write_bytes((ours / ".gitignore").read_bytes())
    made = {path for stage in pipeline["stages"].values() for path in _outputs(stage)}
    for stage in pipeline["stages"].values():
        for dep in sorted(set(stage.get("deps", [])) - made):
            _stand_in(ours / dep, theirs / dep)
        stage["cmd"] = [
            f"mkdir -p {Path(path).parent} && echo x > {path}" for path in _outputs(stage)
        ]
    pointed = [path.relative_to(ours) for path in ours.glob("data/**/*.parquet.dvc")]
    for path in pointed:
        target = theirs / path.with_suffix("")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text("x\n", encoding="utf-8")
    if pointed:
        run("dvc", "add", "--quiet", *(str(path.with_suffix("")) for path in pointed))
    yaml.dump(pipeline, theirs / "dvc.yaml")
    run("dvc", "repro", "--quiet")
    run("git", "add", "--all")
    who = ("-c", "user.name=Peer", "-c", "user.email=peer@example.org")
    run("git", *who, "commit", "--quiet", "--message", "The peer")
    return len(pipeline["stages"])


class Runner:
    """Runs commands in a directory.

    Args:
        directory: Where.
        environment: With which variables.
    """

    def __init__(self, directory: Path, environment: dict[str, str]) -> None:
        self._directory, self._environment = directory, environment

    def __call__(self, *command: str) -> str:
        """What the command prints.

        Raises:
            CalledProcessError: It failed.
        """
        return subprocess.run(
            command,
            cwd=self._directory,
            env=self._environment,
            check=True,
            capture_output=True,
            text=True,
        ).stdout


def _outputs(stage: dict[str, Any]) -> list[str]:
    named = [out for kind in ("outs", "metrics", "plots") for out in stage.get(kind, [])]
    return [str(out if isinstance(out, str) else next(iter(out))) for out in named]


def _stand_in(ours: Path, theirs: Path) -> None:
    """A tiny file, or a directory with one, in the place of a dependency."""
    target = theirs / "x" if ours.is_dir() else theirs
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text("x\n", encoding="utf-8")


def main() -> int:
    """Print both times and their ratio; return 1 where the target is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repository", type=Path, help="a gitloop repository; default: the demo's")
    parser.add_argument("--runs", type=int, default=9, help="runs of each (at least 7)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        environment = isolated(Path(folder))
        root = options.repository or demo_repository(Path(folder), environment)
        status = json.loads(Runner(root, environment)("dvc", "status", "--json"))
        if status:
            parser.error(f"{root.name} has something to do: {', '.join(status)}")
        peer = Path(folder) / "peer"
        n_stages = same_shape(root, peer, environment)
        commands = {
            "ours": ["dvc", "--cd", str(root.absolute()), "repro", "--quiet"],
            "peer": ["dvc", "--cd", str(peer), "repro", "--quiet"],
            "dvc --version": ["dvc", "--version"],
        }
        found = medians(commands, root, environment, max(7, options.runs))
    print(f"no-op dvc repro of {n_stages} stages, median CPU time")
    for name, spent in found.items():
        print(f"  {name:<14} {spent:>7.0f} ms")
    ratio = found["ours"] / found["peer"]
    print(f"ours / peer {ratio:.3f} (target {TARGET:.2f})")
    return 0 if ratio <= TARGET else 1


if __name__ == "__main__":
    sys.exit(main())
