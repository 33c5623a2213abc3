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
    Column("feeds", Integer),  # line feeds in the text; null where an older layout wrote the row
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
    Column("disposition", String(30)),  # that this review closed the case with
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

# What came in through the service. The bytes of one delivery lie together, packed; an alert is a place in them.
deliveries = Table(
    "deliveries",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("time", TIME, nullable=False),
    Column("sender", Text, nullable=False),
    Column("marking", String(20), nullable=False),
    Column("source", Text, nullable=False),
    Column("separate", Integer, nullable=False),  # 1: records, a line each; 0: one file
    Column("size", BigInteger, nullable=False),
    Column("digest", DIGEST, nullable=False),
)

delivery_parts = Table(
    "delivery_parts",
    metadata,
    Column("delivery", ForeignKey("deliveries.number"), primary_key=True, autoincrement=False),
    Column("start", BigInteger, primary_key=True, autoincrement=False),
    Column("data", LargeBinary, nullable=False),  # zstd
)

alert_groups = Table(
    "alert_groups",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("key", LargeBinary(16), nullable=False, unique=True),
    Column("marking", String(20), nullable=False),
    Column("kind", Text, nullable=False),
    Column("rule", Text, nullable=False),
    Column("entity", Text, nullable=False),
    Column("template", Text, nullable=False),
    Column("count", BigInteger, nullable=False),
    Column("first_seen", TIME, nullable=False),
    Column("last_seen", TIME, nullable=False),
    Column("received", TIME, nullable=False),
    Column("severity", Integer, nullable=False),
    Column("priority", Integer, nullable=False),
    Column("open", Integer, nullable=False),  # 0 once a person has closed the case
    Column("state", String(20), nullable=False),
    Column("case", Text, index=True),
    Column("title", Text, nullable=False),
    Column("disposition", String(30)),
    Column("changed", BigInteger, nullable=False, index=True),  # number of the audit event of the last change
)
Index(
    "alert_groups_inbox",
    alert_groups.c.open,
    alert_groups.c.priority,
    alert_groups.c.last_seen.desc(),
    alert_groups.c.number.desc(),
)

alerts = Table(
    "alerts",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("group", ForeignKey("alert_groups.number"), nullable=False),
    Column("delivery", ForeignKey("deliveries.number"), nullable=False),
    Column("start", BigInteger, nullable=False),
    Column("size", BigInteger, nullable=False),
    Index("alerts_of_group", "group", "number"),
)

jobs = Table(
    "jobs",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("group", ForeignKey("alert_groups.number"), nullable=False, unique=True),
    Column("state", String(10), nullable=False),
    Column("priority", Integer, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("created", TIME, nullable=False),
    Column("not_before", TIME, nullable=False),
    Column("ended", TIME),
    Column("owner", Text),
    Column("lease_until", TIME),
    Column("through", BigInteger),
    Column("reason", Text, nullable=False),
    Index("jobs_waiting", "state", "priority", "number"),
)

idempotency = Table(
    "idempotency",
    metadata,
    Column("person", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("time", TIME, nullable=False, index=True),
    Column("lines", BigInteger, nullable=False),
    Column("digest", DIGEST, nullable=False),
    Column("answer", LargeBinary),
)

# How far each connector has read each of its inputs; written with the alerts that it read.
cursors = Table(
    "cursors",
    metadata,
    Column("connector", Text, primary_key=True),
    Column("input", Text, primary_key=True),
    Column("time", TIME, nullable=False),
    Column("place", Text, nullable=False),
)

# What was pushed where: one row for each edition of a case and each receiver.
pushes = Table(
    "pushes",
    metadata,
    Column("connector", Text, primary_key=True),
    Column("case", Text, primary_key=True),
    Column("edition", DIGEST, primary_key=True),  # of the JSON of the case
    Column("state", String(10), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("time", TIME, nullable=False),  # of the last attempt
    Column("not_before", TIME, nullable=False),
    Column("reference", Text, nullable=False),  # what the receiver calls it
    Column("reason", Text, nullable=False),
)

people = Table(
    "people",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("role", String(20), nullable=False),
    Column("clearance", String(20), nullable=False),
    Column("password", Text),  # argon2id, RFC 9106; null: no sign-in by password
    Column("must_change", Integer, nullable=False),
    Column("disabled", Integer, nullable=False),
    Column("created", TIME, nullable=False),
    Column("failures", Integer, nullable=False),
    Column("locked_until", TIME),
)

sessions = Table(
    "sessions",
    metadata,
    Column("digest", DIGEST, primary_key=True),  # of the cookie's value, which is kept nowhere
    Column("person", ForeignKey("people.number"), nullable=False, index=True),
    Column("form_key", Text, nullable=False),  # what forms must send back
    Column("begun", TIME, nullable=False),
    Column("rotated", TIME, nullable=False),
    Column("seen", TIME, nullable=False),
)

tokens = Table(
    "tokens",
    metadata,
    Column("digest", DIGEST, primary_key=True),
    Column("person", ForeignKey("people.number"), nullable=False, index=True),
    Column("name", Text, nullable=False),
    Column("scopes", Text, nullable=False),  # of `core.person.Right`, separated by spaces
    Column("created", TIME, nullable=False),
    Column("expires", TIME),
    UniqueConstraint("person", "name"),
)

# Words of cases, for the full-text search: the same statement finds them in every database.
case_words = Table(
    "case_words",
    metadata,
    Column("word", Text, primary_key=True),
    Column("case", ForeignKey("cases.number"), primary_key=True, autoincrement=False),
    Index("words_of_case", "case"),
    sqlite_with_rowid=False,
)
