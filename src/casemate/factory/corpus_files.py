"""What the stages after the corpus read of it: its manifest, checked against its files."""

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

from casemate.core.errors import WrongUsage

MANIFEST = "corpus.manifest.json"


def read_manifest(folder: Path) -> dict[str, Any]:
    """Read the manifest of a complete corpus; `WrongUsage` for one that is not complete or was altered since."""
    path = folder / MANIFEST
    try:
        manifest = json.loads(path.read_text("utf-8"))
        digests = {name: sha256((folder / name).read_bytes()).hexdigest() for name in manifest["files"]}
    except (OSError, ValueError, KeyError, TypeError) as error:
        message = f"{folder} is no complete corpus: {error}"
        raise WrongUsage(message, way_out="make it with casemate factory corpus") from error
    altered = [name for name, digest in digests.items() if digest != manifest["files"][name]]
    if altered:
        raise WrongUsage(f"{folder / altered[0]} was altered after its manifest", way_out="make the corpus again")
    return dict(manifest)
