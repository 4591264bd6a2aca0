"""Capture: files of other tools and the open spool become tracked parts of traces and feedback."""

from gitloop.steps.capture.derivation import DeriveReport, derive
from gitloop.steps.capture.importing import FileReport, ImportReport, import_files
from gitloop.steps.capture.intake import Tally
from gitloop.steps.capture.recording import RecordReport, record
from gitloop.steps.capture.sealing import SealReport, seal
from gitloop.steps.capture.spans import SpanReport
from gitloop.steps.capture.stores import StoreReport

__all__ = [
    "DeriveReport",
    "FileReport",
    "ImportReport",
    "RecordReport",
    "SealReport",
    "SpanReport",
    "StoreReport",
    "Tally",
    "derive",
    "import_files",
    "record",
    "seal",
]
