"""A store in a file, and feeds into it that remember what they told."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest

from casemate.connectors.feed import Feed
from casemate.core.marking import Marking
from casemate.policy import Limits
from casemate.store import Store, owner_name


@dataclass
class Taken:
    """What is in the store: (source, bytes) of every alert, in order."""

    store: Store
    told: list[tuple[str, str, str]] = field(default_factory=list)

    def alerts(self) -> list[tuple[str, bytes]]:
        """Take every job, and look at what its group holds."""
        found = []
        while taken := self.store.queue().take(owner_name("test")):
            job, _lease = taken
            found += [(source, data) for source, data, _separate in self.store.queue().evidence(job)]
        return found

    def codes(self) -> list[str]:
        return [code for _name, code, _sentence in self.told]


@pytest.fixture
def limits() -> Limits:
    return Limits(group_alerts=100_000, job_attempts=100)


@pytest.fixture
def store(tmp_path: Path, limits: Limits) -> Iterator[Store]:
    with Store.open(f"sqlite:///{tmp_path}/home/casemate.sqlite", limits=limits) as opened:
        yield opened


@pytest.fixture
def taken(store: Store) -> Taken:
    return Taken(store)


@pytest.fixture
def make_feed(store: Store, taken: Taken, limits: Limits) -> Callable[..., Feed]:
    def made(name: str = "test", *, bounds: Limits = limits, patient: bool = False) -> Feed:
        def tell(*what: str) -> None:
            taken.told.append(what)  # type: ignore[arg-type]  # three words each

        return Feed(name, Marking.GREEN, store, bounds, threading.Event(), tell, patient)

    return made


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a CA, a certificate of the receiver, and one of a sender."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    folder = tmp_path_factory.mktemp("certificates")
    now = datetime.now(UTC)
    keys = {name: ec.generate_private_key(ec.SECP256R1()) for name in ("ca", "server", "client")}
    ca = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "ca")])
    for name, key in keys.items():
        made = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
            .issuer_name(ca)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=name == "ca", path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(keys["ca"].public_key()), critical=False)
            .sign(keys["ca"], hashes.SHA256())
        )
        (folder / f"{name}.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
        plain = serialization.NoEncryption()
        form = serialization.PrivateFormat.PKCS8
        (folder / f"{name}.key").write_bytes(key.private_bytes(serialization.Encoding.PEM, form, plain))
    return folder
