"""Alerts as groups of the same rule, host and address within a minute, and what surrounds each group.

A single alert tells little: the same rule fires all day and in an attack. What its neighbours in time are, how rare its
rule is in this evidence and how far its rate is from the usual tell more. Everything is counted over the evidence at
hand, so nothing of an organisation must be known beforehand.
"""

import re
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import log, log1p

import numpy as np
from numpy.typing import NDArray

BUCKET = 60
WINDOWS = (300, 1800, 7200)
"""Seconds to either side of a group whose neighbours are counted."""

GROUPS = 60_000
"""Groups kept; alerts beyond them only count for their rule."""

ROLES = ("mail", "vpn", "web|intranet|wordpress|cloud", "share|file", "dns|inet|fire|gate", "monitor|log")
"""What a host's name may say of its duty."""

_MAKER = re.compile(r"^(?:\d+\s+|Wazuh: |Suricata: (?:Alert - )?|AMiner: )+")


def rule_key(rule: str) -> str:
    """Return a rule's words, without the number or the product's name before them: tools write the same rule apart."""
    return _MAKER.sub("", rule).strip()


@dataclass(frozen=True, slots=True)
class Alert:
    """What is used of one alert; `severity` is OCSF's 1 to 5, 0 where none is given; `record` is where it stands."""

    time: float
    rule: str
    host: str = ""
    address: str = ""
    severity: int = 0
    record: tuple[int, int, int] = (0, 0, 0)


@dataclass(slots=True)
class Group:
    """Alerts of one rule, host and address that began in the same minute."""

    time: float
    rule: str
    host: str
    address: str
    severity: int
    record: tuple[int, int, int]
    count: int = 1


class AlertGroups:
    """Collects alerts in bounded memory; `groups` gives them by time."""

    def __init__(self) -> None:
        self._groups: dict[tuple[int, str, str, str], Group] = {}
        self.left_out = 0

    def see(self, alert: Alert) -> None:
        """Take the next alert, in any order of time."""
        key = (int(alert.time // BUCKET), alert.rule, alert.host, alert.address)
        held = self._groups.get(key)
        if held is not None:
            held.count += 1
            held.severity = max(held.severity, alert.severity)
        elif len(self._groups) < GROUPS:
            self._groups[key] = Group(alert.time, alert.rule, alert.host, alert.address, alert.severity, alert.record)
        else:
            self.left_out += 1

    def groups(self) -> list[Group]:
        """Give the groups by time."""
        return sorted(self._groups.values(), key=lambda group: (group.time, group.rule, group.host, group.address))


def feature_names() -> list[str]:
    """Return the names of the columns of `features_of_groups`."""
    names = ["count", "rule score", "severity", "rule per hour", "rule's share of hours", "hours since rule was new"]
    names += ["rule new on host", "address seen before", "hosts of the rule"]
    for window in WINDOWS:
        minutes = window // 60
        names += [
            f"{what} within {minutes} min"
            for what in ("alerts", "alerts over usual", "same rule", "same rule over usual", "rules", "rules on host")
        ]
        names += [f"{what} within {minutes} min" for what in ("rare rules", "score of other rules", "hosts")]
    return names + [f"host is {role.split('|')[0]}" for role in ROLES]


def features_of_groups(
    groups: Sequence[Group], rule_scores: Mapping[str, float], unknown: float
) -> NDArray[np.float32]:
    """Return one row a group, one column a feature (`feature_names`).

    Args:
        groups: by time.
        rule_scores: `rule_key` -> log-odds that it speaks of an attack, as learned.
        unknown: the log-odds of a rule never met.
    """
    times = np.array([group.time for group in groups])
    if not len(times):
        return np.zeros((0, len(feature_names())), np.float32)
    hours = max((times[-1] - times[0]) / 3600, 1.0)
    about = _Rules(groups, rule_scores, unknown, hours)
    rows = [about.row(group) for group in groups]
    for window in WINDOWS:
        for row, seen in zip(rows, _around(groups, times, window, about, hours), strict=True):
            row.extend(seen)
    for row, group in zip(rows, groups, strict=True):
        name = group.host.lower()
        row.extend(float(any(part in name for part in role.split("|"))) for role in ROLES)
    return np.array(rows, np.float32)


class _Rules:
    """What the whole evidence tells of each rule."""

    def __init__(self, groups: Sequence[Group], scores: Mapping[str, float], unknown: float, hours: float) -> None:
        self._hours = hours
        self.times: dict[str, list[float]] = defaultdict(list)
        self.totals: Counter[str] = Counter()
        met: dict[str, set[int]] = defaultdict(set)
        self._hosts: dict[str, set[str]] = defaultdict(set)
        self._first_on: dict[tuple[str, str], float] = {}
        self._first_of: dict[str, float] = {}
        for group in groups:
            self.times[group.rule].append(group.time)
            self.totals[group.rule] += group.count
            met[group.rule].add(int(group.time // 3600))
            self._hosts[group.rule].add(group.host)
            self._first_on.setdefault((group.rule, group.host), group.time)
            self._first_of.setdefault(group.address, group.time)
        self.share = {rule: min(len(seen) / hours, 1.0) for rule, seen in met.items()}
        self.scores = {rule: scores.get(rule_key(rule), unknown) for rule in self.totals}
        self.rare = {rule for rule, share in self.share.items() if share <= 0.1}

    def row(self, group: Group) -> list[float]:
        """Return the features that do not depend on the neighbours."""
        rule = group.rule
        return [
            log1p(group.count),
            self.scores[rule],
            float(group.severity),
            log1p(self.totals[rule] / self._hours),
            self.share[rule],
            log1p((group.time - self.times[rule][0]) / 3600),
            float(self._first_on[rule, group.host] >= group.time - 300),
            float(self._first_of[group.address] < group.time - 3600),
            log1p(len(self._hosts[rule])),
        ]

    def near(self, rule: str, begin: float, end: float) -> int:
        """Count the groups of the rule in a stretch of time."""
        times = self.times[rule]
        return bisect_left(times, end) - bisect_left(times, begin)


def _around(
    groups: Sequence[Group], times: NDArray[np.float64], window: int, about: _Rules, hours: float
) -> Iterable[list[float]]:
    """Yield for each group the features of its neighbours within `window` seconds; one pass with two hands."""
    first, last = 0, 0
    alerts, score, rare = 0, 0.0, 0
    rules: Counter[str] = Counter()
    hosts: Counter[str] = Counter()
    pairs: Counter[tuple[str, str]] = Counter()
    on_host: Counter[str] = Counter()
    usual = sum(about.totals.values()) / hours * window / 1800
    for group in groups:
        while last < len(groups) and times[last] <= group.time + window:
            new = groups[last]
            alerts += new.count
            rules[new.rule] += 1
            if rules[new.rule] == 1:
                score += max(about.scores[new.rule], 0.0)
                rare += new.rule in about.rare
            hosts[new.host] += 1
            pairs[new.host, new.rule] += 1
            on_host[new.host] += pairs[new.host, new.rule] == 1
            last += 1
        while times[first] < group.time - window:
            old = groups[first]
            alerts -= old.count
            rules[old.rule] -= 1
            if not rules[old.rule]:
                del rules[old.rule]
                score -= max(about.scores[old.rule], 0.0)
                rare -= old.rule in about.rare
            hosts[old.host] -= 1
            if not hosts[old.host]:
                del hosts[old.host]
            pairs[old.host, old.rule] -= 1
            on_host[old.host] -= pairs[old.host, old.rule] == 0
            first += 1
        same = about.near(group.rule, group.time - window, group.time + window)
        expected = len(about.times[group.rule]) / hours * window / 1800
        yield [
            log1p(alerts),
            log((alerts + 1) / (usual + 1)),
            log1p(same),
            log((same + 1) / (expected + 1)),
            log1p(len(rules)),
            log1p(on_host[group.host]),
            float(rare - (group.rule in about.rare)),
            score - max(about.scores[group.rule], 0.0),
            log1p(len(hosts)),
        ]
