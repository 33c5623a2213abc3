"""Domain names: what is one, and what only looks like one (file names, code, settings, sentences)."""

import re
from functools import lru_cache

from casemate.stages.extract.tlds import CLASSIC, CODE_WORDS, DEFANGED_ONLY, FILE_EXTENSIONS, known_suffix

_LABEL = re.compile(r"(?!-)[\w-]{1,63}(?<!-)\Z")
_CAMEL = re.compile(r"[a-z][A-Z]")
_PACKAGE_ROOTS_TEXT = """
com org net edu gov io java javax jakarta sun android androidx dalvik kotlin kotlinx scala akka groovy system
microsoft windows python os sys self this std boost go golang node npm react vue
"""
_PACKAGE_ROOTS = frozenset(_PACKAGE_ROOTS_TEXT.split())
_CODE_OWNERS_TEXT = """
self this os sys io re json java javax process event user host file source destination server client agent rule log
logs winlog data input output request response req res ctx context config conf cfg settings options opts params args
app application window document location navigator math object string array module exports package project device
account group session message msg item node element elem parent child target object obj cls class type key value
field record row table query result results error err exception test spec index main init base util utils common
core lib src dist build node_modules jquery bootstrap asp vb ado system microsoft socket spring hibernate win64
win32 threat network dns http url tls x509 email cloud container kubernetes registry related observer organization
service question answers field fields ecs as geo hash pe code_signature dll readme makefile configure config
"""
_CODE_OWNERS = frozenset(_CODE_OWNERS_TEXT.split())


@lru_cache(maxsize=16384)
def canonical_domain(text: str, *, trusted: bool = False) -> str:
    """Write a domain in lower case and ASCII (IDNA); empty when it is none.

    `trusted` says that somebody marked it as one (a scheme before it, defanged dots): then endings that are file
    extensions or words too are believed. Without it the caller has still to look at the surroundings.
    """
    text = text.rstrip(".")
    labels = text.split(".")
    if len(labels) < 2 or len(text) > 253 or not all(map(_LABEL.match, labels)):
        return ""
    if not known_suffix(labels[-1]) and not (trusted and labels[-1].lower() in DEFANGED_ONLY):
        return ""
    if "_" in labels[-2] and not (trusted and labels[-2].strip("_").count("_") == labels[-2].count("_")):
        return ""
    if not trusted and not _plainly_a_domain(text, labels):
        return ""
    lowered = text.lower()
    if lowered.isascii():
        return lowered
    try:
        return ".".join(
            label.encode("idna").decode("ascii") if not label.isascii() else label for label in lowered.split(".")
        )
    except UnicodeError:
        return ""


def _plainly_a_domain(text: str, labels: list[str]) -> bool:
    last, second, first = labels[-1], labels[-2], labels[0].lower()
    ending = last.lower()
    if last != ending and text != text.upper():
        return False  # System.Net, end.In
    if len(labels) == 2 and text.lower() in {"asp.net", "vb.net", "ado.net", "socket.io"}:
        return False
    if all(label.isdigit() for label in labels[:-1]) and (len(labels) > 2 or ending not in CLASSIC):
        return False
    if not second.strip("-"):
        return False
    if first == "www":
        return True
    if ending in CLASSIC:
        return not (len(labels) > 2 and first in {"java", "javax", "system"})
    if _CAMEL.search(text) or (first in _PACKAGE_ROOTS and len(labels) > 2):
        return False
    if ending in {"pl", "la"} and len(labels) == 2:
        return second.islower() and "_" not in second and not second.startswith("lib") and first not in _CODE_OWNERS
    if ending in FILE_EXTENSIONS:
        return len(labels) > 2 and second.lower() not in {"min", "test", "spec", "tar", "d", "lib"} and "_" not in text
    if ending in CODE_WORDS:
        if len(labels) == 2:
            return first not in _CODE_OWNERS and len(second) > 3
        return second.lower() not in _CODE_OWNERS and not (ending in {"name", "id"} and first in _CODE_OWNERS)
    return not (len(labels) == 2 and (first in _CODE_OWNERS or len(second) == 1) and len(ending) == 2)
