#!/usr/bin/env python3
"""Everything a checkout needs, with nothing but Python ≥ 3.11 and git on the machine.

python3 dev.py repro     make .venv from the lock file, then run the main job: dvc repro
python3 dev.py test      make .venv, then lint, types, contracts and every test
python3 dev.py check     lint, types and contracts only
python3 dev.py demo DIR  make .venv, then walk the loop in a new repository
python3 dev.py trainers  make .venv-trainers: with it, tests run TRL's trainers and [minilm]
python3 dev.py loaders   the same, and axolotl, LLaMA-Factory and Unsloth, whose loaders tests run
python3 dev.py llama     make .venv-llama: with it, tests judge by llama.cpp's own server
python3 dev.py lock      resolve requirements.lock again (needs uv)
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
BIN = VENV / "bin"
LOCK = ROOT / "requirements.lock"
STAMP = VENV / "gitloop.stamp"

CHECKS = (
    ("ruff", "check", "."),
    ("ruff", "format", "--check", "."),
    ("mypy",),
    ("lint-imports", "--no-logo"),
)


def main(args: list[str]) -> int:
    """Run the recipe named by the first argument; return its exit code."""
    if sys.version_info < (3, 11):  # noqa: UP036 -- this script meets older Pythons
        print(f"gitloop needs Python 3.11 or newer; this is {sys.version.split()[0]}")
        return 4
    recipes = {
        "repro": repro,
        "test": test,
        "check": check,
        "demo": demo,
        "trainers": trainers,
        "loaders": loaders,
        "llama": llama,
        "lock": lock,
    }
    if not args or args[0] not in recipes:
        print((__doc__ or "").strip())
        return 4
    return recipes[args[0]](args[1:])


def repro(args: list[str]) -> int:
    """The main job: the loop on this repository's own data."""
    install()
    listed = subprocess.run(
        ["git", "ls-files", "*.dvc"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    code = run("dvc", "pull", "--quiet", *listed.stdout.split())
    return code or run("dvc", "repro", *args)


def test(args: list[str]) -> int:
    """Lint, types, contracts, then every test."""
    return check([]) or run("pytest", *(args or ["-q", "-n", "2", "--dist", "worksteal"]))


def check(_args: list[str]) -> int:
    """Lint, types and contracts."""
    install()
    return next(filter(None, (run(*command) for command in CHECKS)), 0)


def demo(args: list[str]) -> int:
    """The loop in a new repository, in front of the reader."""
    install()
    return run("gitloop", "demo", *args)


def trainers(_args: list[str]) -> int:
    """Another environment, because torch is too large for everyday work."""
    return beside(".venv-trainers", ["requirements-trainers.lock"])


def loaders(_args: list[str]) -> int:
    """The tools that read other layouts than TRL's, beside TRL."""
    return beside(".venv-trainers", ["requirements-trainers.lock", "requirements-loaders.lock"])


def llama(_args: list[str]) -> int:
    """Another environment, because llama.cpp is compiled, as little of it as will run."""
    off = ["GGML_NATIVE", "GGML_OPENMP", "GGML_LLAMAFILE", "LLAMA_CURL", "LLAMA_BUILD_COMMON"]
    flags = [f"-D{name}=OFF" for name in (*off, "LLAVA_BUILD")]
    flags += ["-DCMAKE_CXX_FLAGS_RELEASE=-O0", "-DCMAKE_C_FLAGS_RELEASE=-O1"]
    return beside(
        ".venv-llama",
        ["requirements-llama.lock", "requirements-llama-source.lock"],
        "--no-build-isolation",  # what builds it is in the first lock
        CMAKE_ARGS=" ".join(flags),
    )


def beside(name: str, sources: list[str], *flags: str, **extra: str) -> int:
    """An environment beside .venv that holds these locks, installed one after the other."""
    place = ROOT / name
    stamp = place / "gitloop.stamp"
    wanted = hashlib.sha256(b"".join((ROOT / source).read_bytes() for source in sources))
    if stamp.is_file() and stamp.read_text() == wanted.hexdigest():
        return 0
    venv.create(place, with_pip=True, symlinks=True)
    pip = [str(place / "bin/python"), "-m", "pip", "--disable-pip-version-check", "install"]
    given = ["--quiet", "--no-deps", "--require-hashes", *flags]
    path = f"{place / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}"
    env = {**os.environ, **extra, "PATH": path}
    for source in sources:
        subprocess.run([*pip, *given, "-r", source], cwd=ROOT, env=env, check=True)
    stamp.write_text(wanted.hexdigest())
    return 0


def lock(_args: list[str]) -> int:
    """Resolve the newest versions that fit, with hashes and without any registry's address."""
    install()
    options = ["--generate-hashes", "--no-header", "--no-emit-index-url", "--no-emit-find-links"]
    source = ["pyproject.toml", "--group", "dev", "--python-version", "3.11", "--upgrade"]
    return run("uv", "pip", "compile", *options, *source, "-o", LOCK.name)


def install() -> None:
    """Make .venv hold exactly what the lock file says; a second call does nothing."""
    wanted = hashlib.sha256(LOCK.read_bytes() + (ROOT / "pyproject.toml").read_bytes()).hexdigest()
    if STAMP.is_file() and STAMP.read_text() == wanted:
        return
    if not (BIN / "python").exists():
        print("making .venv …", flush=True)
        venv.create(VENV, with_pip=True, symlinks=True)
    print("installing from requirements.lock …", flush=True)
    pip = [str(BIN / "python"), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    subprocess.run([*pip, "--require-hashes", "-r", str(LOCK)], cwd=ROOT, check=True)
    here = ["--no-deps", "--no-build-isolation", "--editable", "."]
    subprocess.run([*pip, *here], cwd=ROOT, check=True)
    STAMP.write_text(wanted)


def run(*command: str) -> int:
    """Run a command of the environment, shown as it is typed; return its exit code."""
    print(f"$ {' '.join(command)}", flush=True)
    path = f"{BIN}{os.pathsep}{os.environ.get('PATH', '')}"
    env = {**os.environ, "PATH": path, "VIRTUAL_ENV": str(VENV), "DVC_NO_ANALYTICS": "1"}
    return subprocess.run(
        [str(BIN / command[0]), *command[1:]], cwd=ROOT, env=env, check=False
    ).returncode


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except subprocess.CalledProcessError as error:
        sys.exit(error.returncode)
