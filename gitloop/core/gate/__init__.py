"""The gate: golden rows, scores, a baseline and a policy in, one verdict with its reasons out."""

from gitloop.core.gate.assertions import describe
from gitloop.core.gate.cells import cells, comparable
from gitloop.core.gate.decide import JudgedCells, decide, exit_code, judged_cells, verdict
from gitloop.core.gate.document import SCHEMA, as_document, plain, read_document
from gitloop.core.gate.evidence import evidence
from gitloop.core.gate.inputs import BaselineRun, GateInputs, GateRubric
from gitloop.core.gate.noise import RubricNoise, SelfTest, self_test
from gitloop.core.gate.pins import METRICS, check_policy
from gitloop.core.gate.planning import RowsNeeded, rows_needed
from gitloop.core.gate.plots import rates_csv
from gitloop.core.gate.proof import MUTATIONS, Proof, RubricProof, broken, prove

__all__ = [
    "METRICS",
    "MUTATIONS",
    "SCHEMA",
    "BaselineRun",
    "GateInputs",
    "GateRubric",
    "JudgedCells",
    "Proof",
    "RowsNeeded",
    "RubricNoise",
    "RubricProof",
    "SelfTest",
    "as_document",
    "broken",
    "cells",
    "check_policy",
    "comparable",
    "decide",
    "describe",
    "evidence",
    "exit_code",
    "judged_cells",
    "plain",
    "prove",
    "rates_csv",
    "read_document",
    "rows_needed",
    "self_test",
    "verdict",
]
