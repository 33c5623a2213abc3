import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from casemate.knowledge import Knowledge
from casemate.knowledge.flags import host_of
from casemate.knowledge.ranges import address_bounds, address_flags, flatten


@pytest.mark.parametrize(
    ("type_", "value", "flags"),
    [
        ("ipv4-addr", "8.8.8.8", ("Test public resolvers",)),
        ("ipv4-addr", "9.9.9.77", ("Test public resolvers",)),
        ("ipv4-addr", "9.9.9.128/25", ("Test public resolvers",)),
        ("ipv4-addr", "9.9.0.0/16", ()),
        ("ipv4-addr", "8.8.8.9", ()),
        ("ipv6-addr", "2620:fe::fe", ("Test public resolvers",)),
        ("ipv4-addr", "10.1.2.3", ("private",)),
        ("ipv4-addr", "127.0.0.1", ("loopback",)),
        ("ipv4-addr", "255.255.255.255", ("reserved", "broadcast")),
        ("ipv6-addr", "fe80::1%eth0", ("link-local",)),
        ("ipv6-addr", "::ffff:192.168.0.1", ("private",)),
        ("ipv6-addr", "2001:db8::1", ("documentation",)),
        ("domain-name", "a.b.dyn.test-zone.net", ("Test dynamic names",)),
        ("domain-name", "DYN.test-zone.net.", ("Test dynamic names",)),
        ("domain-name", "evildyn.test-zone.net", ()),
        ("domain-name", "www.example.com", ("documentation",)),
        ("domain-name", "printer.local", ("special-use",)),
        ("url", "hTTp://u:p@x.dyn.test-zone.net:8080/a?b#c", ("Test dynamic names",)),
        ("url", "https://[fe80::1]:443/", ("link-local",)),
        ("url", "https://9.9.9.9/x", ("Test public resolvers",)),
        ("file", "d41d8cd98f00b204e9800998ecf8427e", ("Test empty hashes",)),
        ("domain-name", "d41d8cd98f00b204e9800998ecf8427e", ()),
        ("email-addr", "x@mail.com", ("Test throw-away mail",)),
        ("email-addr", "x@hotmail.com", ()),
        ("email-addr", "Abuse@corp.biz", ("Test contacts",)),
        ("windows-registry-key", "HKLM\\x", ()),
    ],
)
def test_flags(knowledge: Knowledge, type_: str, value: str, flags: tuple[str, ...]) -> None:
    assert knowledge.flags(type_, value) == flags


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from(["ipv4-addr", "ipv6-addr", "domain-name", "url", "email-addr", "file", "mutex", ""]),
    st.one_of(st.text(max_size=80), st.ip_addresses().map(str), st.from_regex(r"[0-9./:a-f\[\]@]{0,30}")),
)
def test_no_value_breaks_the_flags(knowledge: Knowledge, type_: str, value: str) -> None:
    assert all(isinstance(flag, str) for flag in knowledge.flags(type_, value))


@settings(max_examples=100)
@given(st.ip_addresses())
def test_special_ranges_agree_with_the_standard_library(address: object) -> None:
    bounds = address_bounds(str(address))
    assert bounds is not None
    flags = address_flags(bounds)
    if bounds[0] == address.version:  # type: ignore[attr-defined]  # not a mapped address
        assert ("loopback" in flags) == address.is_loopback  # type: ignore[attr-defined]  # an ip address
        assert ("multicast" in flags) == address.is_multicast  # type: ignore[attr-defined]  # an ip address


@settings(max_examples=100)
@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 20), st.integers(0, 4)), max_size=12))
def test_runs_say_what_the_intervals_say(raw: list[tuple[int, int, int]]) -> None:
    intervals = [(first, first + length, label) for first, length, label in raw]
    starts, labels = flatten(intervals)
    assert starts == sorted(set(starts))
    for point in range(80):
        held = next(label for start, label in reversed(list(zip(starts, labels, strict=True))) if start <= point)
        assert held == {label for first, last, label in intervals if first <= point <= last}


@pytest.mark.parametrize(
    "value", ["1.2.3", "1.2.3.256", "1.2.3.٤", "01.2.3.4444", "1.2.3.4/33", "::g", "/8", "", "1.2.3.4/"]
)
def test_what_is_no_address_has_no_bounds(value: str) -> None:
    assert address_bounds(value) is None


def test_hosts_of_urls() -> None:
    assert host_of("https://a.b/c:d@e") == "a.b"
    assert host_of("a.b:80/x") == "a.b"
    assert host_of("") == ""
