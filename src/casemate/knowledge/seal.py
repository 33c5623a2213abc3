"""The seal beside an index: the SHA-256 that its file must have, so that an altered one is not trusted.

`PATH.seal` is one line of JSON. While an index is replaced it names both, the one that goes and the one that comes:
a crash between the two renames leaves a trusted index either way. Size and time of change spare the reader the
hashing of a file that nobody has touched; a copied file is hashed once at each opening. The seal shows accidents and
clumsy edits; whoever may write both files can make both, which is what signed bundles are for.
"""

import json
import os
from pathlib import Path

from casemate.core.digest import Digest
from casemate.core.errors import NotTrusted
from casemate.knowledge.openers import digest_file

WAY_OUT = "build it again with `casemate knowledge build`, then import your own files once more"


def seal_path(path: Path) -> Path:
    """Name the seal of an index."""
    return path.with_name(f"{path.name}.seal")


def put_in_place(made: Path, path: Path) -> Digest:
    """Move a finished index to its place with its seal, so that at every moment one trusted index stands there."""
    digest = digest_file(made)
    held = _read(path).get("digests") if path.exists() else None
    before = [item for item in held if isinstance(item, str)] if isinstance(held, list) else []
    _write(path, {"digests": [digest, *before]})
    made.replace(path)
    status = path.stat()
    _write(path, {"digests": [digest], "size": status.st_size, "changed": status.st_mtime_ns})
    return digest


def check_seal(path: Path) -> Digest:
    """Return the index's digest; `NotTrusted` when the file or its seal is missing, or they do not fit."""
    try:
        status = path.stat()
    except OSError as error:
        raise NotTrusted(f"knowledge index {path}: {error.strerror}", way_out=WAY_OUT) from error
    seal = _read(path)
    digests = seal.get("digests")
    if not isinstance(digests, list) or not digests:
        raise NotTrusted(f"knowledge index {path}: no seal beside it that names its digest", way_out=WAY_OUT)
    if (seal.get("size"), seal.get("changed")) == (status.st_size, status.st_mtime_ns):
        return Digest(str(digests[0]))
    found = digest_file(path)
    if found not in digests:
        raise NotTrusted(f"knowledge index {path}: altered since it was built", way_out=WAY_OUT)
    return found


def _read(path: Path) -> dict[str, object]:
    try:
        value = json.loads(seal_path(path).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def _write(path: Path, content: dict[str, object]) -> None:
    fresh = path.with_name(f".{path.name}.seal.{os.getpid()}")
    fresh.write_text(json.dumps(content) + "\n", "utf-8")
    fresh.replace(seal_path(path))
