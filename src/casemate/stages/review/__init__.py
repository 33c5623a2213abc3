"""The case state machine: what a named person may decide; pure."""

from casemate.stages.review.decide import decide

__all__ = ["decide"]
