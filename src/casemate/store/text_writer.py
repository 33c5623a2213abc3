"""Texts as they are written: held back while they are small, in pieces while their evidence is still being read."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import bindparam, insert, select

from casemate.core.digest import Digest
from casemate.core.text import Chunk
from casemate.store.tables import chunks, text_names, texts

FLUSH_BYTES = 4 * 1024 * 1024  # of packed rows, held before they are written in one short transaction
FLUSH_CHUNKS = 64
HELD_CHARS = 4 * 1024 * 1024  # of a text that is held to be stored with what was read from it
ABANDONED = timedelta(days=1)  # unfinished texts of a process on another host, which cannot be asked

_NEW_TEXT = insert(texts)
_NEW_CHUNKS = insert(chunks)
_NEW_NAME = insert(text_names)
_NAMED = select(text_names.c.edition, text_names.c.text).where(text_names.c.evidence == bindparam("of_evidence"))
_SAME = select(texts.c.id).where(
    texts.c.id.in_(bindparam("ids", expanding=True)), texts.c.digest == bindparam("of_text")
)
_UNFINISHED = select(texts.c.id, texts.c.host, texts.c.process, texts.c.begun).where(texts.c.digest.is_(None))


@dataclass(frozen=True, slots=True)
class WholeText:
    """A complete text that is not stored yet: its rows, and its chunks as they will be read back."""

    evidence: Digest
    digest: str
    rows: tuple[dict[str, object], ...]
    chunks: tuple[Chunk, ...]


class Holder:
    """Takes over the texts of a reading that are small, to store them later; this one takes none."""

    def about_to_store(self) -> None:
        """Be told that the reading has become too large to be held."""

    def take(self, reading: str, edition: str, whole: Sequence[WholeText]) -> bool:  # noqa: ARG002 - for others to use
        """Take the texts, or leave them to be stored now: false."""
        return False
