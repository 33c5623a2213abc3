"""Parts of a bulk run: two Parquet files for some items each, cases and readings in one, texts in the other."""

import json
import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from casemate.core.case import Case
from casemate.core.digest import Digest
from casemate.core.errors import StoreFailed, WrongUsage
from casemate.core.text import Chunk, Piece
from casemate.store import case_to_json

ROWS_AT_ONCE = 8
WAY_OUT = "give --parquet a folder of your own that nobody else may write to, with room in it"


@dataclass(frozen=True, slots=True)
class Row:
    """What came of one item: its case, reading and original, or in `problem` why there are none."""

    key: Digest
    source: str
    sha256: Digest
    size: int
    problem: str = ""
    case: bytes = b""
    reading: bytes = b""
    original: bytes | None = None


@cache
def _schemas() -> tuple[Any, Any]:
    import pyarrow as pa

    rows = pa.schema(
        [
            ("key", pa.string()),
            ("source", pa.binary()),  # a name is whatever bytes the file system holds
            ("sha256", pa.string()),
            ("size", pa.int64()),
            ("problem", pa.string()),
            ("id", pa.string()),
            ("marking", pa.string()),
            ("disposition", pa.string()),
            ("priority", pa.int32()),
            ("case", pa.large_binary()),
            ("reading", pa.large_binary()),
            ("original", pa.large_binary()),
        ]
    )
    texts = pa.schema(
        [
            ("key", pa.string()),
            ("part", pa.int32()),
            ("evidence", pa.string()),
            ("start", pa.int64()),
            ("text", pa.large_binary()),
            ("pieces", pa.large_binary()),
        ]
    )
    return rows, texts


@dataclass(slots=True)
class PartWriter:
    """Writes one part as a context manager: what it is called is there whole, or not at all."""

    folder: Path
    name: str
    _files: list[Any] = field(default_factory=list)
    _writers: list[Any] = field(default_factory=list)

    def add(self, row: Row, case: Case | None = None) -> None:
        """Write what came of one item; `case` fills the columns that others may want to search by."""
        summary = {
            "id": case.id if case else "",
            "marking": case.marking.value if case else "",
            "disposition": case.disposition.value if case else "",
            "priority": case.assessment.proposal.priority if case else 0,
        }
        self._write(
            0,
            {
                "key": row.key,
                "source": row.source.encode("utf-8", "surrogatepass"),
                "sha256": row.sha256,
                "size": row.size,
                "problem": row.problem,
                "case": case_to_json(case) if case else b"",
                "reading": row.reading,
                "original": row.original,
                **summary,
            },
        )

    def add_text(self, key: Digest, part: int, evidence: Digest, chunk: Chunk) -> None:
        """Write a chunk of the text of a part of an item."""
        pieces = [
            [one.start, one.length, one.byte, one.size, one.line, one.verbatim, one.encoding, one.note]
            for one in chunk.pieces
        ]
        self._write(
            1,
            {
                "key": key,
                "part": part,
                "evidence": evidence,
                "start": chunk.start,
                "text": chunk.text.encode("utf-8", "surrogatepass"),
                "pieces": json.dumps(pieces).encode(),
            },
        )

    def _write(self, which: int, row: Mapping[str, object]) -> None:
        import pyarrow as pa

        self._writers[which].write_table(pa.Table.from_pylist([row], schema=_schemas()[which]))

    def __enter__(self) -> Self:
        import pyarrow.parquet as pq

        for file, schema in zip(files_of(self.folder, self.name), _schemas(), strict=True):
            try:
                opened = os.open(_unfinished(file), os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
            except OSError as error:
                raise StoreFailed(f"{file}: {error.strerror}", way_out=WAY_OUT) from error
            self._files.append(os.fdopen(opened, "wb"))
            self._writers.append(pq.ParquetWriter(self._files[-1], schema, compression="zstd"))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        files = files_of(self.folder, self.name)
        try:
            for writer, opened in zip(self._writers, self._files, strict=True):
                writer.close()
                opened.flush()
                os.fsync(opened.fileno())
                opened.close()
            if kind is None:
                for file in reversed(files):  # the one that is looked for comes last
                    _unfinished(file).replace(file)
        except OSError as failed:
            raise StoreFailed(f"{files[0]}: {failed.strerror}", way_out=WAY_OUT) from failed
        finally:
            for file in files:
                _unfinished(file).unlink(missing_ok=True)


def files_of(folder: Path, name: str) -> tuple[Path, Path]:
    """Name the two files of a part: cases and readings, and texts."""
    return folder / f"{name}.parquet", folder / f"{name}.texts.parquet"


def _unfinished(file: Path) -> Path:
    return file.with_name(file.name + ".part")


def was_begun(folder: Path, name: str) -> bool:
    """Say whether somebody works on a part, or died of it."""
    return _unfinished(files_of(folder, name)[0]).exists()


def parts_in(folder: Path) -> list[str]:
    """List the parts in a folder that are there whole."""
    names = sorted(file.name.removesuffix(".parquet") for file in folder.glob("part-*.parquet"))
    return [name for name in names if not name.endswith(".texts") and all(map(Path.is_file, files_of(folder, name)))]


def keys_of(folder: Path, name: str) -> dict[Digest, str]:
    """Give the keys of the items of a part, each with its problem."""
    table = _table(files_of(folder, name)[0], ["key", "problem"])
    return {Digest(row["key"]): row["problem"] for row in table}


def rows_of(folder: Path, name: str) -> Iterator[Row]:
    """Give what came of the items of a part, a few at a time in memory."""
    for row in _table(
        files_of(folder, name)[0], ["key", "source", "sha256", "size", "problem", "case", "reading", "original"]
    ):
        row["source"] = row["source"].decode("utf-8", "surrogatepass")
        yield Row(**row)


def texts_of_item(folder: Path, name: str, key: Digest) -> Iterator[tuple[int, Digest, Chunk]]:
    """Give the texts of one item: the number of the part in it, the evidence, and its chunks in order."""
    columns = ["key", "part", "evidence", "start", "text", "pieces"]
    for row in _table(files_of(folder, name)[1], columns, key):
        pieces = tuple(Piece(*one) for one in json.loads(row["pieces"]))
        text = row["text"].decode("utf-8", "surrogatepass")
        yield row["part"], Digest(row["evidence"]), Chunk(row["part"], row["start"], text, pieces)


def _table(file: Path, columns: Sequence[str], key: Digest | None = None) -> Iterator[dict[str, Any]]:
    import pyarrow as pa
    import pyarrow.dataset as ds

    try:
        dataset = ds.dataset(file, format="parquet")
        wanted = None if key is None else ds.field("key") == key
        for batch in dataset.to_batches(columns=list(columns), filter=wanted, batch_size=ROWS_AT_ONCE):
            yield from batch.to_pylist()
    except (OSError, pa.ArrowException) as error:
        raise StoreFailed(f"{file}: {error}", way_out="remove that part; the same command makes it again") from error


def prepare_folder(folder: Path) -> Path:
    """Make the folder of the parts, or take one that only its owner can write to; `WrongUsage` for any other.

    What a killed run left unfinished there is removed.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.stat()
    except OSError as error:
        raise WrongUsage(f"{folder}: {error.strerror}", way_out=WAY_OUT) from error
    if found.st_uid != os.getuid() or stat.S_IMODE(found.st_mode) & 0o022:
        raise WrongUsage(f"{folder}: others could put cases there", way_out=WAY_OUT)
    for left in folder.glob("part-*.part"):
        left.unlink(missing_ok=True)
    return folder
