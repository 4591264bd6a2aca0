"""Search for a better prompt on the golden sets; propose it, or say that none was found."""

from gitloop.steps.optimize.proposing import Proposal, propose
from gitloop.steps.optimize.run import OptimizeReport, optimize

__all__ = ["OptimizeReport", "Proposal", "optimize", "propose"]
