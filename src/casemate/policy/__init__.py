"""One frozen configuration: limits, allowed engines and hosts, markings, roles."""

from casemate.policy.baseline import Baseline
from casemate.policy.limits import Limits
from casemate.policy.oidc import Grant, Oidc
from casemate.policy.policy import Policy, load_policy
from casemate.policy.quota import Price, Quota
from casemate.policy.review import Duties, Raci, Reviewing

__all__ = [
    "Baseline",
    "Duties",
    "Grant",
    "Limits",
    "Oidc",
    "Policy",
    "Price",
    "Quota",
    "Raci",
    "Reviewing",
    "load_policy",
]
