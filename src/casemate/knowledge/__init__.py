"""The local reference index: build, import, look up by id or alias, search, flag."""

from casemate.knowledge.build import build_default, forget, import_file
from casemate.knowledge.folding import fold_name
from casemate.knowledge.kinds import ENTERPRISE_TACTICS, KINDS, NAMED_KINDS
from casemate.knowledge.lookup import Knowledge
from casemate.knowledge.names import NameMatch
from casemate.knowledge.piece_index import Named, Piece, PieceIndex, Posting
from casemate.knowledge.records import Progress

__all__ = [
    "ENTERPRISE_TACTICS",
    "KINDS",
    "NAMED_KINDS",
    "Knowledge",
    "NameMatch",
    "Named",
    "Piece",
    "PieceIndex",
    "Posting",
    "Progress",
    "build_default",
    "fold_name",
    "forget",
    "import_file",
]
