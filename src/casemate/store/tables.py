"""Every table of the store; `migrations.py` says how an older database becomes this one."""

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

metadata = MetaData()

DIGEST = String(64)
TIME = String(27)  # aware UTC, ISO 8601 with microseconds and Z: sorts as it reads

schema_version = Table("schema_version", metadata, Column("version", Integer, primary_key=True))

# One row a normalised text; it is found under its evidence only once a row of text_names points to it.
texts = Table(
    "texts",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("reading", Text, nullable=False),
    Column("host", Text, nullable=False),  # of the writing process, so that what a dead one left can be cleared
    Column("process", Integer, nullable=False),
    Column("begun", TIME, nullable=False),
    Column("digest", DIGEST),  # of the whole text; null while it is being written
)

text_names = Table(
    "text_names",
    metadata,
    Column("evidence", DIGEST, primary_key=True),
    Column("edition", Text, primary_key=True),
    Column("text", ForeignKey("texts.id"), nullable=False, index=True),
)

chunks = Table(
    "chunks",
    metadata,
    Column("text", ForeignKey("texts.id"), primary_key=True, autoincrement=False),
    Column("start", BigInteger, primary_key=True, autoincrement=False),
    Column("length", Integer, nullable=False),
    Column("line", Integer, nullable=False),
    Column("body", LargeBinary, nullable=False),  # zstd of UTF-8
    Column("pieces", LargeBinary, nullable=False),  # zstd of JSON, see texts.py
)

readings = Table(
    "readings",
    metadata,
    Column("key", Text, primary_key=True),
    Column("time", TIME, nullable=False),
    Column("data", LargeBinary, nullable=False),  # zstd
)

blobs = Table(
    "blobs",
    metadata,
    Column("digest", DIGEST, primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("data", LargeBinary, nullable=False),  # zstd
)

cases = Table(
    "cases",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("id", Text, nullable=False, unique=True),
    Column("revision", Integer, nullable=False),  # counts the writes, so that a stale one is refused
    Column("created", TIME, nullable=False, index=True),
    Column("title", Text, nullable=False),
    Column("state", String(20), nullable=False, index=True),
    Column("marking", String(20), nullable=False),
    Column("disposition", String(30), nullable=False),
    Column("priority", Integer, nullable=False),
    Column("edition", Text, nullable=False),  # of the texts that it cites
    Column("digest", DIGEST, nullable=False),  # of the JSON
    Column("data", LargeBinary, nullable=False),  # zstd of the JSON
)

features = Table(
    "features",
    metadata,
    Column("key", LargeBinary(16), primary_key=True),  # of kind and value, see features.py
    Column("case", ForeignKey("cases.number"), primary_key=True, autoincrement=False),
    Index("features_of_case", "case"),
    sqlite_with_rowid=False,
)

reviews = Table(
    "reviews",
    metadata,
    Column("case", ForeignKey("cases.number"), primary_key=True, autoincrement=False),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("reviewer", Text, nullable=False, index=True),
    Column("role", Text, nullable=False),
    Column("time", TIME, nullable=False),
    Column("disposition", String(30)),
    Column("decisions", Integer, nullable=False),
    Column("reason", Text, nullable=False),
)

drafts = Table(
    "drafts",
    metadata,
    Column("case", ForeignKey("cases.number"), primary_key=True, autoincrement=False),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("task", String(40), nullable=False),
    Column("about", Text, nullable=False),
    Column("created", TIME, nullable=False),
    Column("digest", DIGEST, nullable=False),  # of the JSON
    Column("data", LargeBinary, nullable=False),  # zstd of the JSON
)

runs = Table(
    "runs",
    metadata,
    Column("key", Text, primary_key=True),
    Column("begun", TIME, nullable=False),
    Column("ended", TIME),
    Column("case", Text),
)

run_inputs = Table(
    "run_inputs",
    metadata,
    Column("run", ForeignKey("runs.key"), primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("name", Text, nullable=False),
    Column("reading", Text),
    UniqueConstraint("run", "name"),
)

audit = Table(
    "audit",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("subject", Text, nullable=False, index=True),
    Column("line", Text, nullable=False),
)

# One row: where the chain stands. It is what the next event is linked to, whatever became of the rows of `audit`.
audit_head = Table(
    "audit_head",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("number", BigInteger, nullable=False),
    Column("digest", DIGEST, nullable=False),
)

audit_checkpoints = Table(
    "audit_checkpoints",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("line", Text, nullable=False),
)
