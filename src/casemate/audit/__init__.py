"""The hash chain over audit events, signed checkpoints, and the verifier."""

from casemate.audit.chain import GENESIS, NewAuditEvent, event_line, link, read_event
from casemate.audit.checkpoint import Checkpoint, Seal
from casemate.audit.verify import ChainFault, export_chain, verify_chain, verify_export, verify_lines

__all__ = [
    "GENESIS",
    "ChainFault",
    "Checkpoint",
    "NewAuditEvent",
    "Seal",
    "event_line",
    "export_chain",
    "link",
    "read_event",
    "verify_chain",
    "verify_export",
    "verify_lines",
]
