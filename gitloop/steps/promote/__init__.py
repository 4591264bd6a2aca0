"""Turn labelled, agreed cases of failure clusters into golden rows, on a branch to be reviewed."""

from gitloop.steps.promote.publish import PullRequest, open_pull_request
from gitloop.steps.promote.run import PromoteReport, PromoteRequest, promote

__all__ = ["PromoteReport", "PromoteRequest", "PullRequest", "open_pull_request", "promote"]
