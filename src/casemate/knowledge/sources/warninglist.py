"""MISP warning lists (github.com/MISP/misp-warninglists): values that are known and mostly harmless."""

from casemate.knowledge.kinds import WARNING_LIST_NOTICE
from casemate.knowledge.records import Edition, WarningList, distrust, object_of, text_of, texts_of

MATCHINGS = ("cidr", "hostname", "string", "substring", "regex")
_TYPES = {
    "domain": ("domain-name", "url"),
    "hostname": ("domain-name", "url"),
    "domain|ip": ("domain-name", "ipv4-addr", "ipv6-addr"),
    "url": ("url", "domain-name"),
    "uri": ("url", "domain-name"),
    "ip-src": ("ipv4-addr", "ipv6-addr"),
    "ip-dst": ("ipv4-addr", "ipv6-addr"),
    "email": ("email-addr",),
    "email-src": ("email-addr",),
    "email-dst": ("email-addr",),
    "target-email": ("email-addr",),
    "whois-registrant-email": ("email-addr",),
    "dns-soa-email": ("email-addr",),
    "AS": ("autonomous-system",),
    "mac-address": ("mac-addr",),
    "filename": ("file",),
    "filename|md5": ("file",),
    **dict.fromkeys(("md5", "sha1", "sha224", "sha256", "sha512", "ssdeep", "tlsh"), ("file",)),
    **dict.fromkeys(("btc", "bch", "xmr"), ("cryptocurrency-wallet",)),
}
"""STIX object names for MISP attribute types; an attribute that is not here is no observable of ours."""


def is_warning_list(document: object) -> bool:
    """Tell a list by its way of matching beside its members."""
    content = object_of(document)
    return isinstance(content.get("list"), list) and content.get("type") in MATCHINGS and "name" in content


def read_warning_list(document: object, name: str) -> Edition:
    """Read one list."""
    item = parse_warning_list(document, name)
    version = str(object_of(document).get("version", ""))
    return Edition(f"misp-warninglist/{item.name}", item.name, version, 20, WARNING_LIST_NOTICE, [item])


def parse_warning_list(document: object, name: str) -> WarningList:
    """Make a list of a JSON document; `NotTrusted` when it is none or has members that are no strings."""
    content = object_of(document)
    values = texts_of(content.get("list"))
    title = text_of(content.get("name")).strip()
    if content.get("type") not in MATCHINGS or not title or not isinstance(content.get("list"), list):
        raise distrust(name, "", "no warning list")
    if values != content["list"]:
        raise distrust(name, "list", "a member that is no text")
    attributes = texts_of(content.get("matching_attributes"))
    types = {stix for attribute in attributes for stix in _TYPES.get(attribute, ())}
    return WarningList(title, text_of(content["type"]), tuple(sorted(types)), tuple(values))
