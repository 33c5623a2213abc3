"""The only SQL of casemate: cases, texts, readings, reviews and the stored audit chain."""

from casemate.audit import NewAuditEvent
from casemate.store.cases import CaseLine
from casemate.store.cleared import CaseQuery, Cleared, ObservableQuery, Opened
from casemate.store.cleared_board import Board, Day, Judged, Maker
from casemate.store.cleared_groups import GroupQuery, RawAlert
from casemate.store.codec import case_from_json, case_to_json
from casemate.store.handout import owner_name
from casemate.store.held import Held
from casemate.store.model_uses import ASKED
from casemate.store.pages import Page, UnknownCursor
from casemate.store.people import Account, People, Session, Token
from casemate.store.queue import LeaseLost, Queue
from casemate.store.runs import Run
from casemate.store.store import Store
from casemate.store.text_writer import TextWriter
from casemate.store.texts import StoredTexts, TextLine

__all__ = [
    "ASKED",
    "Account",
    "Board",
    "CaseLine",
    "CaseQuery",
    "Cleared",
    "Day",
    "GroupQuery",
    "Held",
    "Judged",
    "LeaseLost",
    "Maker",
    "NewAuditEvent",
    "ObservableQuery",
    "Opened",
    "Page",
    "People",
    "Queue",
    "RawAlert",
    "Run",
    "Session",
    "Store",
    "StoredTexts",
    "TextLine",
    "TextWriter",
    "Token",
    "UnknownCursor",
    "case_from_json",
    "case_to_json",
    "owner_name",
]
