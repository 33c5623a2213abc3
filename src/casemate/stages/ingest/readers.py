"""Every format that casemate reads, in the order in which they are asked; the first that matches reads the part."""

from casemate.stages.ingest.compressed import BZIP2, GZIP, XZ, ZSTD
from casemate.stages.ingest.evtx import EVTX
from casemate.stages.ingest.json_lines import JSON_DOCUMENT, JSON_FAMILIES, JSON_LINES, ZEEK_JSON
from casemate.stages.ingest.log_lines import LOGS
from casemate.stages.ingest.mail import MAIL
from casemate.stages.ingest.page import HTML
from casemate.stages.ingest.pdf import PDF
from casemate.stages.ingest.reader import Reader
from casemate.stages.ingest.strings import STRINGS_READER
from casemate.stages.ingest.tarred import TAR
from casemate.stages.ingest.text import TEXT
from casemate.stages.ingest.zipped import ZIP

_IN_ORDER = (
    GZIP,
    XZ,
    ZSTD,
    BZIP2,
    ZIP,
    TAR,
    EVTX,
    *JSON_FAMILIES,
    ZEEK_JSON,
    JSON_LINES,
    JSON_DOCUMENT,
    PDF,
    MAIL,
    HTML,
    *LOGS,
    TEXT,
    STRINGS_READER,
)
READERS: dict[str, Reader] = {reader.name: reader for reader in _IN_ORDER}
