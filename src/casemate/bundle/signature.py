"""The signature of a bundle: OpenSSF model-signing 1.0, with an Ed25519 key.

`model.sig` is a Sigstore bundle (v0.3, JSON) around a DSSE envelope (v1.0.2) around an in-toto Statement (v1) whose
predicate lists every file with its SHA-256. The `model-signing` package (Apache-2.0) writes the same, but for the kind
of key: it takes NIST curves only.
"""

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from casemate.bundle.manifest import SIGNATURE_FILE, BundleRefused, is_file_name
from casemate.core.digest import Digest, canonical_json
from casemate.core.errors import WrongUsage

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

_MEDIA_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json"
_PAYLOAD_TYPE = "application/vnd.in-toto+json"
_STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
_PREDICATE_TYPE = "https://model_signing/signature/v1.0"
_SERIALIZATION = {
    "method": "files",
    "hash_type": "sha256",
    "allow_symlinks": False,
    "ignore_paths": [SIGNATURE_FILE],
}
_KEY = re.compile(r"ed25519:([0-9a-f]{64})", re.ASCII)
_HEX = re.compile(r"[0-9a-f]{64}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Statement:
    """What was signed: a name, the files with their digests, and the digest over all of them; `key` signed it."""

    name: str
    root: Digest
    files: Mapping[str, str]
    key: str


def root_digest(digests: Sequence[str]) -> Digest:
    """Name a list of files: SHA-256 over their digests as bytes, in order (model-signing 1.0)."""
    return Digest(hashlib.sha256(b"".join(bytes.fromhex(one) for one in digests)).hexdigest())


def sign(name: str, files: Mapping[str, str], key: "Ed25519PrivateKey") -> bytes:
    """Sign a list of files, name -> SHA-256, and give the bytes of `model.sig`; the same input gives the same bytes."""
    ordered = sorted(files.items())
    statement = {
        "_type": _STATEMENT_TYPE,
        "subject": [{"name": name, "digest": {"sha256": root_digest([digest for _, digest in ordered])}}],
        "predicateType": _PREDICATE_TYPE,
        "predicate": {
            "serialization": _SERIALIZATION,
            "resources": [{"name": file, "algorithm": "sha256", "digest": digest} for file, digest in ordered],
        },
    }
    payload = canonical_json(statement)
    return _write(payload, key.sign(_signed_bytes(payload)), key_hint(key.public_key().public_bytes_raw()))


def _write(payload: bytes, signed: bytes, hint: str) -> bytes:
    envelope = {
        "payload": base64.b64encode(payload).decode("ascii"),
        "payloadType": _PAYLOAD_TYPE,
        "signatures": [{"sig": base64.b64encode(signed).decode("ascii"), "keyid": ""}],
    }
    material = {"publicKey": {"hint": hint}, "tlogEntries": []}
    return canonical_json({"mediaType": _MEDIA_TYPE, "verificationMaterial": material, "dsseEnvelope": envelope})


def _signed_bytes(payload: bytes) -> bytes:
    """Put type and payload together as DSSE has it (PAE, protocol 1.0.2)."""
    return b"DSSEv1 %d %s %d %s" % (len(_PAYLOAD_TYPE), _PAYLOAD_TYPE.encode(), len(payload), payload)


def open_signature(data: bytes) -> tuple[bytes, bytes, str]:
    """Take `model.sig` apart: payload, signature, key hint; `BundleRefused` when it is no such file."""
    try:
        raw = json.loads(data)
        envelope, material = raw["dsseEnvelope"], raw["verificationMaterial"]
        (signature,) = envelope["signatures"]
        payload, signed = _decode(envelope["payload"]), _decode(signature["sig"])
        hint = str(material["publicKey"]["hint"])
        if not _HEX.fullmatch(hint) or _write(payload, signed, hint) != data:
            raise ValueError("not in the one form that is written")  # so that no bit of it can be changed unseen
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise BundleRefused("signature-wrong", f"{SIGNATURE_FILE} is no model-signing signature with a key") from error
    return payload, signed, hint


def check_signature(payload: bytes, signed: bytes, hint: str, trusted: Collection[str]) -> str:
    """Give the one trusted key (as `written_key` writes it) that signed the payload; `BundleRefused` when none did."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    key = next((one for one in trusted if key_hint(_raw(one)) == hint), None)
    if key is None:
        raise BundleRefused(
            "key-not-trusted",
            f"signed by a key that is not trusted here (SHA-256 of its PEM: {hint})",
            way_out="get the signer's public key by another way and put it under trusted_keys in the policy",
        )
    try:
        Ed25519PublicKey.from_public_bytes(_raw(key)).verify(signed, _signed_bytes(payload))
    except (InvalidSignature, ValueError) as error:
        raise BundleRefused("signature-wrong", "the signature does not hold: the file list was changed") from error
    return key


def read_statement(payload: bytes, key: str) -> Statement:
    """Read what was signed; `BundleRefused` when it is no sound statement of files."""
    try:
        raw = json.loads(payload)
        (subject,), predicate = raw["subject"], raw["predicate"]
        resources = predicate["resources"]
        names = [str(one["name"]) for one in resources]
        digests = [str(one["digest"]) for one in resources]
        _check_statement(raw, names, digests, [one["algorithm"] for one in resources])
        root = root_digest(digests)
        if subject["digest"] != {"sha256": root}:
            raise ValueError("the digest over all files is not that of the list")
        name = str(subject["name"])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise BundleRefused("statement-wrong", f"what was signed is no sound list of files: {error}") from error
    return Statement(name, root, dict(zip(names, digests, strict=True)), key)


def _check_statement(raw: Mapping[str, Any], names: list[str], digests: list[str], algorithms: list[object]) -> None:
    serialization = raw["predicate"]["serialization"]
    if raw["_type"] != _STATEMENT_TYPE or raw["predicateType"] != _PREDICATE_TYPE:
        raise ValueError("another type of statement")
    if serialization != _SERIALIZATION or set(algorithms) != {"sha256"}:
        raise ValueError("another way of hashing")
    if names != sorted(set(names)):
        raise ValueError("the names are not in order, or one stands twice")
    if not all(is_file_name(name) for name in names) or not all(_HEX.fullmatch(digest) for digest in digests):
        raise ValueError("a name or digest that is none")


def _decode(text: object) -> bytes:
    if not isinstance(text, str):
        raise TypeError("no text")
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError("no base64") from error


def make_key(private: Path, public: Path) -> str:
    """Make a key pair in PEM, the private one readable by its owner only, and give the public one as the policy has it.

    Neither file may be there: a key is never overwritten.
    """
    import os

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    key = Ed25519PrivateKey.generate()
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    raw = key.public_key().public_bytes_raw()
    try:
        for path, data, mode in ((private, pem, 0o600), (public, _public_pem(raw), 0o644)):
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
                file.write(data)
    except OSError as error:
        raise WrongUsage(f"{error.filename}: {error.strerror}", way_out="name files that are not there yet") from error
    return written_key(raw)


def read_private_key(path: Path) -> "Ed25519PrivateKey":
    """Read a signing key in PEM; `WrongUsage` when it is no Ed25519 key."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except OSError as error:
        raise WrongUsage(f"{path}: {error.strerror}", way_out="casemate factory key makes one") from error
    except (ValueError, TypeError) as error:
        raise WrongUsage(f"{path}: no private key in PEM", way_out="casemate factory key makes one") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise WrongUsage(f"{path}: not an Ed25519 key", way_out="casemate factory key makes one")
    return key


def read_public_key(path: Path) -> str:
    """Read a public key in PEM and give it as the policy has it; `WrongUsage` when it is no Ed25519 key."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        key = load_pem_public_key(path.read_bytes())
    except OSError as error:
        raise WrongUsage(f"{path}: {error.strerror}", way_out="name the signer's public key") from error
    except (ValueError, TypeError) as error:
        raise WrongUsage(f"{path}: no public key in PEM", way_out="name the signer's public key") from error
    if not isinstance(key, Ed25519PublicKey):
        raise WrongUsage(f"{path}: not an Ed25519 key", way_out="name the signer's public key")
    return written_key(key.public_bytes_raw())


def written_key(raw: bytes) -> str:
    """Write a public key of 32 bytes as the policy has it, `ed25519:HEX`."""
    return f"ed25519:{raw.hex()}"


def key_hint(raw: bytes) -> str:
    """Name a public key as model-signing does: the SHA-256 of its PEM."""
    return hashlib.sha256(_public_pem(raw)).hexdigest()


def _raw(key: str) -> bytes:
    match = _KEY.fullmatch(key)
    if match is None:
        raise WrongUsage(f"{key[:80]!r} is no public key", way_out="write ed25519: and 64 hexadecimal digits")
    return bytes.fromhex(match[1])


def _public_pem(raw: bytes) -> bytes:
    # RFC 8410: the same twelve bytes stand before every Ed25519 public key.
    der = bytes.fromhex("302a300506032b6570032100") + raw
    return b"-----BEGIN PUBLIC KEY-----\n" + base64.b64encode(der) + b"\n-----END PUBLIC KEY-----\n"
