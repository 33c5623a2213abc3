"""Every format that casemate reads, in the order in which they are asked; the first that matches reads the part."""

from casemate.stages.ingest.reader import Reader
from casemate.stages.ingest.strings import STRINGS_READER
from casemate.stages.ingest.text import TEXT

_IN_ORDER = (
    TEXT,
    STRINGS_READER,
)
READERS: dict[str, Reader] = {reader.name: reader for reader in _IN_ORDER}
