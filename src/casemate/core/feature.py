"""Features: what a case has that another case may share."""

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple


class Feature(NamedTuple):
    """One thing a case holds that can tie it to another.

    `kind` is `observable` (value `TYPE:VALUE`, such as `ipv4-addr:192.0.2.7`), `technique` (an ATT&CK id) or `template`
    (a log template).
    """

    kind: str
    value: str


@dataclass(frozen=True, slots=True)
class Holding:
    """An earlier case and which of the features that were asked about it holds."""

    id: str
    title: str
    created: datetime
    features: tuple[Feature, ...]
