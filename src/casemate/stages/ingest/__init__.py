"""Evidence in: bytes become a stream of text, events and issues, each leading back to the bytes received."""

from casemate.stages.ingest.reading import read
from casemate.stages.ingest.source import Source, find_sources, source_of

__all__ = ["Source", "find_sources", "read", "source_of"]
