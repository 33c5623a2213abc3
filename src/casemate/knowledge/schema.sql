-- The knowledge index: one file, written once and then only read.
CREATE TABLE release (
    id       INTEGER PRIMARY KEY,
    source   TEXT NOT NULL UNIQUE,
    name     TEXT NOT NULL,
    version  TEXT NOT NULL,
    digest   TEXT NOT NULL,
    imported TEXT NOT NULL,
    entries  INTEGER NOT NULL DEFAULT 0,
    notice   TEXT NOT NULL,
    rank     INTEGER NOT NULL
);

-- One row for each id and release; `shown` marks the row that describes the id (the highest rank).
CREATE TABLE entry (
    key       INTEGER PRIMARY KEY,
    release   INTEGER NOT NULL REFERENCES release (id),
    id        TEXT NOT NULL,
    uuid      TEXT NOT NULL,
    kind      TEXT NOT NULL,
    names     TEXT NOT NULL, -- JSON list, the canonical name first
    text      TEXT NOT NULL,
    state     TEXT NOT NULL,
    successor TEXT NOT NULL,
    url       TEXT NOT NULL,
    facts     TEXT NOT NULL, -- JSON list of [name, value]
    links     TEXT NOT NULL, -- JSON list of [relation, id]
    shown     INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX entry_id ON entry (id COLLATE NOCASE);
CREATE INDEX entry_uuid ON entry (uuid) WHERE uuid <> '';
CREATE INDEX entry_release ON entry (release);

-- Facts without a description, such as EPSS scores.
CREATE TABLE note (
    id      TEXT NOT NULL COLLATE NOCASE,
    release INTEGER NOT NULL REFERENCES release (id),
    facts   TEXT NOT NULL,
    PRIMARY KEY (id, release)
) WITHOUT ROWID;
CREATE INDEX note_release ON note (release);

-- Every name of every shown entry; `rule` says how it may be recognised in prose (0: not at all).
CREATE TABLE name (
    folded  TEXT NOT NULL,
    written TEXT NOT NULL,
    entry   INTEGER NOT NULL,
    rule    INTEGER NOT NULL
);
CREATE INDEX name_folded ON name (folded);

CREATE VIRTUAL TABLE passage USING fts5 (
    title, names, text, content = '', tokenize = "porter unicode61 remove_diacritics 2"
);

-- Warning lists: members by hash, addresses as sorted runs; see flags.py for the layout.
CREATE TABLE warning_list (
    id       INTEGER PRIMARY KEY,
    release  INTEGER NOT NULL REFERENCES release (id),
    name     TEXT NOT NULL,
    matching TEXT NOT NULL,
    types    TEXT NOT NULL,
    members  BLOB NOT NULL
);
CREATE TABLE warning_table (
    name TEXT PRIMARY KEY,
    data BLOB NOT NULL
) WITHOUT ROWID;

-- Words that ordinary technical prose writes in lower case.
CREATE TABLE word (
    word TEXT PRIMARY KEY
) WITHOUT ROWID;

-- The names to find in texts, made ready (names.py): one row.
CREATE TABLE ready_names (data BLOB NOT NULL);
