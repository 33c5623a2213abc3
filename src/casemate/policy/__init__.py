"""One frozen configuration: limits, allowed engines and hosts, markings, roles."""

from casemate.policy.limits import Limits
from casemate.policy.policy import Policy, load_policy
from casemate.policy.quota import Price, Quota

__all__ = ["Limits", "Policy", "Price", "Quota", "load_policy"]
