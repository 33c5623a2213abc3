"""What is found in hard lines and what is not: defanging, file names, versions, boundaries, overlaps."""

import pytest

from casemate.stages.extract.scanner import Scanner

SCANNER = Scanner("auto")


def values(text: str, kind: str) -> list[str]:
    return [one.value for one in SCANNER.scan(text) if one.type == kind]


DEFANGED = {
    "evil[.]com": "evil.com",
    "evil(.)com": "evil.com",
    "evil{.}com": "evil.com",
    "evil[dot]com": "evil.com",
    "evil (dot) com": "evil.com",
    "evil dot com": "evil.com",
    r"evil\.com": "evil.com",
    "evil[.com": "evil.com",
    "evil.]com": "evil.com",
    "evil[[.]]com": "evil.com",
    "evil [.] com": "evil.com",
    "a.evil[.]co[.]uk": "a.evil.co.uk",
    "evil\u200b[.]com": "evil.com",
    "evil\u200b.com": "evil.com",
    "\uff45vil\uff0ecom": "evil.com",
    "EVIL[.]Com": "evil.com",
    "evil[.]bazar": "evil.bazar",
    "evil[.]zip": "evil.zip",
    "пример.рф": "xn--e1afmkfd.xn--p1ai",
    "münchen.de": "xn--mnchen-3ya.de",
    "xn--mnchen-3ya.de": "xn--mnchen-3ya.de",
}
URLS = {
    "hxxp://evil.com/a": "http://evil.com/a",
    "hXXps://evil.com": "https://evil.com",
    "h**p://evil.com/": "http://evil.com/",
    "meow://evil.com/x": "http://evil.com/x",
    "hxxps[:]//evil[.]com/": "https://evil.com/",
    "hxxp[://]evil[.]com[/]x": "http://evil.com/x",
    "http[s]://evil.com/x": "https://evil.com/x",
    "fxp://evil.com/x": "ftp://evil.com/x",
    r"hxxp:\\evil.com": "http://evil.com",
    "http://1.2.3[.]4:8080/x": "http://1.2.3.4:8080/x",
    "http://[2001:db8::1]/x": "http://[2001:db8::1]/x",
    "evil[.]com/a.php": "evil.com/a.php",
    "https://u:p@evil.com/a": "https://u:p@evil.com/a",
    "http://evil.com/a_(b)": "http://evil.com/a_(b)",
    "(http://evil.com/a).": "http://evil.com/a",
    "<http://evil.com/a>": "http://evil.com/a",
    '"http://evil.com/a",': "http://evil.com/a",
    "`++http://evil[.]com/a++`": "http://evil.com/a",
    "https://evil.com/a[text]": "https://evil.com/a",
    "http://evil.com/a,url,Note": "http://evil.com/a",
    "HTTP://EVIL.COM/Path": "http://evil.com/Path",
    "hxxps://evil[.]com/x?u=[your mail]": "https://evil.com/x?u=",
    "tcp://10.0.0.1:4444": "tcp://10.0.0.1:4444",
    r"http:\/\/evil.com\/a": "http://evil.com/a",
}
NOT_DOMAINS = [
    "setup.exe",
    "README.md",
    "index.php",
    "foo.py",
    "lib.so",
    "com.apple.foo",
    "os.path",
    "os.path.join(x)",
    "java.lang.String",
    "System.Net",
    "setup.zip",
    "libc.so.6",
    "main.rs",
    "process.name",
    "user.id",
    "host.name",
    "kibana.alert.rule.name",
    "asp.net",
    "end.In",
    "e.g.",
    "i.e.",
    "file.txt",
    "build.sh",
    "Win32/Agent.TV",
    "Turla.CW",
    "$obj.name",
    "obj.call()",
    "dfs.DataNode",
    "org.apache.hadoop.io",
    "android.app",
    "x.y",
    "1.2.rs",
    "Safari.app",
]
NOT_ADDRESSES = [
    "version 1.2.3.4",
    "v1.2.3.4",
    "Version: 10.2.3.4",
    "Chrome/91.0.4472.124",
    "Firefox/3.6.12.1",
    "2.16.840.1.113730",
    "10.0.19041.1",
    "1.2.3.4.5",
    "1.2.3.256",
    "01.2.3.4",
    "before 9.3.0.1",
    "1.2.3",
    "pkg-1.2.3.4",
    "1.2.3.4-beta",
    "1.2.3.4 and earlier",
    "a1.2.3.4",
    "1.2.3.4.rpm",
    "0.1.2.3",
]


@pytest.mark.parametrize(("text", "value"), DEFANGED.items())
def test_defanged_domains(text, value):
    assert values(f"seen {text} today", "domain-name") == [value]
    assert values(text, "domain-name") == [value]


@pytest.mark.parametrize(("text", "value"), URLS.items())
def test_urls(text, value):
    assert values(f"- {text} -- note", "url") == [value]


@pytest.mark.parametrize("text", NOT_DOMAINS)
def test_file_names_code_and_sentences_are_no_domains(text):
    assert values(f"the {text} was", "domain-name") == []


@pytest.mark.parametrize("text", NOT_ADDRESSES)
def test_versions_and_object_ids_are_no_addresses(text):
    assert values(f"uses {text}, now", "ipv4-addr") == []


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("/10.251.43.21:50010", "10.251.43.21"),
        ("rhost=1.2.3.4 ", "1.2.3.4"),
        ("[1.2.3.4]", "1.2.3.4"),
        ("1.1.1[.]1", "1.1.1.1"),
        ("host/10.1.1.1:80", "10.1.1.1"),
        ("1.2.3.4.", "1.2.3.4"),
        ("10.0.0.0/8", "10.0.0.0/8"),
        ("1[.]2[.]3[.]0/24", "1.2.3.0/24"),
        ("::ffff:1.2.3.4", "1.2.3.4"),
        ("ip:1.2.3.4", "1.2.3.4"),
        ("1.2.3[.]4[:]80", "1.2.3.4"),
        ("1(.)2(.)3(.)4", "1.2.3.4"),
    ],
)
def test_addresses(text, value):
    assert values(f"x {text} y", "ipv4-addr") == [value]


def test_a_port_belongs_to_the_raw_form_only():
    (found,) = SCANNER.scan("to 1.2.3.4:8080.")
    assert (found.value, found.raw) == ("1.2.3.4", "1.2.3.4:8080")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("fe80::1%eth0", "fe80::1"),
        ("2001:DB8:0:0:0:0:0:1", "2001:db8::1"),
        ("0:0:0:0:0:0:0:1:2181", "::1"),
        ("2001[:]db8[::]1 2001[:]db8::2", "2001:db8::2"),
    ],
)
def test_ipv6(text, value):
    assert value in values(text, "ipv6-addr")


@pytest.mark.parametrize(
    "text", ["std::string", "a::b", "12:34:56", "2017-12-23 22:15:29:606", "::", "00:11:22:33:44:55:66:77"]
)
def test_scopes_and_times_are_no_ipv6(text):
    assert values(f"x {text} y", "ipv6-addr") == []


@pytest.mark.parametrize(
    "text",
    [
        "user@evil.com",
        "user[@]evil[.]com",
        "user (at) evil (dot) com",
        "user at evil dot com",
        "<mailto:user@evil.com>",
        r"user\@evil\.com",
    ],
)
def test_mail_addresses_and_no_domain_inside_them(text):
    assert values(text, "email-addr") == ["user@evil.com"]
    assert values(text, "domain-name") == []


def test_a_url_brings_its_host():
    found = SCANNER.scan("see hxxp://evil[.]com:80/x")
    assert [(one.type, one.value, one.raw) for one in found] == [
        ("url", "http://evil.com:80/x", "hxxp://evil[.]com:80/x"),
        ("domain-name", "evil.com", "evil[.]com:80"),
    ]


def test_a_hash_in_a_url_counts_only_where_the_path_names_it():
    sha256 = "ab12cd34" * 8
    assert values(f"https://vt.example.com/file/{sha256}/detection", "file") == [sha256]
    assert values("https://evil.com/x?session=0123456789abcdef0123456789abcdef", "file") == []


def test_a_label_of_a_domain_is_no_hash():
    label = "d3fcad4e8c158a8347f69755408afe9c"
    assert values(f"query {label}.evil.buzz now", "file") == []
    assert values(f"query {label}.evil.buzz now", "domain-name") == [f"{label}.evil.buzz"]
    assert values(f"dropped {label}.exe now", "file") == [label]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (r'"C:\Program Files\Foo Bar\my file.exe"', r"C:\Program Files\Foo Bar\my file.exe"),
        (r"C:\Windows\System32\cmd.exe /c x", r"C:\Windows\System32\cmd.exe"),
        (r"%TEMP%\a.dll,", r"%TEMP%\a.dll"),
        (r"C:\\Users\\x\\a.exe", r"C:\Users\x\a.exe"),
        (r"\\srv\share\a.txt", r"\\srv\share\a.txt"),
        ("/etc/passwd.", "/etc/passwd"),
        ("~/.ssh/id_rsa", "~/.ssh/id_rsa"),
        ("(/var/log/a.log)", "/var/log/a.log"),
    ],
)
def test_paths(text, value):
    assert values(f"x {text}", "file-path") == [value]


@pytest.mark.parametrize("text", ["GET /a/b/c.php HTTP/1.1", "and/or", "1/2/3", "</div></a>", "10/12/2020", "km/h"])
def test_requests_and_fractions_are_no_paths(text):
    assert values(text, "file-path") == []


def test_registry_keys_part_at_words_and_name_their_hive():
    text = r"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion\Run and HKCU\\Software\\z. HKLM:\System\y"
    assert values(text, "windows-registry-key") == [
        r"HKEY_LOCAL_MACHINE\SOFTWARE\Microsoft\Windows NT\CurrentVersion\Run",
        r"HKEY_CURRENT_USER\Software\z",
        r"HKEY_LOCAL_MACHINE\System\y",
    ]


def test_marked_things_need_their_mark():
    text = "Mutex is created; mutex: Global\\a-1 and mutex named `b c d`"
    assert values(text, "mutex") == ["Global\\a-1", "b c d"]
    assert values("Event IDs 4688, 4689 and 4690; EventCode=1; the event identifies 3", "windows-event-id") == [
        "4688",
        "4689",
        "4690",
        "1",
    ]
    assert values(
        "sample 6734f37431670b3ab4292b8f60f29984 ja3 6734f37431670b3ab4292b8f60f29985", "tls-fingerprint"
    ) == ["6734f37431670b3ab4292b8f60f29985"]


def test_attack_ids_other_than_techniques_need_their_context():
    assert values("model S0154 and G0007", "malware") == []
    assert values("the group G0007", "intrusion-set") == ["G0007"]
    assert values("T1059/001 T1566.002 XT1059 T9999 T1059-x", "attack-pattern") == ["T1059.001", "T1566.002"]


def test_public_ids_in_all_their_spellings():
    text = (
        "CVE-2021-44228 cve_2019_0708 CVE\u20112020\u20111472 CVE-1066-1234 CWE 89 CWE-0079 AS64496 ASN 64497 as64498"
    )
    assert values(text, "vulnerability") == ["CVE-2021-44228", "CVE-2019-0708", "CVE-2020-1472"]
    assert values(text, "weakness") == ["CWE-89", "CWE-79"]
    assert values(text, "autonomous-system") == ["AS64496", "AS64497"]


@pytest.mark.parametrize("text", ["00:1A:2B:3C:4D:5E", "00-1a-2b-3c-4d-5e", "001a.2b3c.4d5e"])
def test_mac_addresses_in_three_forms(text):
    assert values(f"at {text}, y", "mac-addr") == ["00:1a:2b:3c:4d:5e"]


@pytest.mark.parametrize("text", ["17-06-09-20-10-40", "00:1A:2B:3C:4D:5E:6F", "0:1A:2B:3C:4D:5E", "gg:1A:2B:3C:4D:5E"])
def test_times_and_longer_chains_are_no_mac(text):
    assert values(f"at {text}, y", "mac-addr") == []


def test_user_agents_end_where_they_end():
    agent = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/91.0 Safari/537.36"
    assert values(f'1.2.3.4 - - "GET / HTTP/1.1" 200 5 "-" "{agent}"', "user-agent") == [agent]
    assert values(f"User-Agent: {agent}", "user-agent") == [agent]
    assert values('{"user_agent":"curl/7.68.0","x":1}', "user-agent") == ["curl/7.68.0"]


@pytest.mark.parametrize("mark", ["", "x", "\n", "\r\n", "\u200b", "\ufeff", "\x00"])
def test_edges_of_the_text_are_edges_of_words(mark):
    found = SCANNER.scan(f"{mark}evil.com{mark}", 5)
    assert [one.value for one in found if one.type == "domain-name"] in (
        [["evil.com"]] if mark != "x" else [[]]
    ) or mark == "x"
