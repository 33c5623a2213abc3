"""A sheet of normalised text that a reader writes run by run and takes away in chunks."""

from collections.abc import Iterator

from casemate.core.text import Chunk
from casemate.stages.ingest.decode import Block, Run, make_chunk


class LineCursor:
    """Tells on which line (from 1) a byte stands; quick when asked for bytes near the last one asked for."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._byte = 0
        self._line = 1

    def line(self, byte: int) -> int:
        """Return the line of a byte."""
        if byte >= self._byte:
            self._line += self._data.count(b"\n", self._byte, byte)
        else:
            self._line -= self._data.count(b"\n", byte, self._byte)
        self._byte = byte
        return self._line


class Sheet:
    """Collects text and its runs; neighbours that are both verbatim become one piece."""

    def __init__(self, part: int, limit: int) -> None:
        self.ends_line = True
        self._part = part
        self._limit = limit
        self._start = 0
        self._texts: list[str] = []
        self._runs: list[Run] = []
        self._size = 0

    def add(self, text: str, run: Run) -> None:
        """Write `text`, all of which is the run's; what is longer than a chunk is written in several runs."""
        while len(text) > self._limit:
            cut = text.rfind("\n", 0, self._limit) + 1 or self._limit
            size = len(text[:cut].encode(run.encoding, "surrogatepass")) if run.verbatim else run.size
            self._append(text[:cut], run._replace(length=cut, size=size))
            if run.verbatim:
                line = run.line + text.count("\n", 0, cut)
                run = run._replace(byte=run.byte + size, size=run.size - size, line=line)
            text = text[cut:]
        self._append(text, run._replace(length=len(text)))

    def add_block(self, block: Block) -> None:
        """Write decoded text with the runs it came with."""
        offset = 0
        for run in block.runs:
            self.add(block.text[offset : offset + run.length], run)
            offset += run.length

    def break_line(self, byte: int, size: int, line: int, note: str = "") -> None:
        """Begin a new line unless there is one; it was made from these bytes."""
        if not self.ends_line:
            self.add("\n", Run(1, byte, size, line, verbatim=False, note=note))

    def take_full(self) -> Iterator[Chunk]:
        """Take away what fills a chunk, at a line end; call it often, so that little more than a chunk is ever held."""
        if self._size >= self._limit and (self.ends_line or self._size >= 2 * self._limit):
            yield from self.take_all()

    def take_all(self) -> Iterator[Chunk]:
        """Take away everything written so far, in chunks that end at a line end where a piece ends there."""
        whole = "".join(self._texts)
        runs, self._texts, self._runs, self._size = self._runs, [], [], 0
        begin = end = first = 0
        cut = (0, 0)  # the last place in this chunk where a piece and a line end: number of the run, offset
        for number, run in enumerate(runs):
            if number > first and end - begin + run.length > self._limit:
                after, stop = cut if cut[0] > first else (number, end)
                yield self._chunk(whole[begin:stop], runs[first:after])
                first, begin = after, stop
            end += run.length
            if whole[end - 1] == "\n":
                cut = (number + 1, end)
        if first < len(runs):
            yield self._chunk(whole[begin:], runs[first:])

    def _chunk(self, text: str, runs: list[Run]) -> Chunk:
        chunk = make_chunk(self._part, self._start, Block(text, tuple(runs)))
        self._start += len(chunk.text)
        return chunk

    def _append(self, text: str, run: Run) -> None:
        if not text:
            return
        at_line_end = self.ends_line
        self._texts.append(text)
        self._size += len(text)
        self.ends_line = text.endswith("\n")
        last = self._runs[-1] if self._runs else None
        if (
            last is not None
            and last.verbatim
            and run.verbatim
            and last.byte + last.size == run.byte
            and (last.encoding, last.note) == (run.encoding, run.note)
            and last.length + run.length <= self._limit
            and not (at_line_end and last.length > self._limit // 2)
        ):
            self._runs[-1] = last._replace(length=last.length + run.length, size=last.size + run.size)
        else:
            self._runs.append(run)
