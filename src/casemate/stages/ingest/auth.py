"""What sshd, sudo, su and PAM say in the system log (`auth.log`, `secure`), read into who, from where and how it went.

Source of the wordings: the messages of OpenSSH, sudo, shadow and Linux-PAM as they stand in public log collections.
"""

import re

from casemate.stages.ingest.values import is_address

Said = tuple[str, str, tuple[tuple[str, str], ...]]
"""The kind of event, its rule in our words, and its fields."""

_USER = r"(?P<user>.{0,256}?)"
_FROM = r"(?P<ip>[0-9A-Za-z.:%_-]{1,255})"
_PORT = r" port (?P<port>\d+)"
_CLOSED = r"(?:Connection (?:closed|reset)|Disconnected)"
_FAILED = r"Failed (?P<how>\S+) for"
_SSHD: tuple[tuple[str, str, re.Pattern[str]], ...] = tuple(
    (rule, status, re.compile(pattern))
    for rule, status, pattern in (
        ("login accepted", "Success", rf"Accepted (?P<how>\S+) for {_USER} from {_FROM}{_PORT}"),
        ("login failed: invalid user", "Failure", rf"{_FAILED} (?:invalid|illegal) user {_USER} from {_FROM}{_PORT}"),
        ("login failed", "Failure", rf"{_FAILED} {_USER} from {_FROM}{_PORT}"),
        ("invalid user", "Failure", rf"(?:Invalid|Illegal) user {_USER} from {_FROM}(?:{_PORT})?"),
        (
            "too many login failures",
            "Failure",
            rf"(?:error: )?maximum authentication attempts exceeded for (?:invalid user )?{_USER} from {_FROM}{_PORT}",
        ),
        (
            "too many login failures",
            "Failure",
            rf"Disconnecting (?:authenticating|invalid) user {_USER} {_FROM}{_PORT}: Too many",
        ),
        (
            "disconnected before login",
            "Failure",
            rf"{_CLOSED} (?:by|from) (?:authenticating|invalid) user {_USER} {_FROM}{_PORT}",
        ),
        ("disconnected", "", rf"Disconnected from user {_USER} {_FROM}{_PORT}"),
        ("disconnected", "", rf"(?:{_CLOSED} (?:by|from)|Received disconnect from) {_FROM}(?:{_PORT})?"),
        ("no identification from client", "Failure", rf"Did not receive identification string from {_FROM}"),
        ("bad protocol from client", "Failure", rf"Bad protocol version identification .{{0,1000}} from {_FROM}"),
        (
            "name and address of client disagree",
            "",
            rf"reverse mapping checking getaddrinfo for (?P<host>\S+) \[{_FROM}\]",
        ),
        ("name and address of client disagree", "", rf"Address {_FROM} maps to (?P<host>[^\s,]+)"),
        ("no key exchange with client", "Failure", rf"Unable to negotiate with {_FROM}{_PORT}"),
        ("user not allowed", "Failure", rf"User {_USER} (?:from {_FROM} )?not allowed because"),
        ("server listening", "", rf"Server listening on {_FROM}{_PORT}"),
    )
)
_SUDO = re.compile(
    r" *(?P<actor>\S{1,256}) : (?:(?P<problem>[^;]{1,200}?) ; )?TTY=(?P<tty>\S*) ;"
    r" PWD=(?P<pwd>.{0,4096}?) ; USER=(?P<user>\S*) ;"
    r"(?: [A-Z]+=\S* ;)*? COMMAND=(?P<command>.*)",
    re.DOTALL,
)
_SU_NEW = re.compile(r"(?P<failed>FAILED SU )?\(to (?P<user>\S{1,256})\) (?P<actor>\S{1,256}) on ")
_SU_OLD = re.compile(r"(?P<way>[+-]) \S{1,64} (?P<actor>[^:\s]{1,256})[:-](?P<user>\S{1,256})$")
_SU_WORDS = re.compile(r"(?P<way>Successful|FAILED) su for (?P<user>\S{1,256}) by (?P<actor>\S{1,256})")
_PAM_PREFIX = re.compile(r"pam_[a-z0-9]+\((?P<service>[^):]{1,64}):(?P<type>[a-z]+)\): ")
_PAM_TAG = re.compile(r"(?P<service>[A-Za-z0-9_-]{1,48})\(pam_[a-z0-9]+\)$")
_SESSION = re.compile(
    r"session (?P<what>opened|closed) for user (?P<user>[^\s(]{1,256})(?:\(uid=\d+\))?"
    r"(?: by (?P<actor>[^\s(]{0,256})\()?"
)
_PAM_USER = re.compile(r"\buser=(\S+)")
_PAM_HOST = re.compile(r"\brhost=(\S+)")


def read_auth(app: str, text: str) -> Said | None:
    """Read what a program of the login family says, None when it is none of them or says something else."""
    tagged = _PAM_TAG.match(app)
    if tagged is not None:
        return _read_pam(tagged["service"], text)
    prefix = _PAM_PREFIX.match(text)
    if prefix is not None:
        said = _read_pam(prefix["service"], text[prefix.end() :])
        if said is not None:
            return said
    if app in ("sshd", "sshd-session", "sshd-auth"):
        return _read_sshd(text)
    if app == "sudo":
        return _read_sudo(text)
    if app == "su":
        return _read_su(text)
    return None


def _read_sshd(text: str) -> Said:
    text = text.removeprefix("message repeated ").lstrip("0123456789").removeprefix(" times: [ ")
    for rule, status, pattern in _SSHD:
        match = pattern.match(text)
        if match is None:
            continue
        found = match.groupdict()
        server = rule == "server listening"
        side = "dst_endpoint" if server else "src_endpoint"
        pairs = (
            ("user.name", found.get("user") or ""),
            (f"{side}.ip" if is_address(found.get("ip") or "") else f"{side}.hostname", found.get("ip") or ""),
            (f"{side}.port", found.get("port") or ""),
            ("src_endpoint.hostname", found.get("host") or ""),
            ("status", status),
        )
        how = found.get("how")
        return "sshd", f"{rule} ({how})" if how else rule, tuple(pair for pair in pairs if pair[1])
    return "sshd", "sshd", ()


def _read_sudo(text: str) -> Said:
    match = _SUDO.match(text)
    if match is None:
        return "sudo", "sudo", ()
    pairs = (
        ("actor.user.name", match["actor"]),
        ("user.name", match["user"]),
        ("process.cmd_line", match["command"][:4096]),
        ("status", "Failure" if match["problem"] else "Success"),
    )
    rule = f"sudo refused: {match['problem']}" if match["problem"] else "sudo command"
    return "sudo", rule, tuple(pair for pair in pairs if pair[1])


def _read_su(text: str) -> Said:
    for pattern in (_SU_NEW, _SU_OLD, _SU_WORDS):
        match = pattern.match(text)
        if match is None:
            continue
        found = match.groupdict()
        failed = bool(found.get("failed")) or found.get("way") in ("-", "FAILED")
        status = "Failure" if failed else "Success"
        rule = "switch of user failed" if failed else "switch of user"
        return "su", rule, (("actor.user.name", match["actor"]), ("user.name", match["user"]), ("status", status))
    return "su", "su", ()


def _read_pam(service: str, text: str) -> Said | None:
    kind = service if service in ("sshd", "sudo", "su") else "pam"
    match = _SESSION.match(text)
    if match is not None:
        pairs = [("user.name", match["user"])]
        if match["actor"]:
            pairs.append(("actor.user.name", match["actor"]))
        return kind, f"session {match['what']} ({service})", tuple(pairs)
    if text.startswith("authentication failure"):
        found = []
        if (host := _PAM_HOST.search(text)) is not None:
            found.append(("src_endpoint.ip" if is_address(host[1]) else "src_endpoint.hostname", host[1]))
        if (user := _PAM_USER.search(text)) is not None:
            found.append(("user.name", user[1]))
        return kind, f"authentication failure ({service})", (*found, ("status", "Failure"))
    if text.startswith("check pass"):
        return kind, f"unknown user ({service})", (("status", "Failure"),)
    return None
