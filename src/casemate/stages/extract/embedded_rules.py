"""Find YARA and Sigma rules that stand inside text, such as a report or a ticket."""

import re
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EmbeddedRule:
    """A detection rule written out in evidence: `kind` is `yara` or `sigma`, `name` the rule's name or title.

    `start` and `end` select the whole rule in the normalised text.
    """

    kind: str
    name: str
    start: int
    end: int


_MOST_CHARS = 1024 * 1024  # of one rule
_MOST_RULES = 2_000  # of one chunk

_YARA = re.compile(
    r"(?<![\w$])(?:(?:private|global)[ \t]{1,8}){0,2}rule[ \t]{1,8}([A-Za-z_]\w{0,127})[ \t]{0,8}"
    r"(?::[ \t]{0,8}\w[\w \t]{0,400}?)?\s{0,40}\{"
)
_YARA_BODY = re.compile(r"\bcondition\s{0,8}:")
_YARA_TOKEN = re.compile(
    r"""//[^\n]*+|/\*(?:[^*]|\*(?!/))*+\*/           # comments
    |"(?:[^"\\\n]|\\.)*+"                             # text strings
    |=\s{0,8}/(?:[^/\\\n]|\\.)++/|matches\s{1,8}/(?:[^/\\\n]|\\.)++/  # regular expressions
    |[{}]""",
    re.VERBOSE,
)


def find_rules(text: str, start: int) -> Iterator[EmbeddedRule]:
    """Yield the YARA and Sigma rules in one chunk of normalised text, by position; `start` is the chunk's offset.

    A YARA rule needs a name, balanced braces (strings, comments and regular expressions left out of the count) and a
    condition (YARA documentation, "Writing YARA rules"). A Sigma rule is a run of YAML lines with `title`,
    `logsource` and `detection` at one indentation (Sigma specification 2.0). Never raises for what the
    text holds; a rule longer than 1,048,576 characters is left alone.
    """
    found = [*_yara_rules(text), *_sigma_rules(text)]
    for rule in sorted(found, key=lambda rule: rule.start):
        yield EmbeddedRule(rule.kind, rule.name, rule.start + start, rule.end + start)


def _yara_rules(text: str) -> Iterator[EmbeddedRule]:
    if "rule" not in text or "condition" not in text:
        return
    at, count = 0, 0
    scanned = 0
    while count < _MOST_RULES and scanned < 4 * len(text) + _MOST_CHARS:
        head = _YARA.search(text, at)
        if head is None:
            return
        end = _closing_brace(text, head.end())
        scanned += (end if end > 0 else min(head.end() + _MOST_CHARS, len(text))) - head.start()
        if end > 0 and _YARA_BODY.search(text, head.end(), end):
            count += 1
            yield EmbeddedRule("yara", head.group(1), head.start(), end)
            at = end
        else:
            at = head.end()


def _closing_brace(text: str, at: int) -> int:
    """Give the offset after the brace that closes the one before `at`, or -1 when there is none in reach."""
    depth = 1
    for token in _YARA_TOKEN.finditer(text, at, min(at + _MOST_CHARS, len(text))):
        sign = token.group()
        if sign == "{":
            depth += 1
        elif sign == "}":
            depth -= 1
            if depth == 0:
                return token.end()
    return -1


_TITLE = re.compile(r"^(?P<lead>[ \t>|]{0,40}(?:- )?)title[ \t]{0,8}:[ \t]{1,8}(?P<name>[^\r\n]{1,256})", re.MULTILINE)
_KEY = re.compile(r"[A-Za-z_][\w-]{0,60}[ \t]{0,4}:")
_SIGMA_KEYS = frozenset(
    {
        "title",
        "id",
        "name",
        "related",
        "status",
        "description",
        "license",
        "references",
        "reference",
        "author",
        "date",
        "modified",
        "tags",
        "logsource",
        "detection",
        "fields",
        "falsepositives",
        "level",
        "scope",
        "taxonomy",
        "correlation",
        "ruletype",
        "customers",
        "regression_tests_path",
        "simulation",
        "action",
        "collection",
        "definition",
        "notes",
        "mitre_attack",
    }
)


def _sigma_rules(text: str) -> Iterator[EmbeddedRule]:
    if "logsource" not in text or "detection" not in text:
        return
    at, count = 0, 0
    while count < _MOST_RULES:
        head = _TITLE.search(text, at)
        if head is None:
            return
        end, keys = _yaml_block(text, head)
        if {"logsource", "detection"} <= keys:
            count += 1
            name = head.group("name").strip().strip("'\"").strip()
            begin = head.start() + len(head.group("lead"))
            yield EmbeddedRule("sigma", name, begin, end)
        at = max(end, head.end())


def _yaml_block(text: str, head: re.Match[str]) -> tuple[int, set[str]]:
    """Follow a rule from its title: lines indented deeper, blank lines, and known keys at the title's indentation."""
    lead = head.group("lead").replace("- ", "  ")
    keys = {"title"}
    end = at = head.end()
    limit = min(head.start() + _MOST_CHARS, len(text))
    while at < limit:
        begin = text.find("\n", at, limit)
        if begin < 0:
            break
        begin += 1
        last = text.find("\n", begin, limit)
        last = limit if last < 0 else last
        line = text[begin:last].rstrip("\r")
        body = line[len(lead) :] if line.startswith(lead) else None
        if line.strip(" \t>|"):
            if body is None or body.startswith(("```", "---", "...", "~~~")):
                break
            if body[:1] not in {" ", "\t", "#", "-"}:
                found = _KEY.match(body)
                key = found.group().rstrip(": \t") if found else ""
                if key not in _SIGMA_KEYS or key == "title":
                    break
                keys.add(key)
            end = last - (1 if text[last - 1 : last] == "\r" else 0)
        at = last
    return end, keys
