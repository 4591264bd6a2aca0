"""CPU time of child processes, as the kernel accounts for it."""

from __future__ import annotations

import os
import statistics
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path


def cpu_ms(command: Sequence[str], directory: Path, environment: Mapping[str, str]) -> float:
    """CPU time, user and system, of one run and all it started, in ms.

    Raises:
        RuntimeError: The command failed.
    """
    # A spawn without subprocess's own waiting: wait4 alone gives this child's usage.
    with subprocess.Popen(
        list(command),
        cwd=directory,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}")
    return 1000 * (usage.ru_utime + usage.ru_stime)


def medians(
    commands: Mapping[str, Sequence[str]],
    directory: Path,
    environment: Mapping[str, str],
    n_runs: int,
) -> dict[str, float]:
    """Name → median CPU time in ms.

    The commands take turns, so that what else the machine does meets all of them alike, after one
    run each that is not counted and fills the caches.
    """
    seen: dict[str, list[float]] = {name: [] for name in commands}
    for turn in range(n_runs + 1):
        for name, command in commands.items():
            spent = cpu_ms(command, directory, environment)
            if turn:
                seen[name].append(spent)
    return {name: statistics.median(values) for name, values in seen.items()}
