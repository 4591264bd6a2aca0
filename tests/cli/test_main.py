"""The index of verbs: what `gitloop --help` lists without importing them."""

from __future__ import annotations

import re

import click
import pytest

from gitloop.cli.main import VERBS, invoke, main


@pytest.mark.parametrize("name", VERBS)
def test_the_index_says_what_the_verb_says(name: str) -> None:
    """Each verb is there under its name, and the index holds the first sentence of its help."""
    command = main.get_command(click.Context(main), name)
    assert command is not None
    first = " ".join((command.help or "").split("\n\n")[0].split())
    assert (command.name, re.split(r"(?<=\.) ", first)[0]) == (name, VERBS[name])


def test_help_lists_every_verb(capsys: pytest.CaptureFixture[str]) -> None:
    """`gitloop --help` ends with the verbs in the order of the loop, on lines of at most 80."""
    assert invoke(["--help"]) == 0
    lines = capsys.readouterr().out.splitlines()
    listed = lines[lines.index("Commands:") + 1 :]
    assert [line.split()[0] for line in listed] == list(VERBS)
    assert max(map(len, lines)) <= 80


def test_an_unknown_verb_is_a_usage_error() -> None:
    """What is no verb ends with the code for usage."""
    assert invoke(["gaet"]) == 4
