"""`gitloop triage`: a brief per failure cluster, in which every claim cites its source."""

from gitloop.steps.triage.run import BriefLine, Rewrite, TriageReport, triage

__all__ = ["BriefLine", "Rewrite", "TriageReport", "triage"]
