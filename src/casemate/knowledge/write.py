"""Write an index: always a whole new file, put in place at the end, so that nothing is ever half imported."""

import json
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path

from casemate.core.digest import Digest
from casemate.core.errors import StoreFailed
from casemate.knowledge import queries
from casemate.knowledge.flags import make_tables, pack_members
from casemate.knowledge.folding import fold_name
from casemate.knowledge.names import pack_names, rule_of
from casemate.knowledge.pieces import ADD_PARAGRAPH, DROP_PARAGRAPHS, PIECES_SCHEMA, make_pieces
from casemate.knowledge.records import Edition, Note, Paragraph, Progress, Record
from casemate.knowledge.seal import check_seal, put_in_place

_TOLD_EVERY = 2_000


@contextmanager
def new_index(path: Path, *, onto: bool) -> Iterator[sqlite3.Connection]:
    """Give a connection to a copy of the index (`onto`) or to an empty one; it takes its place when all went well.

    Raises `NotTrusted` when the index to build on is not trusted, `StoreFailed` when the disk refuses.
    """
    made = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        made.unlink(missing_ok=True)
        if onto:
            check_seal(path)
            shutil.copyfile(path, made)
        with closing(sqlite3.connect(made, isolation_level=None)) as connection:
            for statement in queries.FAST_WRITES:
                connection.execute(statement)
            if not onto:
                connection.executescript(queries.SCHEMA + PIECES_SCHEMA)
                connection.execute(queries.SET_APPLICATION)
                connection.execute(queries.SET_VERSION)
            connection.execute("BEGIN")
            yield connection
            connection.execute("COMMIT")
            connection.execute(queries.FLUSH)
        with made.open("rb+") as stream:
            os.fsync(stream.fileno())
        put_in_place(made, path)
    except (OSError, sqlite3.Error) as error:
        raise StoreFailed(
            f"knowledge index {path}: {error}", way_out="check the free space and the rights on that folder"
        ) from error
    finally:
        made.unlink(missing_ok=True)


def add_edition(
    connection: sqlite3.Connection, edition: Edition, digest: Digest, imported: datetime, progress: Progress
) -> int:
    """Write an edition in place of an older one of the same source; return the number of its release."""
    drop_source(connection, edition.source)
    cursor = connection.execute(
        queries.ADD_RELEASE,
        (
            edition.source,
            edition.name,
            edition.version,
            digest,
            imported.isoformat(),
            edition.notice,
            edition.rank,
        ),
    )
    release = int(cursor.lastrowid or 0)
    for count, item in enumerate(edition.items, start=1):
        if isinstance(item, Record):
            _add_record(connection, release, item)
        elif isinstance(item, Note):
            connection.execute(queries.ADD_NOTE, (item.id, release, json.dumps(item.facts)))
        elif isinstance(item, Paragraph):
            connection.execute(ADD_PARAGRAPH, (release, item.id, item.other, item.heading, item.text))
        else:
            row = (release, item.name, item.matching, " ".join(item.types), pack_members(item))
            connection.execute(queries.ADD_LIST, row)
        if count % _TOLD_EVERY == 0:
            progress(edition.name, count, 0)
    connection.execute(queries.COUNT_RELEASE, {"id": release})
    return release


def _add_record(connection: sqlite3.Connection, release: int, record: Record) -> None:
    names = json.dumps(record.names, ensure_ascii=False)
    cursor = connection.execute(
        queries.ADD_ENTRY,
        (
            release,
            record.id,
            record.uuid,
            record.kind,
            names,
            record.text,
            record.state,
            record.successor,
            record.url,
            json.dumps(record.facts, ensure_ascii=False),
            json.dumps(record.links, ensure_ascii=False),
        ),
    )
    connection.execute(queries.ADD_PASSAGE, (cursor.lastrowid, *_passage(record.id, record.names, record.text)))


def _passage(id_: str, names: Iterable[str], text: str) -> tuple[str, str, str]:
    """Make what the full-text index holds of an entry: its title with the id, its other names, its text."""
    canonical, *others = [*names] or [""]
    return f"{id_} {canonical}", "\n".join(others), text


def drop_source(connection: sqlite3.Connection, source: str) -> bool:
    """Remove the release of a source with all it brought; tell whether there was one."""
    row = connection.execute(queries.FIND_RELEASE, (source,)).fetchone()
    if row is None:
        return False
    for key, id_, names, text in connection.execute(queries.ENTRIES_OF_RELEASE, row).fetchall():
        connection.execute(queries.DROP_PASSAGE, (key, *_passage(id_, json.loads(names), text)))
    for statement in (DROP_PARAGRAPHS, *queries.DROP_RELEASE):
        connection.execute(statement, row)
    return True


def finish(connection: sqlite3.Connection, *, lists_changed: bool, progress: Progress) -> None:
    """Choose the row that describes each id, write every name with its rule, and join the warning lists."""
    progress("choosing among editions", 0, 0)
    connection.execute(queries.HIDE_ALL)
    connection.execute(queries.SHOW_BEST)
    words = frozenset(row[0] for row in connection.execute(queries.LIST_WORDS))
    progress("indexing names", 0, 0)
    connection.execute(queries.DROP_NAMES)
    connection.executemany(queries.ADD_NAME, _names(connection, words))
    connection.execute(queries.DROP_READY_NAMES)
    connection.execute(queries.ADD_READY_NAMES, [pack_names(connection.execute(queries.NAMES_TO_FIND), words)])
    make_pieces(connection, progress)
    if lists_changed:
        progress("joining warning lists", 0, 0)
        connection.execute(queries.DROP_TABLES)
        rows = (
            (number, matching, members) for number, _, matching, _, members in connection.execute(queries.ALL_LISTS)
        )
        connection.executemany(queries.ADD_TABLE, sorted(make_tables(rows).items()))


def _names(connection: sqlite3.Connection, words: frozenset[str]) -> list[tuple[str, str, int, int]]:
    rows = []
    for key, kind, names, state in connection.execute(queries.NAMED_ENTRIES).fetchall():
        seen: set[str] = set()
        for name in json.loads(names):
            folded = fold_name(name)
            if folded and name not in seen:
                seen.add(name)
                rows.append((folded, name, key, rule_of(name, kind, state, words)))
    return rows


def set_words(connection: sqlite3.Connection, words: Callable[[], Iterable[str]]) -> None:
    """Replace the ordinary words that names are measured against."""
    connection.execute(queries.DROP_WORDS)
    connection.executemany(queries.ADD_WORD, ((word,) for word in sorted(words())))
