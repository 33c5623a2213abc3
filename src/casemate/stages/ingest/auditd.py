"""Records of the Linux audit system (`audit.log`): `type=... msg=audit(time:id): key=value ...`.

The records of one id that stand next to each other are one event. Source of the names: the audit documentation,
"audit event fields" and `auparse` (which values are written in hexadecimal).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from casemate.stages.ingest.record import Placed, Record
from casemate.stages.ingest.times import time_of
from casemate.stages.ingest.values import VALUE_CHARS, describe, summary_of, techniques_in

_HEAD = re.compile(
    r"(?:\S{1,255} )?(?:[A-Z][a-z]{2} .{12,120}?(?=(?:type|node)=))?(?:node=(?P<node>\S{1,255}) )?"
    r"type=(?P<type>[A-Za-z0-9_\[\]]{1,64})"
    r" (?:msg=)?audit\((?P<time>\d{1,12}(?:\.\d{1,9})?):(?P<id>\d{1,20})\): ?"
)
_PAIR = re.compile(r"""([A-Za-z_][A-Za-z0-9_-]{0,63})=("[^"]*"|'[^']*'|[^\s'"]+)""")
_HEX = re.compile(r"(?:[0-9A-F]{2})+")
_HEX_KEYS = frozenset(("proctitle", "exe", "comm", "cmd", "cwd", "name", "data", "acct", "path", "ocomm", "dir", "key"))
_ARGUMENT = re.compile(r"a\d{1,3}(?:\[\d{1,4}\])?")
_UNSET = frozenset(("(null)", "?", '"?"', "(none)", "unset", "4294967295", "-1"))
_GROUP_LINES = 500  # a hostile log may repeat one id for ever
_STATUS = {"yes": "Success", "no": "Failure", "success": "Success", "failed": "Failure", "1": "Success", "0": "Failure"}
_FIRST = ("SYSCALL", "EXECVE", "CWD", "PATH", "PROCTITLE", "SOCKADDR", "EOE", "CONFIG_CHANGE", "AVC")


def matches(lines: Sequence[str]) -> bool:
    """Tell whether the first lines are audit records: at least half of up to twenty."""
    seen = lines[:20]
    return bool(seen) and 2 * sum(_HEAD.match(line) is not None for line in seen) >= len(seen)


@dataclass(slots=True)
class AuditLines:
    """Reads audit records and puts those of one id together."""

    _held: list[tuple[str, list[tuple[str, str]]]] = field(default_factory=list)
    _key: tuple[str, str, str] = ("", "", "")
    _start: int = 0
    _end: int = 0

    def take(self, start: int, line: str) -> Sequence[Placed]:
        """Read one record; gives the event before it when that is complete."""
        match = _HEAD.match(line)
        if match is None:
            return self.finish()
        key = (match["node"] or "", match["time"], match["id"])
        done: Sequence[Placed] = ()
        if key != self._key or len(self._held) >= _GROUP_LINES:
            done = self.finish()
            self._key, self._start = key, start
        self._held.append((match["type"], read_pairs(match["type"], line[match.end() :])))
        self._end = start + len(line)
        return done

    def finish(self) -> Sequence[Placed]:
        """Give the event that is still open."""
        if not self._held:
            return ()
        done = Placed(self._start, self._end, _record_of(self._key, self._held))
        self._held, self._key = [], ("", "", "")
        return (done,)


def parse_line(line: str, _now: datetime) -> Record | None:
    """Read one record by itself, for a stray line in another log."""
    lines = AuditLines()
    if _HEAD.match(line) is None:
        return None
    lines.take(0, line)
    return next((placed.record for placed in lines.finish()), None)


def read_pairs(kind: str, text: str) -> list[tuple[str, str]]:
    """Read the `key=value` pairs of one record; the pairs inside `msg='...'` too; hexadecimal values are decoded."""
    found: list[tuple[str, str]] = []
    for part in text.split("\x1d"):
        for name, value in _PAIR.findall(part):
            if value.startswith("'"):
                found.extend((inner, _value(kind, inner, raw)) for inner, raw in _PAIR.findall(value[1:-1]))
            else:
                found.append((name, _value(kind, name, value)))
    return [(name, value) for name, value in found if value]


def _value(kind: str, name: str, value: str) -> str:
    if value in _UNSET:
        return ""
    if value.startswith('"'):
        return value[1:-1][:VALUE_CHARS]
    argument = kind == "EXECVE" and _ARGUMENT.fullmatch(name) is not None
    if (argument or name in _HEX_KEYS) and _HEX.fullmatch(value[: 2 * VALUE_CHARS]):
        data = bytes.fromhex(value[: 2 * VALUE_CHARS]).rstrip(b"\0")
        return data.replace(b"\0", b" ").decode("utf-8", "replace")
    return value[:VALUE_CHARS]


def _record_of(key: tuple[str, str, str], held: Sequence[tuple[str, list[tuple[str, str]]]]) -> Record:
    node, stamp, _ = key
    said: dict[str, str] = {}
    command: list[str] = []
    paths: list[str] = []
    for kind, pairs in held:
        values = dict(pairs)
        if kind == "EXECVE":
            command.extend(value for name, value in pairs if _ARGUMENT.fullmatch(name))
        elif kind == "PATH" and "name" in values and values.get("nametype") != "PARENT":
            paths.append(values["name"])
        for name, value in pairs:
            if kind != "EXECVE":
                said.setdefault(name, value)
    kinds = [kind for kind, _ in held]
    line = " ".join(command)[:VALUE_CHARS] or said.get("proctitle", "") or said.get("cmd", "")
    address = _address(said.get("saddr", ""))
    status = said.get("res") or said.get("success") or ""
    remote = said.get("addr", "")
    pairs_out = (
        ("device.hostname", node),
        ("src_endpoint.ip", remote),
        ("src_endpoint.hostname", said.get("hostname", "") if said.get("hostname") != remote else ""),
        ("dst_endpoint.ip", address[0]),
        ("dst_endpoint.port", address[1]),
        ("actor.user.name", said.get("AUID") or said.get("auid", "")),
        ("user.name", said.get("acct") or said.get("UID") or said.get("uid", "")),
        ("process.name", said.get("exe") or said.get("comm", "")),
        ("process.pid", said.get("pid", "")),
        ("process.cmd_line", line),
        ("file.path", paths[0] if paths else ""),
        ("api.operation", said.get("op") or said.get("SYSCALL") or said.get("syscall", "")),
        ("status", _STATUS.get(status, status)),
    )
    fields = tuple(pair for pair in pairs_out if pair[1])
    watch = said.get("key", "")
    rule = next((kind for kind in kinds if kind not in _FIRST), kinds[0])
    return Record(
        kind="auditd",
        time=time_of(float(stamp)),
        rule=summary_of(f"{rule} {watch}"),
        message=summary_of(line) or describe(fields),
        severity=1,
        techniques=techniques_in((watch,)),
        fields=fields,
    )


def _address(data: str) -> tuple[str, str]:
    # A sockaddr in hexadecimal: the family in the byte order of the machine, port and address in network order.
    if len(data) >= 16 and data.startswith("0200") and _HEX.fullmatch(data[:16]):
        return ".".join(str(int(data[at : at + 2], 16)) for at in (8, 10, 12, 14)), str(int(data[4:8], 16))
    return "", ""
