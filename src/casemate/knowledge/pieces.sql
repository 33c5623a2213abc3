-- What a source says about an entry beside its description: one consequence, mitigation, use, analytic, ...
CREATE TABLE paragraph (
    release INTEGER NOT NULL REFERENCES release (id),
    id      TEXT NOT NULL, -- of the entry it belongs to
    other   TEXT NOT NULL, -- of the second entry it is about, or empty
    heading TEXT NOT NULL, -- what it is, in a few words
    text    TEXT NOT NULL
);
CREATE INDEX paragraph_release ON paragraph (release);

-- Everything that can be shown as a passage, cut to paragraphs and numbered from 0 without gaps.
CREATE TABLE piece (
    number  INTEGER PRIMARY KEY,
    id      TEXT NOT NULL COLLATE NOCASE,
    other   TEXT NOT NULL COLLATE NOCASE,
    kind    TEXT NOT NULL,
    title   TEXT NOT NULL,
    text    TEXT NOT NULL,
    release INTEGER NOT NULL REFERENCES release (id)
);

-- Which pieces belong to an entry, and the second entry each is about; a piece about two has two rows.
CREATE TABLE owner (
    id     TEXT NOT NULL COLLATE NOCASE,
    number INTEGER NOT NULL REFERENCES piece (number),
    other  TEXT NOT NULL COLLATE NOCASE,
    PRIMARY KEY (id, number)
) WITHOUT ROWID;

-- For each term the pieces that hold it (uint32) and its share of each (float16, rows of unit length), little-endian.
CREATE TABLE posting (
    key     INTEGER PRIMARY KEY,
    term    TEXT NOT NULL UNIQUE,
    rarity  REAL NOT NULL,
    pieces  BLOB NOT NULL,
    weights BLOB NOT NULL
);

-- Which entries are tied to one another, and how, whether or not any text says so.
CREATE TABLE tie (
    id       TEXT NOT NULL COLLATE NOCASE,
    relation TEXT NOT NULL,
    other    TEXT NOT NULL COLLATE NOCASE,
    PRIMARY KEY (id, other, relation)
) WITHOUT ROWID;
