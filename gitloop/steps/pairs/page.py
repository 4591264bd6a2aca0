"""`gitloop pairs label` on the page that all labels are given on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from gitloop.steps.label.page import Announce, serve_queue
from gitloop.steps.label.terminal import LabelReport
from gitloop.steps.pairs.label import PairLabelPlan, open_pairs


def label_pairs_page(
    directory: Path, plan: PairLabelPlan, announce: Announce, *, port: int = 0
) -> LabelReport:
    """Serve the pairs on the loopback until the page is finished or interrupted, then commit.

    Raises:
        ConfigError: Nobody is named, or the port is taken.
        DataError: There are no pairs yet, or a label file is faulty.
    """
    opened = open_pairs(directory, plan)
    report = serve_queue(
        opened.workspace, opened.session, opened.queue, plan.as_label_plan(), announce, port
    )
    return replace(report, n_done=report.n_done + opened.n_full)
