"""CPU time of `gitloop --help` and `gitloop status` above bare Python, beside DVC's.

    python benchmarks/startup.py [--repository DIR] [--runs 15]

`status` is asked of a gitloop repository: a given one, or what `gitloop demo` leaves, with every
stage run, golden rows, labels and a verdict.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.measuring import medians

TARGETS_MS = {"gitloop --help": 100, "gitloop status": 200}
"""CPU time above bare Python that each may take."""

PEERS = {"gitloop --help": "dvc --version", "gitloop status": "dvc status"}
"""What each is set beside."""


def demo_repository(folder: Path, environment: dict[str, str]) -> Path:
    """The repository that the demo leaves."""
    root = folder / "demo"
    print("building a repository with gitloop demo …", flush=True)
    subprocess.run(
        [sys.executable, "-m", "gitloop", "demo", str(root), "--traces", "400", "--quiet"],
        check=True,
        env=environment,
        stdout=subprocess.DEVNULL,
    )
    return root


def isolated(folder: Path) -> dict[str, str]:
    """This environment with a home and settings of its own, and this interpreter's programs."""
    programs = Path(sys.executable).absolute().parent
    return {
        **os.environ,
        "DVC_NO_ANALYTICS": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "HOME": str(folder),
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
    }


def main() -> int:
    """Print the table; return 1 where a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repository", type=Path, help="a gitloop repository; default: the demo's")
    parser.add_argument("--runs", type=int, default=15, help="runs of each command (at least 7)")
    options = parser.parse_args()
    python = sys.executable
    commands = {
        "python -c pass": [python, "-c", "pass"],
        "import click": [python, "-c", "import click"],
        "gitloop --help": ["gitloop", "--help"],
        "gitloop status": ["gitloop", "status"],
        "dvc --version": ["dvc", "--version"],
        "dvc status": ["dvc", "status"],
    }
    with tempfile.TemporaryDirectory() as folder:
        environment = isolated(Path(folder))
        root = options.repository or demo_repository(Path(folder), environment)
        found = medians(commands, root, environment, max(7, options.runs))
    bare = found["python -c pass"]
    print(f"\n{'command':<16} {'CPU ms':>8} {'above bare':>11} {'target':>7}  beside DVC")
    for name, spent in found.items():
        line = f"{name:<16} {spent:>8.0f} {spent - bare:>11.0f}"
        if name in TARGETS_MS:
            peer = PEERS[name]
            line += f" {TARGETS_MS[name]:>7}  {spent / found[peer]:.2f} of {peer}"
        print(line)
    missed = [name for name, target in TARGETS_MS.items() if found[name] - bare > target]
    print(f"missed: {', '.join(missed)}" if missed else "both targets are met")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
