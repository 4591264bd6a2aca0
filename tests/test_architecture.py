"""The house: layers, sizes, names, and what `--help` must not load."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "gitloop"
MODULES = sorted(PACKAGE.rglob("*.py"))
HEAVY = {
    "polars", "numpy", "pyarrow", "pydantic", "dvc", "git", "scipy", "sklearn", "hdbscan",
    "optuna", "gepa", "rich", "jinja2",
}  # fmt: skip
MOST_LINES = 400
MOST_FUNCTION_LINES = 60
MOST_PARAMETERS = 6


def functions(module: Path) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Every function and method of a module."""
    tree = ast.parse(module.read_text())
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return [node for node in ast.walk(tree) if isinstance(node, kinds)]


def test_import_contracts_are_kept() -> None:
    """Layers, the pure core and the single home of pydantic are as pyproject.toml says."""
    done = subprocess.run(
        [Path(sys.executable).parent / "lint-imports", "--no-logo", "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_room_is_too_large(module: Path) -> None:
    """A module has at most 400 lines, a function at most 60 lines."""
    long = [
        f"{node.name}: {(node.end_lineno or 0) - node.lineno + 1}"
        for node in functions(module)
        if (node.end_lineno or 0) - node.lineno + 1 > MOST_FUNCTION_LINES
    ]
    assert long == []
    assert len(module.read_text().splitlines()) <= MOST_LINES


def test_functions_take_few_parameters() -> None:
    """A function takes at most six parameters; a click command has one per option."""
    wide = [
        f"{module.relative_to(PACKAGE)}:{node.name}"
        for module in MODULES
        if module.relative_to(PACKAGE).parts[0] != "cli"
        for node in functions(module)
        if len([*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs])
        - (bool(node.args.args) and node.args.args[0].arg in {"self", "cls"})
        > MOST_PARAMETERS
    ]
    assert wide == []


def test_no_room_has_a_vague_name() -> None:
    """No module is called utils, helpers, manager, base or common."""
    vague = {"utils", "helpers", "manager", "base", "common", "misc"}
    assert [path for path in MODULES if path.stem in vague] == []


@pytest.mark.parametrize("args", [["--help"], ["gate", "--help"], ["--version"]])
def test_help_loads_nothing_heavy(args: list[str]) -> None:
    """`gitloop --help` imports none of the heavy libraries: start-up is part of the product."""
    program = (
        "import sys, json\n"
        "from gitloop.cli.main import invoke\n"
        f"code = invoke({args!r})\n"
        "print(json.dumps([code, sorted(sys.modules)]), file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    code, loaded = json.loads(done.stderr.splitlines()[-1])
    assert code == 0
    assert HEAVY.intersection(loaded) == set()
