"""Write the reference pages that follow from the code: tables, params, exit codes, commands.

`python docs/generate.py` writes them; `--check` exits 1 where one is out of date.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import click
from pydantic import BaseModel

from gitloop import tables
from gitloop.cli.main import main as gitloop
from gitloop.errors import ExitCode
from gitloop.params.datasets import DatasetSpec
from gitloop.params.openings import OPTIMIZE_FILE, OptimizeFile
from gitloop.params.pipeline import Params
from gitloop.params.prompts import PromptHead
from gitloop.params.rubrics import Rubric

DOCS = Path(__file__).parent
HEAD = "<!-- Written by docs/generate.py; edit the code, not this page. -->\n"


def exit_codes() -> str:
    """The exit codes, as a page."""
    rows = "".join(f"| {int(code)} | `{code.name}` | {code.meaning} |\n" for code in ExitCode)
    return (
        "# Exit codes\n\nEvery command ends with one of these. No verdict (6, 7) outranks a bad"
        " verdict (2),\nwhich outranks warnings (3). Inside `dvc repro` a failing stage ends in"
        " DVC's own 255: so the gate\nstage exits 0, and CI calls `gitloop gate --check`.\n\n"
        "| code | name | meaning |\n|---|---|---|\n" + rows
    )


def table_pages() -> str:
    """Every table, as a page."""
    parts = ["# Tables\n\nPlain Parquet, sorted by key. Times are UTC with microseconds.\n"]
    for table in tables.ALL:
        parts.append(
            f"\n## {table.name}\n\nVersion {table.version}. Key: {', '.join(table.key)}.\n"
        )
        parts.append("\n| column | type | null | meaning |\n|---|---|---|---|\n")
        for column in table.columns:
            values = f" One of {', '.join(column.values)}." if column.values else ""
            null = "yes" if column.nullable else ""
            dtype = re.sub(r"time_(unit|zone)=", "", str(column.dtype)).replace("|", "/")
            dtype = dtype if len(dtype) < 60 else f"{dtype[:57]}…"
            parts.append(f"| `{column.name}` | {dtype} | {null} | {column.doc}.{values} |\n")
    return "".join(parts)


def params_page() -> str:
    """Every key a person may write, as a page."""
    parts = [
        "# Parameters\n\nAn unknown key is an error that names its line and the nearest key.\n"
    ]
    titles: dict[str, type[BaseModel]] = {
        "params.yaml": Params,
        "rubrics/<name>.yaml": Rubric,
        "prompts/<name>.md, front matter": PromptHead,
        OPTIMIZE_FILE: OptimizeFile,
        "golden/<set>/dataset.yaml": DatasetSpec,
    }
    for title, model in titles.items():
        parts.append(f"\n## {title}\n")
        parts.extend(_model(model, ""))
    return "".join(parts)


def _model(model: type[BaseModel], prefix: str) -> Iterator[str]:
    meanings = _attributes(model)
    nested = []
    yield "\n| key | type | default | meaning |\n|---|---|---|---|\n"
    for name, info in model.model_fields.items():
        inner = _model_in(info.annotation)
        if inner is not None:
            star = ".*" if "dict" in str(info.annotation) else ""
            nested.append((f"{prefix}{name}{star}.", inner))
        default = "–" if info.is_required() else _shown(info.get_default(call_default_factory=True))
        kind = re.sub(r"(typing|gitloop\.[a-z.]+|builtins)\.", "", _kind(info.annotation))
        yield f"| `{prefix}{name}` | {kind} | {default} | {meanings.get(name, '')} |\n"
    for path, inner in nested:
        first = (inspect.getdoc(inner) or "").splitlines()[0]
        yield f"\n### {path.rstrip('.')}\n\n{first}\n"
        yield from _model(inner, path)


def _kind(annotation: Any) -> str:
    text = annotation.__name__ if isinstance(annotation, type) else str(annotation)
    return text.replace("|", "or").replace("Literal[", "one of [").replace("'", "")


def _shown(value: Any) -> str:
    if isinstance(value, BaseModel):
        return "see below"
    text = str(value).replace("|", "\\|")
    return f"`{text}`" if len(text) < 40 else "see the scaffold"


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type):
        return annotation if issubclass(annotation, BaseModel) else None
    return next(filter(None, map(_model_in, get_args(annotation))), None)


def _attributes(model: type) -> dict[str, str]:
    """Field → meaning, from the docstring's Attributes section."""
    lines = (inspect.getdoc(model) or "").partition("Attributes:\n")[2].splitlines()
    found: dict[str, str] = {}
    name = ""
    for line in lines:
        if match := re.match(r"    (\w+): (.*)", line):
            name = match[1]
            found[name] = match[2]
        elif line.startswith("        ") and name:
            found[name] += f" {line.strip()}"
    return {key: text.replace("|", "\\|") for key, text in found.items()}


def commands_page() -> str:
    """Every command's help, as a page."""
    parts = ["# Commands\n\nEvery command also takes -C DIR, --format, --quiet and --no-color.\n"]
    for path, command in _commands(gitloop, "gitloop"):
        context = click.Context(command, info_name=path, max_content_width=80, terminal_width=80)
        parts.append(f"\n## {path}\n\n```text\n{command.get_help(context)}\n```\n")
    return "".join(parts)


def _commands(command: click.Command, path: str) -> Iterator[tuple[str, click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command, info_name=path)
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            if inner is not None:
                yield from _commands(inner, f"{path} {name}")


PAGES = {
    "exit-codes.md": exit_codes,
    "tables.md": table_pages,
    "params.md": params_page,
    "cli.md": commands_page,
}


def main(args: list[str]) -> int:
    """Write the pages, or say which are out of date."""
    stale = []
    for name, page in PAGES.items():
        text = HEAD + page()
        path = DOCS / name
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            stale.append(name)
            if "--check" not in args:
                path.write_text(text, encoding="utf-8")
    for name in stale:
        print(f"{'out of date' if '--check' in args else 'written'}: docs/{name}")
    return 1 if stale and "--check" in args else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
