"""The case state machine: what a named person may decide; pure."""

from casemate.stages.review.decide import decide, same_person

__all__ = ["decide", "same_person"]
