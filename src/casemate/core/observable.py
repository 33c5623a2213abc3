"""Observables: what extraction saw, each with every place it was seen."""

from dataclasses import dataclass
from typing import NamedTuple

from casemate.core.text import Span


class Sighting(NamedTuple):
    """One place where an observable was seen; a tuple, because there are millions.

    `type` is a STIX 2.1 object name where STIX has one (`ipv4-addr`, `domain-name`, `url`, `file`, `email-addr`,
    `vulnerability`, ...; all in `casemate.stages.extract.types.TYPES`); `value` is the canonical form, refanged;
    `raw` the text as it stands; `start` and `end` select `raw` in the normalised text, or the whole encoded payload
    when `layers` is not empty; `hash` is the STIX hash name for `file` (`MD5`, `SHA-256`, `SSDEEP`, `TLSH`, ...).
    `layers` is the chain of decodings that led to it, outermost first (`("base64", "utf-16le", "gzip")`).
    """

    type: str
    value: str
    raw: str
    start: int
    end: int
    hash: str = ""
    layers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Observable:
    """One distinct thing seen in a case.

    `count` is how often; `spans` the first of the places (policy bounds how many); `raw` the first raw form; `flags`
    the warning lists and address ranges it stands in (a flag never hides anything); `layers` of the first sighting.
    """

    type: str
    value: str
    raw: str
    count: int
    spans: tuple[Span, ...]
    hash: str = ""
    flags: tuple[str, ...] = ()
    layers: tuple[str, ...] = ()
