"""Texts that belong to no case: given on the command line, and gone when the command ends."""

from collections.abc import Iterable

from casemate.core.digest import Digest, digest_bytes
from casemate.core.draft import Cited
from casemate.core.finding import Citation
from casemate.core.text import Place, Span


class LooseTexts:
    """A few texts by their digests, as `core.text.Texts`; each was given with a name, which is hostile text."""

    def __init__(self, texts: Iterable[tuple[str, str]]) -> None:
        named = [(name, text, digest_bytes(text.encode("utf-8", "surrogatepass"))) for name, text in texts]
        self._texts = {digest: text for _, text, digest in named}
        self.cited = tuple(dict.fromkeys(Cited(digest, name) for name, _, digest in named))

    def slice(self, evidence: Digest, start: int, end: int) -> str:
        """Return those characters; shorter at the end of the text, empty when the evidence is unknown."""
        return self._texts.get(evidence, "")[max(start, 0) : max(end, 0)]

    def place(self, evidence: Digest, start: int, end: int) -> Place:
        """Lead a span back to its line and to the bytes of the text in UTF-8."""
        text = self._texts.get(evidence, "")
        start = min(max(start, 0), len(text))
        byte = len(text[:start].encode("utf-8", "surrogatepass"))
        size = len(text[start : max(end, start)].encode("utf-8", "surrogatepass"))
        return Place(text.count("\n", 0, start) + 1, byte, byte + size)

    def cite(self, evidence: Digest, start: int, end: int) -> Citation:
        """Cite a run of a text."""
        span = Span(evidence, start, end)
        return Citation(span, self.slice(evidence, start, end), self.place(evidence, start, end).line)
