"""The reference formats we can read: one file for each, and the table that recognises them by content."""

from casemate.knowledge.sources.recognise import JSON_READERS, read_edition

__all__ = ["JSON_READERS", "read_edition"]
