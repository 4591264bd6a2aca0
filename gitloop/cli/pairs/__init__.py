"""`gitloop pairs`: one module per command."""

from __future__ import annotations

import click

from gitloop.cli.options import Verbs
from gitloop.cli.pairs.agree import agree
from gitloop.cli.pairs.build import build
from gitloop.cli.pairs.constitution import constitution
from gitloop.cli.pairs.doctor import doctor
from gitloop.cli.pairs.evaluate import evaluate
from gitloop.cli.pairs.export import export
from gitloop.cli.pairs.label import label


@click.group(cls=Verbs)
def pairs() -> None:
    """Preference pairs for DPO and reward models, from what the loop knows.

    build → label → agree → export → (your trainer) → evaluate
    """


for command in (build, label, agree, export, evaluate, doctor, constitution):
    pairs.add_command(command)
