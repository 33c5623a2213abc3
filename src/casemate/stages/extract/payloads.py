"""Find what is encoded inside evidence and decode it layer by layer, bounded and without executing anything."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from casemate.core.digest import Digest, digest_bytes
from casemate.policy.limits import Limits
from casemate.stages.extract.blobs import Blob, find_blobs
from casemate.stages.extract.layers import binary_kind, inflate_raw, list_zip, strings_of, undo_xor, unpack
from casemate.stages.extract.plausible import TELLING, Reading, looks_written, read_text
from casemate.stages.extract.scripts import unravel


@dataclass(frozen=True, slots=True)
class Payload:
    """Something readable that was encoded in the evidence.

    `start` and `end` select the whole outermost encoded blob in the normalised text. `layers` is the chain of
    decodings, outermost first (`("base64", "utf-16le", "gzip")`). `text` is the readable result; for a binary its
    printable strings, one a line. `digest` and `size` are those of the decoded bytes (of the UTF-8 text where the last
    layer works on text). `kind` is `script`, `url-list`, `json`, `markup`, `text`, or a
    binary's (`pe`, `elf`, `shellcode`, ...).
    """

    start: int
    end: int
    layers: tuple[str, ...]
    text: str
    digest: Digest
    size: int
    kind: str


class Budget:
    """How many payloads and decoded bytes one source may still give; shared by the chunks of that source."""

    __slots__ = ("bytes_left", "payloads_left")

    def __init__(self, limits: Limits) -> None:
        self.payloads_left = limits.payloads_per_source
        self.bytes_left = limits.payload_total_bytes

    def take(self, size: int) -> bool:
        """Account for a decoded layer; false when nothing is left for it."""
        if self.spent or size > self.bytes_left:
            return False
        self.bytes_left -= size
        return True

    @property
    def spent(self) -> bool:
        """Whether the source has given all it may."""
        return self.payloads_left <= 0 or self.bytes_left <= 0


_WHOLE = 0.85  # of a decoded text: then the text is but a wrapping of what is encoded in it
_XOR_NEAR = 400
_XOR_SIGN = re.compile(r"b?xor\b|\^=|\^\s?(?:0x|\d|\$|ord|key)", re.IGNORECASE)
_XOR_KEY = re.compile(r"(?:b?xor|\^=?)[\s('\"]{1,4}(?:ord\(['\"](.)['\"]\)|(0x[0-9a-f]{1,8}|\d{1,3})\b)", re.IGNORECASE)
_KEY_SET = re.compile(
    r"key['\"]?\]?\s{0,4}[:=]\s{0,4}\(?(?:(0x[0-9a-f]{1,8}|\d{1,3})\b|b?['\"]([^'\"\r\n]{1,64})['\"])", re.IGNORECASE
)
_SHORTEST = 4
_WIDE_ENOUGH = 6
_LONG_ENOUGH = 40  # random bytes are all printable ASCII once in 10^17


def find_payloads(text: str, start: int, limits: Limits, budget: Budget | None = None) -> Iterator[Payload]:
    """Yield what is encoded in one chunk of normalised text, in the order of where it stands.

    `start` is the chunk's offset and is added to every span. Every chain of layers that reveals something readable
    gives one `Payload`. `budget` carries what the source may still give from chunk to chunk; without one, the limits
    hold for this chunk alone. Never raises for what the text holds.
    """
    search = _Search(limits, budget or Budget(limits))
    found = sorted(
        search.inside(text, (), outer=None), key=lambda payload: (payload.start, payload.end, payload.layers)
    )
    for payload in found:
        yield Payload(
            payload.start + start,
            payload.end + start,
            payload.layers,
            payload.text,
            payload.digest,
            payload.size,
            payload.kind,
        )


class _Search:
    """One search: the limits, and the digests seen at each outer span, so that nothing is told twice."""

    def __init__(self, limits: Limits, budget: Budget) -> None:
        self.limits = limits
        self.budget = budget
        self.seen: list[tuple[int, int, Digest]] = []

    def inside(self, text: str, layers: tuple[str, ...], outer: tuple[int, int] | None) -> Iterator[Payload]:
        """Yield what is encoded in a text; inner texts cite the `outer` span they came out of."""
        if len(layers) >= self.limits.payload_depth:
            return
        covered: list[tuple[int, int]] = []
        for blob in find_blobs(text):
            if self.budget.spent:
                return
            if covered and _overlaps(blob, covered) and not blob.sure:
                continue
            gave = False
            for payload in self._peel(
                blob.data, (*layers, blob.layer), outer or (blob.start, blob.end), _around(text, blob), sure=blob.sure
            ):
                gave = True
                yield payload
            if gave:
                covered.append((blob.start, blob.end))
        for region in unravel(text):
            if self.budget.spent:
                return
            yield from self._unravelled(region.text, (*layers, *region.layers), outer or (region.start, region.end))

    def _unravelled(self, text: str, layers: tuple[str, ...], outer: tuple[int, int]) -> Iterator[Payload]:
        data = text.encode("utf-8", "surrogatepass")
        if len(data) > self.limits.payload_bytes or not self.budget.take(len(data)):
            return
        layers = layers[: self.limits.payload_depth]
        yield from self._tell(text, data, layers, outer, kind_of(text))
        yield from self.inside(text, layers, outer)

    def _peel(
        self, data: bytes, layers: tuple[str, ...], outer: tuple[int, int], around: str, *, sure: bool
    ) -> Iterator[Payload]:
        """Undo what lies under one decoding: a compression, an encoding of text, a key; then look inside the text."""
        most = min(self.limits.payload_bytes, self.budget.bytes_left)
        if len(layers) > self.limits.payload_depth or len(data) > most or not self.budget.take(len(data)):
            return
        unpacked = unpack(data, most) if len(layers) < self.limits.payload_depth else None
        if unpacked is not None:
            yield from self._peel(unpacked[1], (*layers, unpacked[0]), outer, around, sure=True)
            return
        kind = binary_kind(data)
        if kind:
            shown = list_zip(data, most) if kind == "zip" else strings_of(data)
            yield from self._tell(shown, data, layers, outer, kind)
            return
        reading = read_text(data)
        if reading is not None and _believes(reading, layers, sure=sure):
            named = (*layers, reading.encoding) if reading.encoding else layers
            yield from self._readable(reading.text, data, named, outer)
        elif reading is None and len(layers) < self.limits.payload_depth:
            yield from self._keyed(data, layers, outer, around)

    def _readable(self, text: str, data: bytes, layers: tuple[str, ...], outer: tuple[int, int]) -> Iterator[Payload]:
        inner = list(self.inside(text, layers, outer))
        wrapping = _is_encoded(text) and inner
        if not wrapping and self.budget.payloads_left > 0:
            yield from self._tell(text, data, layers, outer, kind_of(text))
        yield from inner

    def _keyed(self, data: bytes, layers: tuple[str, ...], outer: tuple[int, int], around: str) -> Iterator[Payload]:
        """Try a raw deflate stream, then XOR: with the keys that stand near, or by force where XOR is spoken of."""
        most = min(self.limits.payload_bytes, self.budget.bytes_left)
        plain = inflate_raw(data, most) if layers[-1].startswith(("base64", "hex")) else b""
        if plain:
            yield from self._peel(plain, (*layers, "deflate"), outer, around, sure=True)
            return
        undone = undo_xor(data, _keys_near(around), all_keys=True)
        if undone is not None:
            yield from self._peel(undone[1], (*layers, undone[0]), outer, "", sure=True)

    def _tell(
        self, text: str, data: bytes, layers: tuple[str, ...], outer: tuple[int, int], kind: str
    ) -> Iterator[Payload]:
        digest = digest_bytes(data)
        if self.budget.payloads_left <= 0 or any(
            digest == known and first <= outer[1] and outer[0] <= last for first, last, known in self.seen
        ):
            return
        self.seen.append((*outer, digest))
        self.budget.payloads_left -= 1
        yield Payload(outer[0], outer[1], layers, text, digest, len(data), kind)


def _believes(reading: Reading, layers: tuple[str, ...], *, sure: bool) -> bool:
    """Whether decoded text was meant; UTF-16 with its zeros in place, or words around it that say so, are proof."""
    text = reading.text
    if len(text) < _SHORTEST:
        return False
    if sure or (reading.encoding and len(text) >= _WIDE_ENOUGH):
        return True
    if layers[-1] in {"char-codes", "octal-escapes", "url"}:
        return _is_encoded(text) or (looks_written(text) and any(char.isalpha() for char in text))
    by_chance = len(text) < _LONG_ENOUGH or not text.isascii() or len(set(text)) < 5
    return not by_chance or looks_written(text) or _is_encoded(text)


def _overlaps(blob: Blob, covered: list[tuple[int, int]]) -> bool:
    return any(blob.start < end and start < blob.end for start, end in covered[-64:])


def _around(text: str, blob: Blob) -> str:
    """Give the code around a blob if it speaks of XOR, else nothing."""
    near = text[max(blob.start - _XOR_NEAR, 0) : blob.start] + text[blob.end : blob.end + _XOR_NEAR]
    return near if _XOR_SIGN.search(near) or "key" in near.lower() else ""


def _keys_near(around: str) -> tuple[bytes, ...]:
    keys: list[bytes] = []
    for found in (*_XOR_KEY.finditer(around), *_KEY_SET.finditer(around)):
        for group in found.groups():
            if not group:
                continue
            number = int(group, 16) if group.lower().startswith("0x") else int(group) if group.isdigit() else -1
            if number >= 0:
                keys.append(number.to_bytes(max((number.bit_length() + 7) // 8, 1), "big"))
            else:
                keys.append(group.encode("utf-8", "surrogatepass"))
    return tuple(dict.fromkeys(keys))[:8]


_RUN_OF_CODE = re.compile(r"[A-Za-z0-9+/=_\-\s]+")
_RUN_OF_ESCAPES = re.compile(r"(?:\\x[0-9A-Fa-f]{2}|%[0-9A-Fa-f]{2}|\d{1,3}\s?,\s?){8,}+[\\%x\dA-Fa-f]{0,4}")
_LONGEST = re.compile(r"[A-Za-z0-9+/_-]{24,}")


def _is_encoded(text: str) -> bool:
    """Whether nearly all of a text is itself one long run of base64, hex, escapes or numbers."""
    stripped = text.strip()
    if _RUN_OF_ESCAPES.fullmatch(stripped[:4096]):
        return True
    if not stripped or not _RUN_OF_CODE.fullmatch(stripped[:4096]):
        return False
    longest = max((len(run) for run in _LONGEST.findall(stripped[:65536])), default=0)
    return longest >= min(len(stripped) * _WHOLE, 60)


_URL_LINE = re.compile(r"(?:https?|ftp|hxxps?)://\S+", re.IGNORECASE)
_SCRIPT = re.compile(
    r"\$\w+\s?=|\bfunction\b|\bimport\s+\w|\bvar\s+\w|\bdim\s+\w|[;{}]\s*\n|\becho\b|&&|\|\s?\w|\w\(.{0,80}\)",
    re.IGNORECASE,
)


def kind_of(text: str) -> str:
    """Name what kind of text this is: `url-list`, `json`, `markup`, `script` or `text`."""
    sample = text[:8192].strip()
    lines = [line for line in sample.splitlines() if line.strip()]
    if lines and sum(1 for line in lines if _URL_LINE.fullmatch(line.strip(" ,;@|"))) * 2 > len(lines):
        return "url-list"
    if sample[:1] in "{[" and sample[-1:] in "}]" and '"' in sample and ":" in sample:
        return "json"
    if sample.startswith("<"):
        return "markup"
    if TELLING.search(sample) or len(_SCRIPT.findall(sample)) >= 2:
        return "script"
    return "text"
