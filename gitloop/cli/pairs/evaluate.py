"""`gitloop pairs evaluate`."""

from __future__ import annotations

import click

from gitloop.cli.gate import FORMS, show_document
from gitloop.cli.options import Console, Verb, pass_console


@click.command(cls=Verb, forms=FORMS)
@click.option("--strict", is_flag=True, help="Warnings exit 3.")
@pass_console
def evaluate(console: Console, *, strict: bool) -> int:
    """Decide whether a tuned model may take its base model's place.

    Both answer the same golden rows under the same rubrics, through the gate; a rubric with a veto
    may not lose what others gain; the tuned model must be better on average, prefer the chosen
    answers of the holdout often enough, and more often than its base. params.yaml: pairs.release.

    Exits as the gate does: 0 (pass), 2 (no), 3 (warnings, with --strict), 5, 6 or 7 (no verdict).
    """
    from gitloop.steps.pairs.evaluate import evaluate_pairs

    outcome = evaluate_pairs(console.directory, console.progress)
    show_document(console, outcome.document)
    return outcome.exit_code(is_strict=strict)
