"""One frozen configuration: limits, allowed engines and hosts, markings, roles."""

from casemate.policy.limits import Limits
from casemate.policy.policy import Policy, load_policy

__all__ = ["Limits", "Policy", "load_policy"]
