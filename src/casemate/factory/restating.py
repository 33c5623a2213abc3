"""Say again what a stretch of evidence says: a quotation that stands in it word for word, and a sentence of its words.

Every rule is a pattern over the evidence; the sentence is made of what the pattern found and of nothing else, so it is
true of the quotation by construction. What the product's own checks would drop is not used.
"""

import random
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

SHORTEST, LONGEST = 8, 110
"""Characters of a quotation; the schema of the product takes 8 to 120."""

LONGEST_TEXT = 158


@dataclass(frozen=True, slots=True)
class Restated:
    """A quotation, where it begins in the evidence, the sentences that say the same, and how much it tells."""

    quote: str
    start: int
    texts: tuple[str, ...]
    weight: float


@dataclass(frozen=True, slots=True)
class Rule:
    """A pattern whose group `q` is quoted, and the sentences for it; `{name}` stands for a group."""

    pattern: re.Pattern[str]
    texts: tuple[str, ...]
    weight: float


def _rule(pattern: str, weight: float, *texts: str) -> Rule:
    return Rule(re.compile(pattern, re.MULTILINE), texts, weight)


_IP = r"\d{1,3}(?:\.\d{1,3}){3}"

RULES: Mapping[str, Rule] = {
    "failed-login": _rule(
        rf"(?P<q>FAILED LOGIN for (?P<user>\S+)(?: to \w+)? \((?P<ip>{_IP})\))",
        3,
        "A login for {user} from {ip} failed.",
        "A failed login for {user} came from {ip}.",
    ),
    "authentication-failure": _rule(
        r"(?P<q>(?P<mod>pam_unix\(\S+?\)): authentication failure;[^\n\"]{0,60}?rhost=(?P<ip>\S+) +user=(?P<user>\w+))",
        3,
        "{mod} logged an authentication failure of user {user} with rhost {ip}.",
        "An authentication failure was logged for user {user}, rhost {ip}.",
    ),
    "disconnected": _rule(
        r"(?P<q>(?P<prog>\w+-login): Disconnected \((?P<why>[^)]{5,50})\): user=<(?P<user>\w+)>)",
        3,
        "{prog} disconnected user {user} ({why}).",
        "User {user} was disconnected by {prog}: {why}.",
    ),
    "password": _rule(
        r"(?P<q>(?P<what>Failed|Accepted) (?P<how>password|publickey) for (?P<user>(?:invalid user )?\S+) "
        rf"from (?P<ip>{_IP}) port (?P<port>\d+))",
        3,
        "{what} {how} for {user} from {ip}.",
        "sshd logged a {how} for {user} from {ip} port {port}: {what}.",
    ),
    "invalid-user": _rule(
        rf"(?P<q>[Ii]nvalid user (?P<user>\S+) from (?P<ip>{_IP}))", 2, "The invalid user {user} came from {ip}."
    ),
    "session": _rule(
        r"(?P<q>session (?P<what>opened|closed) for user (?P<user>[\w.-]+))",
        2,
        "A session was {what} for user {user}.",
        "The session of user {user} was {what}.",
    ),
    "sudo": _rule(
        r"(?P<q>(?P<user>\S+) : TTY=\S+ ; PWD=\S+ ; USER=(?P<as>\S+) ; COMMAND=(?P<cmd>[^\n\"]{3,60}))",
        3,
        "{user} ran the command {cmd} as {as}.",
    ),
    "ids-alert": _rule(
        r"\[\*\*\] (?P<q>\[[\d:]+\] (?P<sig>[^\[\]\n]{8,80}?)) \[\*\*\]",
        3,
        "The IDS alert is {sig}.",
        "An alert was raised: {sig}.",
    ),
    "classification": _rule(
        r"(?P<q>\[Classification: (?P<what>[^\]\n]{5,60})\] \[Priority: (?P<prio>\d)\])",
        2,
        "Its classification is {what}, with priority {prio}.",
        "The alert has the classification {what} and priority {prio}.",
    ),
    "request": _rule(
        r"\"?(?P<q>(?P<method>GET|POST|HEAD|PUT|DELETE) (?P<path>/[^\s\"]{3,60}) HTTP/1\.\d\"? (?P<code>\d{3}))\b",
        3,
        "An HTTP {method} of {path} was answered {code}.",
        "The HTTP request {method} {path} got {code}.",
    ),
    "port-and-domain": _rule(
        r"(?P<q>(?P<ip>[\d.\[\]]{9,19}) port (?P<port>\d+) - (?P<name>[\w.\[\]-]{5,50}) "
        r"- {1,2}(?P<what>[^\n]{3,40}?)) *$",
        3,
        "{what} with {name} at {ip} used port {port}.",
        "{name} at {ip} port {port}: {what}.",
    ),
    "address-of-domain": _rule(
        r"^- (?P<q>(?P<ip>[\d.\[\]]{9,19}) - (?P<name>[\w-]{3,40}(?:\[\.\]|\.)[\w.\[\]]{2,20})) *$",
        2,
        "{name} stands beside {ip}.",
        "The address of {name} is {ip}.",
    ),
    "bullet-label": _rule(
        r"^- +(?P<q>(?P<label>[A-Z][A-Za-z0-9 -]{3,40}): (?P<value>[^\n]{3,70}?)) *$",
        2.5,
        "The {lower_label} is {value}.",
        "{label}: {value}.",
        "It gives {value} as the {lower_label}.",
    ),
    "chain": _rule(
        r"^- +(?P<q>(?P<first>[^\n>]{4,40}?) --> (?P<next>[^\n>]{4,50}?))(?: -->| *$)",
        3,
        "The {first} leads to {next}.",
        "{first} comes first and {next} comes next.",
    ),
    "key-values": _rule(
        r"(?P<q>\b(?P<k1>[a-z][a-z_]{2,18})=\"?(?P<v1>[\w./:@-]{2,40})\"? "
        r"(?P<k2>[a-z][a-z_]{2,18})=\"?(?P<v2>[\w./:@-]{2,40})\"?)",
        0.6,
        "The {k1} is {v1} and the {k2} is {v2}.",
    ),
    "program-says": _rule(
        r"^(?:\w{3} +\d+ [\d:]{8}|[\d-]{10}T\S+) "
        r"(?P<q>(?P<host>[\w.-]+) (?P<prog>[\w./-]+)(?:\[\d+\])?: (?P<msg>[^\n\"]{10,70}))$",
        1.5,
        "{prog} on {host} says: {msg}.",
    ),
}
"""Name -> rule for lines whose form is known; JSON pairs and prose have functions of their own."""

_PAIR = re.compile(
    r'(?P<key>"(?P<k>[A-Za-z_][\w .@-]{1,30})" ?: ?)(?P<value>"(?P<v>[^"\n]{3,80})"|(?P<n>\d{1,6}))(?=[,}\s])'
)
_TELLS = frozenset(
    ["description", "msg", "message", "note", "signature", "category", "full_log", "sub", "title", "rule", "summary"]
)
_NAMES = frozenset(
    {
        "commandline",
        "image",
        "parentimage",
        "parentcommandline",
        "eventname",
        "eventsource",
        "sourceipaddress",
        "username",
        "user",
        "useragent",
        "user_agent",
        "status",
        "query",
        "host",
        "hostname",
        "uri",
        "method",
        "service",
        "operation",
        "srcip",
        "dstip",
        "src_ip",
        "dest_ip",
        "srcuser",
        "dstuser",
        "program_name",
        "location",
        "subject",
        "helo",
        "filter",
        "targetfilename",
        "targetobject",
        "computer",
        "channel",
        "errorcode",
        "errormessage",
        "awsregion",
        "src",
        "dst",
        "dest_port",
        "proto",
        "server_name",
        "client",
        "version",
        "cipher",
        "mailfrom",
        "rcptto",
        "action",
        "protocol",
        "originalfilename",
        "imageloaded",
        "sourceimage",
        "targetimage",
        "destinationip",
        "destinationport",
        "destinationhostname",
        "parentuser",
        "company",
        "product",
        "named_pipe",
        "endpoint",
        "share_type",
        "scope",
        "result",
        "id.orig_h",
        "id.resp_h",
        "id.resp_p",
        "certificate.subject",
        "certificate.issuer",
        "validation_status",
        "app_proto",
        "event_type",
    }
)


def _restate_pairs(text: str) -> Iterator[Restated]:
    found = list(_PAIR.finditer(text))
    for one in found:
        key, value = one["k"], (one["v"] or "").rstrip(". ")
        if key.lower() in _TELLS and " " in value:
            told = (f"The {key} says: {value}.", f"{value}.", f"The {key} is {value}.")
            yield Restated(value, one.start("v"), told, 3.0)  # the value alone: nothing to escape
        elif key.lower() in _NAMES:
            said = (f"The {key} is {value or one['n']}.", f"{value or one['n']} is the {key}.")
            yield Restated(one[0][1:].rstrip('"'), one.start() + 1, said, 1.2)
    for one, other in pairwise(found):
        if other.start() - one.end() > 2 or not {one["k"].lower(), other["k"].lower()} <= _NAMES:
            continue
        first, second = (pair["v"] or pair["n"] for pair in (one, other))
        quote = text[one.start() + 1 : other.end()].rstrip('"')
        both = (
            f"The {one['k']} is {first} and the {other['k']} is {second}.",
            f"{one['k']} {first} goes with {other['k']} {second}.",
        )
        yield Restated(quote, one.start() + 1, both, 1.8)


_SENTENCE = re.compile(
    r"(?:(?<=[.!?] )|(?<=^)|(?<=^- )|(?<=^-- ))(?P<s>[A-Z][^\n.!?]{20,240}(?:\.\d+[^\n.!?]*)*[.!?])(?=\s|$)",
    re.MULTILINE,
)
_LEAD = re.compile(
    r"^(?:However|In addition|Additionally|Moreover|Furthermore|Also|Finally|Then|Meanwhile|In this case|As a result|"
    r"Therefore|Interestingly|Notably|For example|In fact|Of note), (?P<rest>\w.*)$"
)
_CLAUSE = re.compile(
    r",? (?:which|who|where|while|because|although|after which|and then|in order to|by)\b|; |, and |: "
)
_LOWERED = frozenset({"The", "This", "These", "Those", "It", "An", "A", "In", "Once", "After", "When", "While", "Some"})
_OPENERS = ("The report says that ", "According to the text, ", "It is said that ")


def _restate_prose(text: str) -> Iterator[Restated]:
    for found in _SENTENCE.finditer(text):
        whole, start = found["s"], found.start("s")
        lead = _LEAD.match(whole)
        if lead:
            start += lead.start("rest")
            whole = lead["rest"]
        quote = whole if len(whole) <= LONGEST else _first_clause(whole)
        if not 28 <= len(quote) <= LONGEST:
            continue
        said = quote.rstrip(".!?;:, ")
        plain = said[0].upper() + said[1:] + "."
        texts = [plain, plain]
        if said.split()[0] in _LOWERED:
            texts += [opener + said[0].lower() + said[1:] + "." for opener in _OPENERS]
        yield Restated(quote, start, tuple(texts), 2.0)


def _first_clause(sentence: str) -> str:
    """Cut a long sentence before its first later clause, so that what is left still says something whole."""
    for found in _CLAUSE.finditer(sentence):
        if 28 <= found.start() <= LONGEST:
            return sentence[: found.start()]
    return ""


def _restate_lines(text: str) -> Iterator[Restated]:
    for rule in RULES.values():
        for found in rule.pattern.finditer(text):
            groups = {name: value or "" for name, value in found.groupdict().items()}
            groups["lower_label"] = _lowered(groups.get("label", ""))
            texts = tuple(" ".join(one.format(**groups).split()).replace("..", ".") for one in rule.texts)
            yield Restated(groups["q"], found.start("q"), texts, rule.weight)


def _lowered(label: str) -> str:
    return " ".join(word if word.isupper() or any(map(str.isdigit, word)) else word.lower() for word in label.split())


_WAYS: tuple[Callable[[str], Iterator[Restated]], ...] = (_restate_lines, _restate_pairs, _restate_prose)


def restate(text: str) -> list[Restated]:
    """Return everything in a stretch of evidence that can be said again, in the order in which it stands."""
    found = [
        one
        for way in _WAYS
        for one in way(text)
        if SHORTEST <= len(one.quote) <= LONGEST and one.quote == one.quote.strip() and _is_plain(one.quote)
    ]
    return sorted(found, key=lambda one: (one.start, -len(one.quote)))


def _is_plain(quote: str) -> bool:
    """Tell whether a quotation can be copied: no run of base64 or hash in it, and nothing that does not print."""
    return quote.isprintable() and not re.search(r"[A-Za-z0-9+/=]{36,}|[0-9a-fA-F]{30,}", quote)


def choose(
    found: list[Restated], count: int, chance: random.Random, fits: Callable[[str, str], bool]
) -> list[tuple[str, str]]:
    """Choose so many that do not overlap, the telling ones rather, as (quotation, sentence) in the order they stand.

    `fits` is asked of a quotation and a sentence whether the product's checks let them pass.
    """
    chosen: list[tuple[int, str, str]] = []
    said: set[str] = set()
    for one in sorted(found, key=lambda one: -one.weight * (0.25 + chance.random())):
        apart = all(
            one.start >= start + len(quote) or start >= one.start + len(one.quote) for start, quote, _ in chosen
        )
        if len(chosen) == count or not apart or one.quote.lower() in said:
            continue
        texts = [text for text in one.texts if 12 <= len(text) <= LONGEST_TEXT]
        text = next((text for text in chance.sample(texts, len(texts)) if fits(one.quote, text)), "")
        if text:
            chosen.append((one.start, one.quote, text))
            said.add(one.quote.lower())
    return [(quote, text) for _, quote, text in sorted(chosen)]
