"""Prove a commit, a range of commits, or the work tree."""

from gitloop.steps.verify.run import SetSummary, VerifyReport, verify

__all__ = ["SetSummary", "VerifyReport", "verify"]
