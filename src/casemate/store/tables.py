"""Every table of the store; `migrations.py` says how an older database becomes this one."""

from sqlalchemy import (
    BigInteger,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    UniqueConstraint,
)

from casemate.store.columns import DIGEST, NUMBER, TIME, Chars

metadata = MetaData()

schema_version = Table("schema_version", metadata, Column("version", Integer, primary_key=True))

# One row a normalised text; it is found under its evidence only once a row of text_names points to it.
texts = Table(
    "texts",
    metadata,
    Column("id", NUMBER, primary_key=True),
    Column("reading", Chars, nullable=False),
    Column("host", Chars, nullable=False),  # of the writing process, so that what a dead one left can be cleared
    Column("process", Integer, nullable=False),
    Column("begun", TIME, nullable=False),
    Column("digest", DIGEST),  # of the whole text; null while it is being written
)

text_names = Table(
    "text_names",
    metadata,
    Column("evidence", DIGEST, primary_key=True),
    Column("edition", Chars, primary_key=True),
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
    Column("key", Chars, primary_key=True),
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
    Column("number", NUMBER, primary_key=True),
    Column("id", Chars, nullable=False, unique=True),
    Column("revision", Integer, nullable=False),  # counts the writes, so that a stale one is refused
    Column("created", TIME, nullable=False, index=True),
    Column("title", Chars, nullable=False),
    Column("state", Chars, nullable=False, index=True),
    Column("marking", Chars, nullable=False),
    Column("disposition", Chars, nullable=False),
    Column("priority", Integer, nullable=False),
    Column("edition", Chars, nullable=False),  # of the texts that it cites
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
    Column("reviewer", Chars, nullable=False, index=True),
    Column("role", Chars, nullable=False),
    Column("time", TIME, nullable=False),
    Column("disposition", Chars),  # that this review closed the case with
    Column("decisions", Integer, nullable=False),
    Column("reason", Chars, nullable=False),
)

drafts = Table(
    "drafts",
    metadata,
    Column("case", ForeignKey("cases.number"), primary_key=True, autoincrement=False),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("task", Chars, nullable=False),
    Column("about", Chars, nullable=False),
    Column("created", TIME, nullable=False),
    Column("digest", DIGEST, nullable=False),  # of the JSON
    Column("data", LargeBinary, nullable=False),  # zstd of the JSON
)

runs = Table(
    "runs",
    metadata,
    Column("key", Chars, primary_key=True),
    Column("begun", TIME, nullable=False),
    Column("ended", TIME),
    Column("case", Chars),
)

run_inputs = Table(
    "run_inputs",
    metadata,
    Column("run", ForeignKey("runs.key"), primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("name", Chars, nullable=False),
    Column("reading", Chars),
    UniqueConstraint("run", "name"),
)

audit = Table(
    "audit",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("subject", Chars, nullable=False, index=True),
    Column("line", Chars, nullable=False),
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
    Column("line", Chars, nullable=False),
)

# What came in through the service. The bytes of one delivery lie together, packed; an alert is a place in them.
deliveries = Table(
    "deliveries",
    metadata,
    Column("number", NUMBER, primary_key=True),
    Column("time", TIME, nullable=False),
    Column("sender", Chars, nullable=False),
    Column("marking", Chars, nullable=False),
    Column("source", Chars, nullable=False),
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
    Column("number", NUMBER, primary_key=True),
    Column("key", LargeBinary(16), nullable=False, unique=True),
    Column("marking", Chars, nullable=False),
    Column("kind", Chars, nullable=False),
    Column("rule", Chars, nullable=False),
    Column("entity", Chars, nullable=False),
    Column("template", Chars, nullable=False),
    Column("count", BigInteger, nullable=False),
    Column("first_seen", TIME, nullable=False),
    Column("last_seen", TIME, nullable=False),
    Column("received", TIME, nullable=False),
    Column("severity", Integer, nullable=False),
    Column("priority", Integer, nullable=False),
    Column("open", Integer, nullable=False),  # 0 once a person has closed the case
    Column("state", Chars, nullable=False),
    Column("case", Chars, index=True),
    Column("title", Chars, nullable=False),
    Column("disposition", Chars),
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
    Column("number", NUMBER, primary_key=True),
    Column("group", ForeignKey("alert_groups.number"), nullable=False),
    Column("delivery", ForeignKey("deliveries.number"), nullable=False),
    Column("start", BigInteger, nullable=False),
    Column("size", BigInteger, nullable=False),
    Index("alerts_of_group", "group", "number"),
)

jobs = Table(
    "jobs",
    metadata,
    Column("number", NUMBER, primary_key=True),
    Column("group", ForeignKey("alert_groups.number"), nullable=False, unique=True),
    Column("state", Chars, nullable=False),
    Column("priority", Integer, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("created", TIME, nullable=False),
    Column("not_before", TIME, nullable=False),
    Column("ended", TIME),
    Column("owner", Chars),
    Column("lease_until", TIME),
    Column("through", BigInteger),
    Column("reason", Chars, nullable=False),
    Index("jobs_waiting", "state", "priority", "number"),
)

idempotency = Table(
    "idempotency",
    metadata,
    Column("person", Chars, primary_key=True),
    Column("key", Chars, primary_key=True),
    Column("time", TIME, nullable=False, index=True),
    Column("lines", BigInteger, nullable=False),
    Column("digest", DIGEST, nullable=False),
    Column("answer", LargeBinary),
)

# How far each connector has read each of its inputs; written with the alerts that it read.
cursors = Table(
    "cursors",
    metadata,
    Column("connector", Chars, primary_key=True),
    Column("input", Chars, primary_key=True),
    Column("time", TIME, nullable=False),
    Column("place", Chars, nullable=False),
)

# What was pushed where: one row for each edition of a case and each receiver.
pushes = Table(
    "pushes",
    metadata,
    Column("connector", Chars, primary_key=True),
    Column("case", Chars, primary_key=True),
    Column("edition", DIGEST, primary_key=True),  # of the JSON of the case
    Column("state", Chars, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("time", TIME, nullable=False),  # of the last attempt
    Column("not_before", TIME, nullable=False),
    Column("reference", Chars, nullable=False),  # what the receiver calls it
    Column("reason", Chars, nullable=False),
)

people = Table(
    "people",
    metadata,
    Column("number", NUMBER, primary_key=True),
    Column("name", Chars, nullable=False, unique=True),
    Column("role", Chars, nullable=False),
    Column("clearance", Chars, nullable=False),
    Column("password", Chars),  # argon2id, RFC 9106; null: no sign-in by password
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
    Column("form_key", Chars, nullable=False),  # what forms must send back
    Column("begun", TIME, nullable=False),
    Column("rotated", TIME, nullable=False),
    Column("seen", TIME, nullable=False),
)

tokens = Table(
    "tokens",
    metadata,
    Column("digest", DIGEST, primary_key=True),
    Column("person", ForeignKey("people.number"), nullable=False, index=True),
    Column("name", Chars, nullable=False),
    Column("scopes", Chars, nullable=False),  # of `core.person.Right`, separated by spaces
    Column("created", TIME, nullable=False),
    Column("expires", TIME),
    UniqueConstraint("person", "name"),
)

# Sign-in by an issuer of the site: sign-ins under way, and the accounts that it vouches for.
pending_sign_ins = Table(
    "pending_sign_ins",
    metadata,
    Column("state", DIGEST, primary_key=True),  # of what the issuer is told to send back
    Column("browser", DIGEST, nullable=False),  # of a cookie of the browser that was sent
    Column("nonce", Chars, nullable=False),
    Column("verifier", Chars, nullable=False),  # RFC 7636
    Column("wanted", Chars, nullable=False),  # the page the person came for
    Column("begun", TIME, nullable=False, index=True),
)

identities = Table(
    "identities",
    metadata,
    Column("issuer", Chars, primary_key=True),
    Column("subject", Chars, primary_key=True),
    Column("person", ForeignKey("people.number"), nullable=False, index=True),
)

# Words of cases, for the full-text search: the same statement finds them in every database.
case_words = Table(
    "case_words",
    metadata,
    Column("word", Chars, primary_key=True),
    Column("case", ForeignKey("cases.number"), primary_key=True, autoincrement=False),
    Index("words_of_case", "case"),
    sqlite_with_rowid=False,
)

# When a person who may review first opened a case.
looks = Table(
    "looks",
    metadata,
    Column("case", ForeignKey("cases.number"), primary_key=True, autoincrement=False),
    Column("person", Chars, primary_key=True),
    Column("time", TIME, nullable=False, index=True),
)

# What people said of what was proposed, written when they close a case; `agreed` is 1 or 0.
judgements = Table(
    "judgements",
    metadata,
    Column("case", ForeignKey("cases.number"), primary_key=True, autoincrement=False),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("about", Chars, nullable=False),  # disposition or finding
    Column("maker", Chars, nullable=False),
    Column("agreed", Integer, nullable=False),
    Column("time", TIME, nullable=False, index=True),
)

# Cases drawn while the policy measures minutes saved: arm `withheld` is shown without proposals until decided.
trials = Table(
    "trials",
    metadata,
    Column("case", ForeignKey("cases.number"), primary_key=True, autoincrement=False),
    Column("arm", Chars, nullable=False),
    Column("title", Chars, nullable=False),  # what the case is called while nothing is proposed: the sender's rule
    Column("decided", TIME),
    Column("seconds", Float),  # from the first look of who decided to the decision; null when they never looked
    Index("trials_open", "arm", "decided"),
)

trial_key = Table(
    "trial_key",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("key", LargeBinary, nullable=False),
)

# What each request to a language model took: the same as the audit event of that number says.
model_uses = Table(
    "model_uses",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("case", Chars, nullable=False, index=True),
    Column("time", TIME, nullable=False, index=True),
    Column("model", Chars, nullable=False),
    Column("task", Chars, nullable=False),
    Column("prompt_tokens", BigInteger, nullable=False),
    Column("cached_tokens", BigInteger, nullable=False),
    Column("generated_tokens", BigInteger, nullable=False),
    Column("seconds", Float, nullable=False),
)
