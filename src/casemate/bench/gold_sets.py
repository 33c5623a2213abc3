"""Gold sets from real public reports, made by programs that share no code with extraction.

The reports stay where they are; what is written is a folder of texts with `gold.jsonl` for each set. What is gold:

- `eset-misp`: a README beside MISP events of the same campaign. Gold is every attribute of the events, and every hash
  of the sample lists beside, that stands in the README. The README names more than the events (links to the blog, later
  campaigns), so precision is a lower bound, the same for every tool.
- `unit42-timely`: reports in which the authors defanged what is an indicator. Gold is every token between white space
  that is, as a whole, an indicator once its defanging is undone by plain replacement, the host of a URL with it, and
  every plain URL (the references). An ambiguous token (a plain dotted word) is gold only when it is all of its line.
- `volexity-csv`: indicator lists, a value and its type in each row. Gold is the rows; the description is text like any.
- `iocsearcher-forms`: valid forms of wallets, one a line.
"""

import csv
import io
import json
import re
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from casemate.bench.gold import write_gold

Row = tuple[str, str, str]
Set = dict[str, tuple[str, list[Row]]]

_HASHES = {32: "MD5", 40: "SHA-1", 64: "SHA-256", 128: "SHA-512"}
_MISP: dict[str, tuple[str, str]] = {
    "domain": ("domain-name", ""), "hostname": ("domain-name", ""), "ip-dst": ("ipv4-addr", ""), "url": ("url", ""),
    "ip-src": ("ipv4-addr", ""), "link": ("url", ""), "md5": ("file", "MD5"), "sha1": ("file", "SHA-1"),
    "sha256": ("file", "SHA-256"), "vulnerability": ("vulnerability", ""), "email-src": ("email-addr", ""),
    "email-dst": ("email-addr", ""),
}  # fmt: skip
_CSV_TYPES = {"hostname": "domain-name", "ipaddress": "ipv4-addr", "url": "url", "emailsender": "email-addr",
              "email-sender": "email-addr", "emailwhois": "email-addr"}  # fmt: skip
_PLAIN = (
    ("[.]", "."),
    ("(.)", "."),
    ("[dot]", "."),
    ("[:]", ":"),
    ("[@]", "@"),
    ("[/]", "/"),
    ("hxxp", "http"),
    ("hXXp", "http"),
)
_IPV4 = r"(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)"
_HOST = r"(?:[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9])?\.)+[A-Za-z][A-Za-z0-9-]*[A-Za-z0-9]"
_TOKEN_URL = re.compile(rf"((?:https?|ftp)://(?:({_IPV4})|({_HOST}))(?::\d+)?(?:[/?#].*)?)\Z")
_TOKEN_BARE = re.compile(rf"((?:({_IPV4})|({_HOST}))(?::\d+)?)(/.*)?\Z")
_TOKEN_MAIL = re.compile(rf"[A-Za-z0-9._+-]+@({_HOST})\Z")
_TOKEN_HASH = re.compile(r"[0-9A-Fa-f]{32}|[0-9A-Fa-f]{40}|[0-9A-Fa-f]{64}|[0-9A-Fa-f]{128}")
_TOKEN_CVE = re.compile(r"CVE-\d{4}-\d{4,7}")
_NOT_SUFFIXES_TEXT = """
zip exe dll txt js vbs ps1 php html htm pdf doc docx xls xlsx lnk iso img msi bat cmd dat bin rar py sh
"""
_NOT_SUFFIXES = frozenset(_NOT_SUFFIXES_TEXT.split())


def build_gold_sets(data: Path, out: Path) -> dict[str, dict[str, int]]:
    """Write every set whose source is in `data/ioc` to a folder of its name in `out`.

    Gives the number of files and of gold lines by set; a set whose source is absent is left out.
    """
    counts = {}
    for name, (source, build) in SETS.items():
        archive = data / "ioc" / source
        if not archive.is_file():
            continue
        made = build(_members(archive))
        folder = out / name
        folder.mkdir(parents=True, exist_ok=True)
        for file_name, (text, _) in made.items():
            (folder / file_name).write_text(text, "utf-8", newline="")
        gold = {file_name: rows for file_name, (_, rows) in made.items()}
        write_gold(folder / "gold.jsonl", gold)
        counts[name] = {"files": len(gold), "gold": sum(len(set(rows)) for rows in gold.values())}
    return counts


def _members(archive: Path) -> dict[str, str]:
    texts = {}
    with tarfile.open(archive) as tar:
        for member in tar:
            stream = tar.extractfile(member) if member.isfile() else None
            if stream is not None:
                texts[member.name] = stream.read().decode("utf-8-sig", "replace")
    return texts


def _flat(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "_", name)[-150:]


def _attributes(document: Any) -> Iterator[tuple[str, str]]:
    events = document.get("response", [document]) if isinstance(document, dict) else document
    for wrapped in events if isinstance(events, list) else [events]:
        event = wrapped.get("Event", {}) if isinstance(wrapped, dict) else {}
        attributes = list(event.get("Attribute", []))
        for thing in event.get("Object", []):
            attributes += thing.get("Attribute", [])
        for one in attributes:
            yield one["type"], one["value"]


def _misp_rows(kind: str, value: str) -> Iterator[Row]:
    if kind in _MISP:
        yield _MISP[kind][0], value, _MISP[kind][1]
    elif kind.startswith("filename|") and kind[9:] in _MISP:
        yield "file", value.rpartition("|")[2], _MISP[kind[9:]][1]
    elif kind == "domain|ip":
        domain, _, address = value.partition("|")
        yield "domain-name", domain, ""
        yield "ipv4-addr", address, ""


def eset_misp(members: dict[str, str]) -> Set:
    """Make the set of READMEs beside MISP events."""
    made: Set = {}
    for name, text in members.items():
        folder = PurePosixPath(name).parent
        if not name.endswith("README.adoc"):
            continue
        rows: list[Row] = []
        for other, content in members.items():
            if not other.startswith(f"{folder}/") or not other.endswith(".json") or "misp" not in other.lower():
                continue
            for kind, value in _attributes(json.loads(content)):
                rows += _misp_rows(kind, value)
        if not rows:
            continue
        for other, content in members.items():
            if other.startswith(f"{folder}/samples.") or (other.startswith(f"{folder}/") and "/samples." in other):
                rows += [
                    ("file", line.strip(), _HASHES[len(line.strip())])
                    for line in content.split()
                    if len(line) in _HASHES
                ]
        shown = _undo(text).replace("\\", "").lower()
        made[_flat(str(folder.name)) + ".adoc"] = (text, [row for row in rows if row[1].lower() in shown])
    return made


def _undo(text: str) -> str:
    for written, meant in _PLAIN:
        text = text.replace(written, meant)
    return text


def _bare_token(token: str) -> str:
    token = token.strip("\"'`<>(),;|").rstrip(".:!?,;")
    if token.startswith("[") and "]" not in token[:-1]:
        token = token.strip("[]")
    return token


def _token_rows(token: str, whole_line: bool) -> Iterator[Row]:  # noqa: FBT001 - a fact about the token
    plain = _undo(token)
    cut = plain.find("[")
    if cut > 0:
        plain = plain[:cut]  # a placeholder: `?id=[recipient's address]`
    if _TOKEN_HASH.fullmatch(plain):
        yield "file", plain.lower(), _HASHES[len(plain)]
    elif _TOKEN_CVE.fullmatch(plain):
        yield "vulnerability", plain, ""
    elif match := _TOKEN_URL.match(plain):
        yield "url", match[1], ""
        yield ("ipv4-addr", match[2], "") if match[2] else ("domain-name", match[3], "")
    elif match := _TOKEN_MAIL.match(plain):
        yield "email-addr", plain, ""
    elif match := _TOKEN_BARE.match(plain):
        suffix = (match[3] or "").rpartition(".")[2].lower()
        if not match[2] and plain == token and (not whole_line or suffix in _NOT_SUFFIXES):
            return
        if match[4] and len(match[4]) > 1:
            yield "url", plain, ""
        yield ("ipv4-addr", match[2], "") if match[2] else ("domain-name", match[3], "")


def unit42_timely(members: dict[str, str]) -> Set:
    """Make the set of short reports whose authors defanged the indicators."""
    made: Set = {}
    for name, text in members.items():
        if not re.search(r"/\d{4}-\d\d-\d\d-[^/]*\.txt\Z", name):
            continue
        rows: list[Row] = []
        for line in text.splitlines():
            tokens = [_bare_token(token) for token in line.split()]
            wordy = [token for token in tokens if re.search(r"\w", token)]
            for token in wordy:
                rows += _token_rows(token, len(wordy) == 1)
        made[_flat(PurePosixPath(name).name)] = (text, rows)
    return made


def volexity_csv(members: dict[str, str]) -> Set:
    """Make the set of indicator lists with a type in each row."""
    made: Set = {}
    for name, text in members.items():
        if not name.endswith(".csv"):
            continue
        rows: list[Row] = []
        for cells in csv.reader(io.StringIO(text)):
            if len(cells) < 2:
                continue
            value, kind = cells[0].strip(), cells[1].strip().lower()
            if kind in _CSV_TYPES:
                rows.append((_CSV_TYPES[kind], _undo(value), ""))
                match = _TOKEN_URL.match(_undo(value)) if kind == "url" else None
                if match:
                    rows.append(("ipv4-addr", match[2], "") if match[2] else ("domain-name", match[3], ""))
            for word in re.findall(r"\w+", " ".join(cells)):
                rows += [("file", word, _HASHES[len(word)])] if _TOKEN_HASH.fullmatch(word) else []
        if rows:
            made[_flat(name)] = (text, rows)
    return made


def iocsearcher_forms(members: dict[str, str]) -> Set:
    """Make the set of valid forms of wallets."""
    kinds = {"bitcoin": "cryptocurrency-wallet", "ethereum": "cryptocurrency-wallet", "monero": "cryptocurrency-wallet"}
    made: Set = {}
    for name, text in members.items():
        if not name.endswith("blockchain_valid.ioc"):
            continue
        pairs = [line.split() for line in text.splitlines() if line.strip()]
        made["wallets.txt"] = (
            "".join(f"{pair[1]}\n" for pair in pairs),
            [(kinds[pair[0]], pair[1], "") for pair in pairs if pair[0] in kinds],
        )
    return made


SETS: dict[str, tuple[str, Callable[[dict[str, str]], Set]]] = {
    "eset-misp": ("eset_malware_ioc_bsd2.tar.gz", eset_misp),
    "unit42-timely": ("unit42_timely_gpl3.tar.gz", unit42_timely),
    "volexity-csv": ("volexity_bsd2.tar.gz", volexity_csv),
    "iocsearcher-forms": ("iocsearcher_tests_mit.tar.gz", iocsearcher_forms),
}
"""The sets by name: the archive each is made from, and what makes it."""
