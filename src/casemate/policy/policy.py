"""The site's policy, and how it is read from a TOML file."""

import dataclasses
import os
import re
import tomllib
from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import ip_network
from pathlib import Path

from pydantic import ConfigDict, TypeAdapter, ValidationError

from casemate.core.assessment import Disposition
from casemate.core.digest import Digest, digest_value
from casemate.core.errors import WrongUsage
from casemate.core.marking import Marking
from casemate.policy.baseline import Baseline, fault_of_baseline
from casemate.policy.limits import Limits
from casemate.policy.oidc import Oidc, fault_of_oidc
from casemate.policy.quota import Price, Quota, fault_of
from casemate.policy.review import Duties, Reviewing, duties_of, fault_of_review

DECIDING_ROLES = ("analyst", "reviewer", "admin")


@dataclass(frozen=True, slots=True)
class Policy:
    """What the site allows; the defaults allow nothing to leave the machine.

    `engine_hosts` are the hosts a language-model server may be asked on, loopback only by default; `connector_hosts`
    are those that connectors may pull alerts from and push cases to. `engines` are the
    kinds of engine allowed (`embedded`, `server`, `none`). `default_marking` is given to evidence that comes with
    none. `deciding_roles` may set a disposition. `own_domains` and `own_networks` are the reader's own, flagged in
    observables. `retries` is how often a failed engine is asked again before the model-free result is given.
    `specialists` are those that triage asks (`attack`, `disposition`). `trusted_keys` are the public keys whose signed
    bundles may be applied, each `ed25519:HEX`; none by default.
    `learn_from_reviews` lets the factory make training rows of reviewed cases; it is the reader's consent, off by
    default. `quota` bounds the use of a language model, `prices` are what that use is set beside. `service_hosts`
    are the names that the service answers to; by default those of the address it listens on. `trusted_proxies` are the
    addresses of proxies that serve HTTPS in front of it and are believed about who asked. `review` says when a
    second person must confirm a disposition, and who is responsible, accountable, consulted and informed. `oidc` is
    the site's own issuer to sign in with, none by default. `baseline` measures what proposals save, by a sample of
    cases that is shown without them.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    engine_hosts: tuple[str, ...] = ("127.0.0.1", "::1", "localhost")
    connector_hosts: tuple[str, ...] = ("127.0.0.1", "::1", "localhost")
    engines: tuple[str, ...] = ("embedded", "server", "none")
    default_marking: Marking = Marking.AMBER
    deciding_roles: tuple[str, ...] = DECIDING_ROLES
    own_domains: tuple[str, ...] = ()
    own_networks: tuple[str, ...] = ()
    retries: int = 1
    specialists: tuple[str, ...] = ("attack", "disposition")
    service_hosts: tuple[str, ...] = ()
    trusted_proxies: tuple[str, ...] = ()
    chat_templates: tuple[str, ...] = ()
    trusted_keys: tuple[str, ...] = ()
    learn_from_reviews: bool = False
    review: Reviewing = field(default_factory=Reviewing)
    oidc: Oidc = field(default_factory=Oidc)
    limits: Limits = field(default_factory=Limits)
    quota: Quota = field(default_factory=Quota)
    prices: tuple[Price, ...] = ()
    baseline: Baseline = field(default_factory=Baseline)

    @property
    def digest(self) -> Digest:
        """Name this policy by all that decides a result; prices, hosts, measuring and what people may do do not."""
        return _digest_of(self)

    def duties(self, disposition: Disposition, marking: Marking) -> Duties:
        """Say who does what when a case of this marking is given this disposition."""
        return duties_of(self.review, self.deciding_roles, disposition, marking)


@lru_cache(maxsize=8)
def _digest_of(policy: Policy) -> Digest:  # asked for several times a case
    plain = dataclasses.asdict(policy)
    for name in ("prices", "service_hosts", "trusted_proxies", "connector_hosts", "review", "oidc", "baseline"):
        del plain[name]
    return digest_value(plain)


def load_policy(path: Path | None = None) -> Policy:
    """Read the policy from `path`, else from the file `$CASEMATE_POLICY` names, else give the defaults.

    Raises `WrongUsage` naming the file and the setting when it cannot be read.
    """
    named = path or (Path(os.environ["CASEMATE_POLICY"]) if os.environ.get("CASEMATE_POLICY") else None)
    if named is None:
        return Policy()
    try:
        raw = tomllib.loads(named.read_text("utf-8"))
        policy = TypeAdapter(Policy).validate_python(raw)
    except OSError as error:
        raise WrongUsage(f"policy {named}: {error.strerror}", way_out="check the path in $CASEMATE_POLICY") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise WrongUsage(f"policy {named}: not TOML: {error}", way_out="mend the line it names") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise WrongUsage(
            f"policy {named}: {where}: {first['msg']}", way_out="see docs/policy.md for the settings"
        ) from error
    _check_values(policy, named)
    return policy


def _check_values(policy: Policy, file: Path) -> None:
    for name, value in dataclasses.asdict(policy.limits).items():
        if value <= 0:
            raise WrongUsage(f"policy {file}: limits.{name} must be above zero", way_out="see docs/policy.md")
    for key in policy.trusted_keys:
        if not re.fullmatch(r"ed25519:[0-9a-f]{64}", key):
            raise WrongUsage(f"policy {file}: trusted_keys: {key[:80]!r}", way_out="write ed25519:HEX, 64 digits")
    fault = fault_of(policy.quota, policy.prices) or fault_of_review(policy.review) or fault_of_oidc(policy.oidc)
    if fault := fault or fault_of_baseline(policy.baseline):
        raise WrongUsage(f"policy {file}: {fault}", way_out="see docs/policy.md")
    for name, networks in (("own_networks", policy.own_networks), ("trusted_proxies", policy.trusted_proxies)):
        for network in networks:
            try:
                ip_network(network, strict=False)
            except ValueError as error:
                raise WrongUsage(f"policy {file}: {name}: {error}", way_out="write 10.0.0.0/8, say") from error
