"""What every request works with: the store, the policy, and how the installation is reached."""

import time
from dataclasses import dataclass, field

from casemate.policy import Policy
from casemate.store import Store
from casemate.web.bucket import Buckets
from casemate.web.figures import Figures


@dataclass(frozen=True, slots=True)
class Site:
    """One running service. `hosts` are the names it answers to, none for any; `secure` is true behind TLS."""

    store: Store
    policy: Policy
    hosts: tuple[str, ...] = ("127.0.0.1", "localhost", "::1")
    secure: bool = False
    figures: Figures = field(default_factory=Figures)
    sign_ins: Buckets = field(default_factory=lambda: Buckets(10, 60.0))
    started: float = field(default_factory=time.monotonic)
