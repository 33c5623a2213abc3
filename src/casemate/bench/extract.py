"""`casemate bench extract`: how fast and how well observables are found, beside the peers that are installed."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from casemate.bench.gold import Key, compare_key, read_gold, score
from casemate.bench.peers import PEERS, ask_peer, installed_peers
from casemate.core.errors import WrongUsage
from casemate.core.observable import Sighting
from casemate.stages.extract.rows import rows_jsonl
from casemate.stages.extract.scanner import Scanner

GOLD_NAME = "gold.jsonl"
_CHUNK = 1024 * 1024
_PEER_SAMPLE = 1_000_000


def measure_extract(folder: Path, gold: Path | None = None, *, peers: bool = True) -> dict[str, Any]:
    """Measure extraction on a folder of text with its gold file (`gold.jsonl` in it, or the one given).

    Gives `mb_per_s` (10^6 bytes of UTF-8 a second of processor time, one core, rows of JSON included), `types` (the
    types in the gold that every measured tool knows), `precision`, `recall` and `f1` over these, `by_type` for all
    types of the gold, and the same for each peer that is installed. A folder without a gold file gets speeds only, the
    peers on the first million characters of each file. Raises `WrongUsage` when there is nothing to read.
    """
    gold_path = gold or folder / GOLD_NAME
    known = read_gold(gold_path) if gold_path.is_file() else {}
    if gold is not None and not known:
        raise WrongUsage(f"no gold in {gold}", way_out="name a file of gold lines, as docs/observables.md has them")
    names = sorted(known) or _texts(folder)
    if not names:
        raise WrongUsage(f"no text files in {folder}", way_out="name a folder of texts")
    missing = [name for name in names if not (folder / name).is_file()]
    if missing:
        raise WrongUsage(f"gold names a file that is not there: {missing[0]}", way_out=f"put it into {folder}")
    asked = installed_peers() if peers else []
    types = _shared_types(known, asked)
    answers, size, seconds = _measure_ours(folder, names)
    result: dict[str, Any] = {
        "files": len(names),
        "bytes": size,
        "engine": Scanner().engine,
        "mb_per_s": round(size / seconds / 1e6, 3),
    }
    if known:
        result |= {"types": types} | score(known, answers, types).as_json()
        result["by_type"] = _by_type(known, answers, sorted({kind for keys in known.values() for kind, _ in keys}))
    result["peers"] = {name: _measure_peer(name, folder, names, known, types) for name in asked}
    return result


def _texts(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def _shared_types(known: Mapping[str, set[Key]], asked: Sequence[str]) -> list[str]:
    types = {kind for keys in known.values() for kind, _ in keys}
    for name in asked:
        types &= PEERS[name].types
    return sorted(types)


def _by_type(known: Mapping[str, set[Key]], answers: Mapping[str, set[Key]], types: Sequence[str]) -> dict[str, Any]:
    return {kind: score(known, answers, [kind]).as_json() for kind in types}


def _measure_ours(folder: Path, names: Sequence[str]) -> tuple[dict[str, set[Key]], int, float]:
    scanner = Scanner()
    scanner.scan("warm 192.0.2.1")
    answers: dict[str, set[Key]] = {}
    size, seconds = 0, 0.0
    for name in names:
        raw = (folder / name).read_bytes()
        size += len(raw)
        begin = time.process_time()
        text = raw.decode("utf-8", "replace")
        sightings: list[Sighting] = []
        at = 0
        while at < len(text):
            until = text.rfind("\n", at, at + _CHUNK) + 1
            if until <= at or at + _CHUNK >= len(text):
                until = min(at + _CHUNK, len(text))
            found = scanner.scan(text[at:until], at)
            rows_jsonl(found, name, _line_counter(text, at))
            sightings += found
            at = until
        seconds += time.process_time() - begin
        answers[name] = {compare_key(one.type, one.value, one.hash) for one in sightings}
    return answers, size, max(seconds, 1e-9)


def _line_counter(text: str, start: int) -> "_Lines":
    return _Lines(text, start)


class _Lines:
    """Counts lines on from where it was asked last."""

    def __init__(self, text: str, start: int) -> None:
        self._count, self._last, self._line = text.count, start, 1

    def __call__(self, offset: int) -> int:
        self._line += self._count("\n", self._last, offset)
        self._last = offset
        return self._line


def _measure_peer(
    name: str, folder: Path, names: Sequence[str], known: Mapping[str, set[Key]], types: Sequence[str]
) -> dict[str, Any]:
    import tempfile

    if known:
        given = ask_peer(name, [folder / one for one in names])
        sizes = [(folder / one).stat().st_size for one in names]
    else:
        with tempfile.TemporaryDirectory() as scratch:
            samples = []
            for number, one in enumerate(names):
                sample = Path(scratch) / str(number)
                with (folder / one).open("rb") as stream:
                    sample.write_bytes(stream.read(_PEER_SAMPLE).rpartition(b"\n")[0])
                samples.append(sample)
            sizes = [sample.stat().st_size for sample in samples]
            given = ask_peer(name, samples, seconds_each=600.0)
    finished = [(size, answer.seconds) for size, answer in zip(sizes, given, strict=True) if not answer.given_up]
    seconds = sum(took for _, took in finished)
    result: dict[str, Any] = {
        "mb_per_s": round(sum(size for size, _ in finished) / seconds / 1e6, 4) if seconds else 0.0,
        "files_given_up": sum(answer.given_up for answer in given),
    }
    if known:
        answers = {one: set(answer.keys) for one, answer in zip(names, given, strict=True)}
        result |= score(known, answers, types).as_json()
        result["by_type"] = _by_type(known, answers, sorted(PEERS[name].types))
    return result
