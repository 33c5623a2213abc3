"""Every type of observable that extraction can see: what it is, and an example it finds."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ObservableType:
    """One type: `meaning` for a person, `example` as it stands in text, `value` and `hash` as the sighting has them."""

    meaning: str
    example: str
    value: str
    hash: str = ""


TYPES: dict[str, tuple[ObservableType, ...]] = {
    "ipv4-addr": (
        ObservableType("an IPv4 address", "from 203[.]0[.]113[.]9:8080", "203.0.113.9"),
        ObservableType("an IPv4 network", "198.51.100.0/24", "198.51.100.0/24"),
    ),
    "ipv6-addr": (
        ObservableType("an IPv6 address", "via 2001:DB8::17", "2001:db8::17"),
        ObservableType("an IPv6 network", "2001:db8:7::/48", "2001:db8:7::/48"),
    ),
    "domain-name": (
        ObservableType("a domain name", "evil[.]Example[dot]com", "evil.example.com"),
        ObservableType("an internationalised domain name", "bücher.example.de", "xn--bcher-kva.example.de"),
    ),
    "url": (
        ObservableType("a URL", "hxxps[:]//evil[.]example[.]com/a?b=1", "https://evil.example.com/a?b=1"),
        ObservableType("a URL without its scheme", "evil.example.com/gate.php", "evil.example.com/gate.php"),
    ),
    "email-addr": (ObservableType("an e-mail address", "mallory[at]evil[.]example[.]com", "mallory@evil.example.com"),),
    "file": (
        ObservableType("MD5", "D41D8CD98F00B204E9800998ECF8427E", "d41d8cd98f00b204e9800998ecf8427e", "MD5"),
        ObservableType(
            "SHA-1", "da39a3ee5e6b4b0d3255bfef95601890afd80709", "da39a3ee5e6b4b0d3255bfef95601890afd80709", "SHA-1"
        ),
        ObservableType(
            "SHA-256",
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            "SHA-256",
        ),
        ObservableType(
            "SHA-512",
            "cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce"
            "47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e",
            "cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce"
            "47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e",
            "SHA-512",
        ),
        ObservableType(
            "ssdeep, the fuzzy hash of Kornblum 2006",
            "ssdeep 96:s4Ud1Lj96tHHlZDrwciQmA+4uy1I0G4HYuL8N3TzS8QsO/wqWXLcMSx:sF1LjEtHHlZDrJzrhuyZvHYm8tKp/RWO",
            "96:s4Ud1Lj96tHHlZDrwciQmA+4uy1I0G4HYuL8N3TzS8QsO/wqWXLcMSx:sF1LjEtHHlZDrJzrhuyZvHYm8tKp/RWO",
            "SSDEEP",
        ),
        ObservableType(
            "TLSH, the locality-sensitive hash of Oliver et al. 2013",
            "T1" + "A3" * 35,
            "T1" + "A3" * 35,
            "TLSH",
        ),
        ObservableType(
            "import hash, where marked",
            "imphash: f34d5f2d4577ed6d9ceec516c1f5a744",
            "f34d5f2d4577ed6d9ceec516c1f5a744",
            "IMPHASH",
        ),
    ),
    "vulnerability": (
        ObservableType("a CVE id", "CVE-2021-44228", "CVE-2021-44228"),
        ObservableType("a GitHub advisory id", "ghsa-jfh8-c2jp-5v3q", "GHSA-jfh8-c2jp-5v3q"),
    ),
    "weakness": (ObservableType("a CWE id", "CWE-79", "CWE-79"),),
    "attack-pattern": (
        ObservableType("an ATT&CK technique", "used T1566", "T1566"),
        ObservableType("an ATT&CK sub-technique", "(T1059.001)", "T1059.001"),
    ),
    "x-mitre-tactic": (ObservableType("an ATT&CK tactic", "TA0001 Initial Access", "TA0001"),),
    "intrusion-set": (ObservableType("an ATT&CK group", "the group G0007", "G0007"),),
    "malware": (ObservableType("ATT&CK software, malware or tool alike", "Cobalt Strike (S0154)", "S0154"),),
    "course-of-action": (ObservableType("an ATT&CK mitigation", "ATT&CK mitigation M1036", "M1036"),),
    "file-path": (
        ObservableType("a Windows path", r"ran C:\Windows\Temp\evil.dll", r"C:\Windows\Temp\evil.dll"),
        ObservableType("a Unix path", "wrote /etc/cron.d/evil", "/etc/cron.d/evil"),
    ),
    "windows-registry-key": (
        ObservableType(
            "a registry key, its hive written out",
            r"HKCU\Software\Microsoft\Windows\CurrentVersion\Run",
            r"HKEY_CURRENT_USER\Software\Microsoft\Windows\CurrentVersion\Run",
        ),
    ),
    "mutex": (ObservableType("a mutex, where marked", r"Mutex: Global\evil-7", r"Global\evil-7"),),
    "user-agent": (
        ObservableType("a user agent, where marked", "User-Agent: evil/1.0", "evil/1.0"),
        ObservableType(
            "a browser's user agent", '"Mozilla/5.0 (X11; Linux x86_64)"', "Mozilla/5.0 (X11; Linux x86_64)"
        ),
    ),
    "autonomous-system": (ObservableType("an autonomous system number", "in AS64496", "AS64496"),),
    "mac-addr": (ObservableType("a MAC address", "at 00-00-5E-00-53-AF", "00:00:5e:00:53:af"),),
    "cryptocurrency-wallet": (
        ObservableType(
            "a Bitcoin address", "to 1BoatSLRHtKNngkdXEeobR76b53LETtpyT", "1BoatSLRHtKNngkdXEeobR76b53LETtpyT"
        ),
        ObservableType(
            "a Bitcoin address (BIP 173, BIP 350)",
            "BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4",
            "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4",
        ),
        ObservableType(
            "an Ethereum address (EIP-55)",
            "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
            "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
        ),
        ObservableType(
            "a Monero address",
            "46jECbnrkJTUks7Fg5YtwShdUCiwUwEEZJtJBhKLK4GBWfBX7PLrYBuWR9zhzos5uQ1uXGUgFpGCSBR5o651pL5ERxmwqHu",
            "46jECbnrkJTUks7Fg5YtwShdUCiwUwEEZJtJBhKLK4GBWfBX7PLrYBuWR9zhzos5uQ1uXGUgFpGCSBR5o651pL5ERxmwqHu",
        ),
    ),
    "tls-fingerprint": (
        ObservableType("JA3, marked", "JA3: 6734f37431670b3ab4292b8f60f29984", "6734f37431670b3ab4292b8f60f29984"),
        ObservableType("JA4", "t13d1516h2_8daaf6152771_b186095e22b6", "t13d1516h2_8daaf6152771_b186095e22b6"),
    ),
    "windows-sid": (
        ObservableType(
            "a Windows security identifier", "S-1-5-21-1004336348-1177238915-682003330-512",
            "S-1-5-21-1004336348-1177238915-682003330-512",
        ),
    ),
    "windows-event-id": (ObservableType("a Windows event id, where marked", "Event ID 4625", "4625"),),
}  # fmt: skip
"""The observable types by name; a STIX 2.1 object name where STIX has one. `casemate extract` writes these names."""
