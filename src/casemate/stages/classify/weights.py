"""The shipped weights, each read whole and checked against its digest before it is used."""

import hashlib
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from casemate.core.digest import Digest, digest_value
from casemate.core.errors import NotTrusted

FOLDER = Path(__file__).parent / "weights"
_WAY_OUT = "install casemate again, or train anew with `casemate factory train`"


@dataclass(frozen=True, slots=True)
class Weights:
    """The files of one specialist, as bytes that are what the manifest says.

    Args:
        specialist: its name.
        files: file name -> content.
        papers: what the training wrote about itself.
        digest: of the manifest, which names every file by digest.
    """

    specialist: str
    files: Mapping[str, bytes]
    papers: Mapping[str, Any]
    digest: Digest

    def arrays(self, name: str) -> dict[str, Any]:
        """Return the arrays of an `.npz` file; no pickled object is read."""
        import numpy as np

        with np.load(io.BytesIO(self.files[name]), allow_pickle=False) as held:
            return {key: held[key] for key in held.files}


def open_weights(specialist: str, folder: Path | None = None) -> Weights:
    """Read the files that `<specialist>.manifest.json` names.

    Raises `NotTrusted` where the manifest or a file is missing, or a file is not what the manifest says.
    """
    where = FOLDER if folder is None else folder
    try:
        manifest = json.loads((where / f"{specialist}.manifest.json").read_bytes())
        digests = {name: str(told["sha256"]) for name, told in manifest["files"].items()}
        files = {name: (where / Path(name).name).read_bytes() for name in digests}
    except FileNotFoundError as error:
        raise NotTrusted(f"the weights of `{specialist}` are missing: {error.filename}", way_out=_WAY_OUT) from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise NotTrusted(f"the manifest of `{specialist}` cannot be read: {error}", way_out=_WAY_OUT) from error
    for name, content in files.items():
        if hashlib.sha256(content).hexdigest() != digests[name]:
            raise NotTrusted(f"{name} is not the file that `{specialist}` was measured with", way_out=_WAY_OUT)
    return Weights(specialist, files, manifest.get("papers", {}), digest_value(manifest))


def seal_weights(specialist: str, folder: Path, names: list[str], papers: Mapping[str, Any]) -> Path:
    """Write the manifest of files that are complete; it is written last, so where it stands the training ended.

    Args:
        names: the files in `folder` that belong to the specialist.
        papers: anything the specialist or a reader must know (plain JSON values).
    """
    files = {}
    for name in names:
        content = (folder / name).read_bytes()
        files[name] = {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
    path = folder / f"{specialist}.manifest.json"
    beside = path.with_suffix(".part")
    text = json.dumps({"specialist": specialist, "files": files, "papers": papers}, indent=1, sort_keys=True)
    beside.write_text(text + "\n", encoding="utf-8")
    beside.replace(path)
    return path
