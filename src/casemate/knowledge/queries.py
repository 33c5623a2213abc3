"""Every SQL statement of the knowledge index, named; the tables are in schema.sql."""

from importlib.resources import files

APPLICATION_ID = 0x636D6B31  # "cmk1"
SCHEMA_VERSION = 3

SCHEMA = files("casemate.knowledge").joinpath("schema.sql").read_text("utf-8")

SET_APPLICATION = f"PRAGMA application_id = {APPLICATION_ID}"
SET_VERSION = f"PRAGMA user_version = {SCHEMA_VERSION}"
GET_APPLICATION = "PRAGMA application_id"
GET_VERSION = "PRAGMA user_version"
FAST_WRITES = ("PRAGMA journal_mode = MEMORY", "PRAGMA synchronous = OFF", "PRAGMA temp_store = MEMORY")
"""Safe here because the file written is a temporary one that is thrown away unless it was finished."""
FLUSH = "VACUUM"

# releases
ADD_RELEASE = "INSERT INTO release (source, name, version, digest, imported, notice, rank) VALUES (?, ?, ?, ?, ?, ?, ?)"
COUNT_RELEASE = """
UPDATE release SET entries = (SELECT count(*) FROM entry WHERE release = :id)
    + (SELECT count(*) FROM note WHERE release = :id)
    + (SELECT count(*) FROM warning_list WHERE release = :id) WHERE id = :id
"""
FIND_RELEASE = "SELECT id FROM release WHERE source = ?"
LIST_RELEASES = (
    "SELECT id, source, name, version, digest, imported, entries, notice FROM release ORDER BY rank DESC, source"
)
DROP_RELEASE = (
    "DELETE FROM entry WHERE release = ?",
    "DELETE FROM note WHERE release = ?",
    "DELETE FROM warning_list WHERE release = ?",
    "DELETE FROM release WHERE id = ?",
)

# entries
ADD_ENTRY = """
INSERT INTO entry (release, id, uuid, kind, names, text, state, successor, url, facts, links)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
ADD_NOTE = "INSERT OR REPLACE INTO note (id, release, facts) VALUES (?, ?, ?)"
ADD_PASSAGE = "INSERT INTO passage (rowid, title, names, text) VALUES (?, ?, ?, ?)"
DROP_PASSAGE = "INSERT INTO passage (passage, rowid, title, names, text) VALUES ('delete', ?, ?, ?, ?)"
ENTRIES_OF_RELEASE = "SELECT key, id, names, text FROM entry WHERE release = ?"
HIDE_ALL = "UPDATE entry SET shown = 0 WHERE shown = 1"
SHOW_BEST = """
UPDATE entry SET shown = 1 WHERE key IN (
    SELECT key FROM (
        SELECT entry.key AS key, row_number() OVER (
            PARTITION BY entry.id COLLATE NOCASE ORDER BY release.rank DESC, entry.state, entry.key
        ) AS place FROM entry JOIN release ON release.id = entry.release
    ) WHERE place = 1
)
"""
_ENTRY_COLUMNS = """
SELECT entry.key, entry.id, entry.kind, entry.names, entry.text, release.digest, entry.state, entry.successor,
       entry.url, entry.facts, entry.links, release.rank, entry.shown
FROM entry JOIN release ON release.id = entry.release
"""
ENTRIES_BY_ID = (
    _ENTRY_COLUMNS + "WHERE entry.id = ? COLLATE NOCASE ORDER BY entry.shown DESC, release.rank DESC, entry.key"
)
ID_BY_UUID = """
SELECT entry.id FROM entry JOIN release ON release.id = entry.release
WHERE entry.uuid = ? AND entry.uuid <> '' ORDER BY release.rank DESC, entry.key LIMIT 1
"""
NOTES_BY_ID = """
SELECT note.facts, release.digest FROM note JOIN release ON release.id = note.release
WHERE note.id = ? COLLATE NOCASE ORDER BY release.rank DESC
"""
ENTRIES_BY_NAME = (
    _ENTRY_COLUMNS + " JOIN name ON name.entry = entry.key WHERE name.folded = ? GROUP BY entry.key"
    " ORDER BY release.rank DESC, entry.state, entry.id = entry.uuid, entry.id"
)

# names
DROP_NAMES = "DELETE FROM name"
ADD_NAME = "INSERT INTO name (folded, written, entry, rule) VALUES (?, ?, ?, ?)"
NAMED_ENTRIES = (
    "SELECT key, kind, names, state FROM entry WHERE shown = 1 AND kind <> 'procedure' AND names <> '[]' ORDER BY key"
)
NAMES_TO_FIND = "SELECT written, folded, min(rule) FROM name WHERE rule > 0 GROUP BY written, folded ORDER BY written"
DROP_READY_NAMES = "DELETE FROM ready_names"
ADD_READY_NAMES = "INSERT INTO ready_names (data) VALUES (?)"
GET_READY_NAMES = "SELECT data FROM ready_names"
ADD_WORD = "INSERT OR IGNORE INTO word (word) VALUES (?)"
DROP_WORDS = "DELETE FROM word"
LIST_WORDS = "SELECT word FROM word"

# search
SEARCH = """
SELECT entry.key, entry.id, entry.kind, entry.names, entry.text, release.digest, entry.facts,
    -bm25(passage, 8.0, 4.0, 1.0) AS score
FROM passage JOIN entry ON entry.key = passage.rowid JOIN release ON release.id = entry.release
WHERE passage MATCH ? AND entry.shown = 1 {kinds}
ORDER BY score DESC, entry.key LIMIT ?
"""

# warning lists
ADD_LIST = "INSERT INTO warning_list (release, name, matching, types, members) VALUES (?, ?, ?, ?, ?)"
ALL_LISTS = "SELECT id, name, matching, types, members FROM warning_list ORDER BY id"
LIST_NAMES = "SELECT id, name, matching, types FROM warning_list ORDER BY id"
LIST_MEMBERS = "SELECT members FROM warning_list WHERE id = ?"
DROP_TABLES = "DELETE FROM warning_table"
ADD_TABLE = "INSERT INTO warning_table (name, data) VALUES (?, ?)"
GET_TABLE = "SELECT data FROM warning_table WHERE name = ?"


def search_in(kinds: int) -> str:
    """Write the search for this many kinds (0: all); the kinds themselves are bound, never written into it."""
    clause = f"AND entry.kind IN ({', '.join('?' * kinds)})" if kinds else ""
    return SEARCH.format(kinds=clause)
