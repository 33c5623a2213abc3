"""Cutting a stream of syslog into messages: octet counting and line ends (RFC 6587 sections 3.4.1 and 3.4.2)."""

import re

_COUNT = re.compile(rb"([1-9]\d{0,6}) <")
_MAY_BECOME_COUNT = re.compile(rb"[1-9]\d{0,6}( ?)\Z")
_BETWEEN = b"\r\n\0"
_CONTROLS = {b"\n": b"#012", b"\r": b"#015", b"\0": b"#000"}


class Frames:
    """Takes the bytes of one connection as they come and gives whole messages; each frame may be of either kind.

    A message above `most` bytes is cut, which a receiver may do (RFC 5424 section 6.1); `cut` counts those. A count
    stands only where a `<` follows it, as in `40 <34>1 ...`; other digits begin a line.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._buffer = bytearray()
        self._skip = 0  # bytes of a counted message that are thrown away
        self._skip_line = False
        self._searched = 0
        self.cut = 0

    def feed(self, data: bytes) -> list[bytes]:
        """Take bytes and give the messages that are complete by now."""
        self._buffer += data
        found: list[bytes] = []
        while self._pass() and (message := self._next()) is not None:
            if message:
                found.append(message)
        return found

    def end(self) -> list[bytes]:
        """Give what is left at the end of a connection: a line without a line end, or a part of a counted message."""
        if not self._pass():
            return []
        counted = _COUNT.match(self._buffer)
        rest = bytes(self._buffer[counted.end() - 1 if counted else 0 :])[: self._most]
        self.cut += counted is not None
        self._buffer.clear()
        return [rest] if rest else []

    def _pass(self) -> bool:
        """Throw away what is to be skipped; false when nothing is left."""
        if self._skip:
            gone = min(self._skip, len(self._buffer))
            del self._buffer[:gone]
            self._skip -= gone
        if self._skip_line:
            end = self._buffer.find(b"\n")
            del self._buffer[: end + 1 if end >= 0 else len(self._buffer)]
            self._skip_line = end < 0
        if not self._searched:
            left = len(self._buffer) - len(self._buffer.lstrip(_BETWEEN))
            del self._buffer[:left]
        return bool(self._buffer)

    def _next(self) -> bytes | None:
        counted = _COUNT.match(self._buffer)
        if counted is not None:
            return self._counted(counted.end() - 1, int(counted[1]))
        if _MAY_BECOME_COUNT.match(self._buffer):
            return None
        return self._line()

    def _counted(self, begin: int, size: int) -> bytes | None:
        taken = min(size, self._most)
        if len(self._buffer) - begin < taken:
            return None
        message = bytes(self._buffer[begin : begin + taken])
        del self._buffer[: begin + taken]
        self._skip = size - taken
        self.cut += size > taken
        return message

    def _line(self) -> bytes | None:
        end = self._buffer.find(b"\n", self._searched, self._most + 1)
        if end < 0 and len(self._buffer) <= self._most:
            self._searched = len(self._buffer)
            return None
        self._searched = 0
        if end < 0:
            message = bytes(self._buffer[: self._most])
            del self._buffer[: self._most]
            self._skip_line = True
            self.cut += 1
            return message
        message = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        return message


def one_line(message: bytes) -> bytes:
    """Write a message on one line: trailing line ends go, others become `#012` and the like, as rsyslog writes them."""
    message = message.rstrip(_BETWEEN)
    for raw, shown in _CONTROLS.items():
        message = message.replace(raw, shown)
    return message
