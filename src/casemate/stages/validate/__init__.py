"""Checks on what a model proposed; one function per check.

The model quotes, code finds the span. What the evidence does not carry is dropped and counted, never repaired.
"""

from casemate.stages.validate.checks import CHECKS, Claim, check_citations, check_claims
from casemate.stages.validate.quotes import Excerpt, find_quote

__all__ = ["CHECKS", "Claim", "Excerpt", "check_citations", "check_claims", "find_quote"]
