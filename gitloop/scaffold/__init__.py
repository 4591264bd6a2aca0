"""What `gitloop init` puts into a repository: file texts, and which go where."""

from __future__ import annotations

from importlib.resources import files

CI_FILES = {"github": ".github/workflows/gitloop.yml", "gitlab": ".gitlab-ci.yml"}
"""CI system → the workflow's path."""

KEPT_EMPTY = ("data/feedback", "data/traces", "labels")
"""Directories that stages depend on from the first day; Git keeps them by a .gitkeep."""


def new_files(set_name: str, ci: str) -> dict[str, str]:
    """Path → text of the files that a repository gets when it does not have them.

    Args:
        set_name: Name of the first golden set.
        ci: "github", "gitlab" or "none".
    """
    found = {
        "dvc.yaml": text("pipeline.yaml")
        .replace("@SET@", set_name)
        .replace("@APP@", "gitloop_target.py"),
        "params.yaml": text("params.yaml").replace("@SET@", set_name),
        "rubrics/grounded.yaml": text("rubric.yaml"),
        "prompts/assistant.md": text("prompt.md"),
        "gitloop_target.py": text("gitloop_target.txt"),
        f"golden/{set_name}/dataset.yaml": dataset(set_name),
        "loop/baseline/baseline.json": '{\n  "runs": [],\n  "schema": "gitloop.baseline/v1"\n}\n',
    }
    kept = (*KEPT_EMPTY, f"golden/{set_name}/parts", f"golden/{set_name}/log")
    found |= {f"{folder}/.gitkeep": "" for folder in kept}
    if ci in CI_FILES:
        found[CI_FILES[ci]] = text(f"{ci}.yml")
    return found


def lines() -> dict[str, list[str]]:
    """Path → lines that are added to a file the repository may have already."""
    return {
        ".gitignore": text("gitignore").splitlines(),
        ".dvcignore": text("dvcignore").splitlines(),
    }


def dataset(set_name: str) -> str:
    """The dataset.yaml of a new golden set."""
    return text("dataset.yaml").replace("@SET@", set_name)


def text(name: str) -> str:
    """A file of this package, as text."""
    return (files(__package__) / "files" / name).read_text(encoding="utf-8")


def shelf_names() -> list[str]:
    """The ready rubrics, by name."""
    found = (files(__package__) / "shelf").iterdir()
    return sorted(entry.name.removesuffix(".yaml") for entry in found)


def shelf_text(name: str) -> str:
    """A ready rubric's file, one of `shelf_names`."""
    return (files(__package__) / "shelf" / f"{name}.yaml").read_text(encoding="utf-8")
