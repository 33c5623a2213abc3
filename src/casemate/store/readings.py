"""What reading sources came to, and their originals: kept once under their name, whoever stores them first."""

from sqlalchemy import Connection, bindparam, insert, select

from casemate.audit import NewAuditEvent
from casemate.audit.chain import write_time
from casemate.core.digest import Digest, digest_bytes
from casemate.core.errors import RecordFailed
from casemate.store.ledger import Change
from casemate.store.packing import pack, unpack
from casemate.store.runs import mark_input
from casemate.store.tables import blobs, readings
from casemate.store.verify import CONTENT

_READING = select(readings.c.data).where(readings.c.key == bindparam("named"))
_HAS_READING = select(readings.c.key).where(readings.c.key == bindparam("named"))
_NEW_READING = insert(readings)
_HAS_ORIGINAL = select(blobs.c.size).where(blobs.c.digest == bindparam("named"))
_ORIGINAL = select(blobs.c.data).where(blobs.c.digest == bindparam("named"))
_NEW_ORIGINAL = insert(blobs)


def put_reading(change: Change, key: str, data: bytes, event: NewAuditEvent, run: str, source: str) -> bool:
    """Keep what reading one source came to; false (and no event) when the key is there already: the first stays.

    With `run`, the input `source` of that run is done.
    """
    there = change.connection.execute(_HAS_READING, {"named": key}).scalar()
    if run:
        mark_input(change.connection, run, source, key)
    if there is not None:
        return False
    change.connection.execute(_NEW_READING, {"key": key, "time": write_time(change.now), "data": pack(data)})
    change.tell(event, CONTENT, digest_bytes(data))
    return True


def get_reading(connection: Connection, key: str) -> bytes | None:
    """Read what an earlier reading under this key came to, if there was one."""
    data = connection.execute(_READING, {"named": key}).scalar()
    return None if data is None else unpack(data, f"reading {key}")


def put_original(connection: Connection, digest: Digest, data: bytes) -> None:
    """Keep an original as it was received."""
    if connection.execute(_HAS_ORIGINAL, {"named": digest}).scalar() is None:
        connection.execute(_NEW_ORIGINAL, {"digest": digest, "size": len(data), "data": pack(data)})


def get_original(connection: Connection, digest: Digest) -> bytes | None:
    """Read an original, None when it was not kept; `RecordFailed` when it is not what it was."""
    packed = connection.execute(_ORIGINAL, {"named": digest}).scalar()
    if packed is None:
        return None
    data = unpack(packed, f"original {digest}")
    if digest_bytes(data) != digest:
        raise RecordFailed(f"original {digest} was altered in the store", way_out="bring it back from a backup")
    return data
