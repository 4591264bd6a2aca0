"""`gitloop import-fi`: the gate policy of a `fi-evaluation.yaml`, as a part of params.yaml."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from gitloop.core import import_fi as core
from gitloop.documents import dump, parse
from gitloop.storage.files import read_text, write_text


@dataclass(frozen=True, slots=True)
class ImportFiReport:
    """What was made of the file.

    Attributes:
        policy: YAML for params.yaml: `gate:` with floors and assertions.
        rubrics: Rubrics that the policy speaks of and that have to be written and pinned.
        n_assertions: Conditions that carried over.
        n_floors: Floors that carried over.
        notes: What did not carry over, or means something else here.
        output: Where the policy was written, or None.
    """

    policy: str
    rubrics: tuple[str, ...]
    n_assertions: int
    n_floors: int
    notes: tuple[str, ...]
    output: str | None


def import_fi(source: Path, output: Path | None = None) -> ImportFiReport:
    """The policy in the file, written to `output` where one is given.

    Raises:
        ConfigError: A condition cannot be read, or a name does not exist; all faults with lines.
        DataError: The file is not there or not UTF-8.
    """
    found = core.import_fi(parse(read_text(source), source=source.name))
    gate: dict[str, object] = {}
    if found.floors:
        gate["floors"] = dict(found.floors)
    if found.assertions:
        gate["assertions"] = [dict(entry) for entry in found.assertions]
    policy = dump({"gate": gate})
    if output is not None:
        write_text(output, policy)
    return ImportFiReport(
        policy=policy,
        rubrics=tuple(dict.fromkeys(found.rubrics.values())),
        n_assertions=len(found.assertions),
        n_floors=len(found.floors),
        notes=found.notes,
        output=None if output is None else str(output),
    )
