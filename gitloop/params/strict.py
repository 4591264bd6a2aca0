"""Strict validation of a YAML document: every fault, each with its line."""

from __future__ import annotations

import json
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, ValidationError

from gitloop.documents import Document, Path, nearest
from gitloop.errors import ConfigError


class Strict(BaseModel):
    """A frozen model that knows all its keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


Model = TypeVar("Model", bound=Strict)


def validate(document: Document, model: type[Model]) -> Model:
    """The document as a `model`.

    Raises:
        ConfigError: One line per fault: file, line, key, what is wrong, and the nearest known key.
    """
    value = {} if document.value is None else document.value
    try:
        return model.model_validate_json(json.dumps(value), strict=True)
    except ValidationError as error:
        found = sorted(error.errors(), key=lambda fault: document.line(tuple(fault["loc"])))
        faults = [_fault(document, model, fault) for fault in found]
    except ValueError as error:
        faults = [f"{document.source}:1: {error}"]
    noun = "fault" if len(faults) == 1 else "faults"
    raise ConfigError(
        f"{document.source} has {len(faults)} {noun}:\n" + "\n".join(f"  {f}" for f in faults),
        hint=f"edit {document.source}; docs/params.md lists every key",
    )


def _fault(document: Document, model: type[BaseModel], fault: Any) -> str:  # noqa: ANN401
    path: Path = tuple(fault["loc"])
    place = f"{document.source}:{document.line(path)}: "
    dotted = ".".join(str(part) for part in path) or "the file"
    if fault["type"] == "extra_forbidden":
        like = nearest(str(path[-1]), sorted(_keys_at(model, path[:-1])))
        return f"{place}unknown key {dotted}" + (f"; did you mean {like}?" if like else "")
    if fault["type"] == "missing":
        return f"{place}{dotted} is missing"
    message = str(fault["msg"]).removeprefix("Value error, ")
    given = json.dumps(fault.get("input"), ensure_ascii=False)
    return f"{place}{dotted}: {message}, not {given[:60]}"


def _keys_at(model: type[BaseModel], path: Path) -> set[str]:
    """The keys that may stand in the mapping at `path`."""
    current: Any = model
    for part in path:
        if isinstance(current, type) and issubclass(current, BaseModel):
            known = current.model_fields.get(str(part))
            current = known.annotation if known else None
        else:  # a key of a dict[str, Model] or an index of a tuple[Model, ...]
            current = _model_in(current)
    found = _model_in(current)
    return set() if found is None else set(found.model_fields)


def _model_in(annotation: Any) -> type[BaseModel] | None:  # noqa: ANN401 -- annotations are anything
    """The model inside a `Model | None`, `tuple[Model, ...]` or `dict[str, Model]`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for inner in get_args(annotation):
        found = _model_in(inner)
        if found is not None:
            return found
    return None
