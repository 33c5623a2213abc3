"""What a script or command line would do, told by the words that do it: download, run, persist, hide, steal, destroy.

Rules over text, nothing is run. A rule names the act, the ATT&CK technique whose description it fits, and where it
stands, so that a person can read the words themselves. Names of programs that come with Windows and are abused are
facts; LOLBAS (lolbas-project.github.io) lists them.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple


class Act(NamedTuple):
    """One act: its kind in `ACTS`, and the characters of the text whose words show it."""

    kind: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Kind:
    """What an act is: what to say of it, the technique it fits, and how grave it is (OCSF severity_id)."""

    says: str
    technique: str
    severity: int
    pattern: str


ACTS: dict[str, Kind] = {
    "download": Kind(
        "fetches something from the network",
        "T1105",
        4,
        r"\.download(?:string|file|data)(?:async)?\b|invoke-webrequest|invoke-restmethod|\biwr\s|\birm\s|start-bitstransfer"
        r"|\bbitsadmin\b[^\n]{0,80}/transfer|certutil[^\n]{0,80}-urlcache|\bwget\s+\S|\bcurl\s+\S|urldownloadtofile"
        r"|msxml2\.(?:server)?xmlhttp|winhttp\.winhttprequest|urllib\d?\.(?:request|urlopen|urlretrieve)|requests\.get\("
        r"|file_get_contents\(['\"]https?:|\bfetch\(|net\.webclient|tftp\s+-i",
    ),
    "run-text": Kind(
        "runs text as code",
        "T1059",
        4,
        r"\biex\b|invoke-expression|\beval\s*\(|\bexec\s*\(|execute(?:global)?\s*\(|\.invokescript\(|\[scriptblock\]::create"
        r"|\|\s*(?:ba|z|da|k)?sh\b|-(?:e|ec|enc|encodedcommand)\s+[A-Za-z0-9+/=]{16,}|\bfunction\(\)\{.{0,40}\}\)\(\)",
    ),
    "start": Kind(
        "starts a program",
        "T1059",
        3,
        r"start-process|\bshellexecute[aw]?\b|wscript\.shell|\.run\s*[( ]\s*['\"\w]|\bcreateprocess[aw]?\b|winexec"
        r"|os\.system\("
        r"|subprocess\.(?:run|call|popen|check_output)|runtime\.getruntime\(\)\.exec|passthru\(|shell_exec\(|popen\("
        r"|\bnohup\b|(?:^|[\s;&])start\s+/(?:b|min|wait)",
    ),
    "abused-program": Kind(
        "uses a program of the system that attackers abuse",
        "T1218",
        3,
        r"\b(?:mshta|regsvr32|rundll32|certutil|bitsadmin|wmic|msbuild|installutil|cmstp|odbcconf|regasm|regsvcs|msiexec"
        r"|forfiles|pcalua|hh|mavinject|ieexec|presentationhost|xwizard|verclsid|cscript|wscript|extrac32|esentutl|desktopimgdownldr"
        r"|makecab|expand|diskshadow|dnscmd|control|csc|jsc|ftp|replace|syncappvpublishingserver)(?:\.exe)?(?=\s+[-/\\\"'\w%$])",
    ),
    "persist": Kind(
        "stays after a restart or a log-on",
        "T1547",
        4,
        r"\\(?:run|runonce|runonceex|winlogon|userinit)\b(?=[\\\"'\s/])|currentversion\\run|/etc/rc\.local"
        r"|\.bashrc|\.profile\b|authorized_keys|launchagents|launchdaemons"
        r"|start menu\\programs\\startup|__eventfilter|commandlineeventconsumer|set-wmiinstance",
    ),
    "schedule": Kind(
        "has something started by a schedule",
        "T1053",
        4,
        r"schtasks(?:\.exe)?\s+/create|register-scheduledtask|new-scheduledtask|\bcrontab\b|/etc/cron",
    ),
    "install-service": Kind(
        "has something started as a service",
        "T1543",
        4,
        r"\bsc(?:\.exe)?\s+create\b|new-service\b|systemctl\s+enable|/etc/systemd/system",
    ),
    "hide-window": Kind(
        "hides itself from the person at the screen or skips the checks on scripts",
        "T1564.003",
        3,
        r"-w(?:indowstyle)?\s+(?:hidden|h|1)\b|-nop(?:rofile)?\b|-noni(?:nteractive)?\b|-e(?:x|xec|p|xecutionpolicy)*\s+(?:bypass"
        r"|unrestricted)|createnowindow|vbhide|sw_hide|\battrib\s+\+[hs]",
    ),
    "disable-defence": Kind(
        "turns a defence off or hides from it",
        "T1562.001",
        5,
        r"set-mppreference|add-mppreference|disablerealtimemonitoring|amsi(?:utils|initfailed|scanbuffer|context)"
        r"|netsh\s+(?:adv)?firewall|set-netfirewallprofile|ufw\s+disable|iptables\s+-f\b|setenforce\s+0|windefend|sense\b.{0,20}stop"
        r"|etweventwrite|disableantispyware|tamperprotection|wevtutil(?:\.exe)?\s+cl|clear-eventlog|history\s+-c|unset\s+histfile"
        r"|rm\s+(?:-\w+\s+)*/var/log",
    ),
    "credentials": Kind(
        "reaches for credentials",
        "T1003",
        5,
        r"mimikatz|sekurlsa|lsass|comsvcs(?:\.dll)?[,\s]+(?:#\s?24|minidump)|ntdsutil|ntds\.dit"
        r"|reg(?:\.exe)?\s+save\s+hk(?:lm|ey_local_machine)\\sa"
        r"|procdump|/etc/shadow|vaultcli|cmdkey\s+/list|login data|logins\.json|wallet\.dat|get-credential"
        r"|convertto-securestring"
        r"|lazagne|dpapi|\.aws/credentials|169\.254\.169\.254|id_rsa",
    ),
    "discover": Kind(
        "looks around on the system or the network",
        "T1082",
        2,
        r"\bwhoami\b|\bsysteminfo\b|\bipconfig\b|\bifconfig\b|\bnet(?:1)?(?:\.exe)?\s+(?:user|group|localgroup|view|share|use|session)\b|\bnltest\b"
        r"|\btasklist\b|get-process\b|\buname\s+-|/etc/passwd|\bnetstat\b|\barp\s+-a|\bquser\b|get-ad(?:user|computer|domain)|get-wmiobject"
        r"|win32_(?:operatingsystem|computersystem|process|bios)|\bhostname\b(?=\s*[;|&\n]|$)|\bdsquery\b|get-nettcpconnection",
    ),
    "account": Kind(
        "makes or changes an account",
        "T1136",
        4,
        r"net(?:1)?(?:\.exe)?\s+user\s+\S+\s+\S+.{0,40}/add|net(?:1)?(?:\.exe)?\s+localgroup\s+\S+\s+\S+\s+/add|new-localuser|add-localgroupmember"
        r"|\buseradd\b|\badduser\b|\busermod\b|\bpasswd\s+\w|/etc/sudoers|chpasswd",
    ),
    "inject": Kind(
        "puts code into memory or another process",
        "T1055",
        5,
        r"virtualalloc(?:ex)?\b|writeprocessmemory|createremotethread|ntcreatethreadex|queueuserapc|virtualprotect\b"
        r"|getdelegateforfunctionpointer|marshal\]?::copy|\[system\.reflection\.assembly\]|reflection\.assembly\]?::load|assembly::load"
        r"|rtlmovememory|setthreadcontext|getprocaddress|loadlibrary",
    ),
    "connect": Kind(
        "opens a connection for whoever is at the other end",
        "T1095",
        5,
        r"/dev/tcp/|net\.sockets\.tcpclient|\bnc(?:at)?(?:\.exe)?\s+(?:-\w+\s+)*[\w.-]+\s+\d+|socket\.socket\(|\bsocat\b|mkfifo"
        r"|fsockopen\(|pty\.spawn|\bssh\s+-[rR]\b|-R\s+\d+:|chisel|ngrok",
    ),
    "spread": Kind(
        "moves to other hosts",
        "T1021",
        4,
        r"\bpsexec|invoke-command\b.{0,60}-computername|enter-pssession|new-pssession|wmic\s+/node|\\\\[\w.$-]+\\(?:admin|c|ipc)\$"
        r"|\bwinrs\b|\bscp\s|\bsshpass\b|copy-item.{0,60}-tosession",
    ),
    "send": Kind(
        "sends data out",
        "T1041",
        4,
        r"upload(?:string|file|data)\b|-method\s+post|--data-binary|curl[^\n]{0,120}\s-(?:d|F|T)\s|\.send\(|invoke-\w+[^\n]{0,80}-infile"
        r"|api\.telegram\.org|discord(?:app)?\.com/api/webhooks|requests\.post\(|pastebin\.com|transfer\.sh|smtp\.|send-mailmessage",
    ),
    "destroy": Kind(
        "deletes, encrypts or makes recovery hard",
        "T1490",
        5,
        r"vssadmin(?:\.exe)?\s+(?:delete|resize)|wbadmin\s+delete|bcdedit\b|shadowcopy\s+delete|win32_shadowcopy|cipher\s+/w|\brm\s+-rf?\s+/"
        r"|format\s+[a-z]:|\bdd\s+if=/dev/(?:zero|urandom)|\bshred\b|createencryptor|aescryptoserviceprovider|rijndaelmanaged"
        r"|del\s+/[fsq]|remove-item\b.{0,60}-recurse|\bmkfs\b",
    ),
    "mine": Kind(
        "mines crypto currency", "T1496", 4, r"xmrig|stratum\+tcp|minerd|cryptonight|--donate-level|nanopool|monero"
    ),
    "decode": Kind(
        "unpacks something hidden",
        "T1140",
        3,
        r"frombase64string|\bbase64\s+(?:-d|--decode|-D)\b|certutil[^\n]{0,60}-decode|b64decode|\batob\(|gzipstream|deflatestream|gunzip"
        r"|zlib\.decompress|gzinflate|str_rot13|\[convert\]::|openssl\s+(?:enc\s+)?-?\S{0,20}\s?-d\b|\[char\]\s?\d|fromcharcode"
        r"|-bxor\b|\bxxd\s+-r",
    ),
    "wait": Kind(
        "waits or asks whether it is being watched",
        "T1497",
        2,
        r"start-sleep|\bsleep\s+\d|\btimeout\s+/t|ping\s+-n\s+\d+\s+127\.|wscript\.sleep|isdebuggerpresent|checkremotedebugger"
        r"|\bvmware|virtualbox|\bvbox|sbiedll|\bqemu\b|gettickcount",
    ),
    "drop": Kind(
        "writes a file",
        "T1105",
        2,
        r"out-file\b|set-content\b|add-content\b|writeallbytes|writealltext|savetofile|(?<![>&\d])>{1,2}\s?(?:/tmp|/var/tmp|/dev/shm|%temp%"
        r"|\$env:temp|c:\\)[\w./\\-]+|-o(?:ut(?:file)?)?\s+(?:/tmp|/var/tmp|/dev/shm|%temp%|\$env:)\S+|fwrite\(|\bcopy\s+/b",
    ),
    "registry": Kind(
        "changes the registry",
        "T1112",
        3,
        r"\breg(?:\.exe)?\s+(?:add|delete|import|copy)\b|(?:set|new|remove)-itemproperty\b[^\n]{0,80}hk(?:lm|cu|ey)|regsetvalue"
        r"|regwrite",
    ),
    "service": Kind(
        "changes or stops a service or a process",
        "T1489",
        3,
        r"\bsc(?:\.exe)?\s+(?:config|stop|delete|sdset)\b|\bnet(?:1)?(?:\.exe)?\s+stop\b|stop-service|systemctl\s+(?:stop|disable|mask)"
        r"|\btaskkill\b|stop-process|\bpkill\b|\bkillall\b",
    ),
    "load": Kind(
        "loads a module",
        "T1129",
        3,
        r"import-module|\bmodprobe\b|\binsmod\b|ld_preload|add-type\b|\[reflection|\bkextload\b",
    ),
    "collect": Kind(
        "gathers or packs files, screens or keystrokes",
        "T1560",
        3,
        r"compress-archive|\btar\s+-?c|\bzip\s+-|\b7z(?:a|\.exe)?\s+a\b|\brar(?:\.exe)?\s+a\b|\btcpdump\b|\btshark\b|get-clipboard"
        r"|screencapture|copyfromscreen|getasynckeystate|setwindowshookex|findstr\b[^\n]{0,60}(?:pass|cred)|\bxclip\b",
    ),
    "ask-names": Kind(
        "asks the name system", "T1071.004", 2, r"\bnslookup\b|\bdig\s+[@\w#$]|resolve-dnsname|\bhost\s+-t\b"
    ),
    "permit": Kind(
        "makes a file runnable",
        "T1222",
        3,
        r"\bchmod\s+(?:\+x|[0-7]*[1357][0-7]{0,2})\b|icacls\b|takeown\b|unblock-file",
    ),
}
"""Kind -> what it is, in the order that acts of one place are told."""

CHARS = 400_000
"""Characters of one text that are looked at."""

_STATEMENT = re.compile(r"\r?\n|;|&&|\|\|")


@cache
def _patterns() -> tuple[tuple[str, re.Pattern[str]], ...]:
    return tuple((name, re.compile(kind.pattern, re.IGNORECASE)) for name, kind in ACTS.items())


def find_acts(text: str, most: int) -> Iterator[Act]:
    """Yield what a text would do, in the order of where it stands, each kind once a statement; at most `most`."""
    seen: set[tuple[str, int]] = set()
    found = sorted(
        (match.start(), order, name, match.end())
        for order, (name, pattern) in enumerate(_patterns())
        for match in pattern.finditer(text, 0, CHARS)
    )
    given = 0
    for start, _, name, end in found:
        statement = statement_around(text, start, end)
        if (name, statement[0]) in seen:
            continue
        seen.add((name, statement[0]))
        yield Act(name, start, end)
        given += 1
        if given >= most:
            return


def statement_around(text: str, start: int, end: int, most: int = 300) -> tuple[int, int]:
    """Give the statement that characters `start..end` stand in, without white space around it, at most `most` long."""
    first = max(start - most, 0)
    begin = first
    for border in _STATEMENT.finditer(text, first, start):
        begin = border.end()
    following = _STATEMENT.search(text, end, min(end + most, len(text)))
    stop = following.start() if following else min(end + most, len(text))
    if stop - begin > most:
        near = max(begin, start - most // 3)
        space = re.search(r"\s", text[near:start]) if near > begin else None
        begin = near + space.end() if space else start if near > begin else near
        stop = min(stop, max(begin + most, end))
    while begin < start and text[begin].isspace():
        begin += 1
    while stop > end and text[stop - 1].isspace():
        stop -= 1
    return begin, max(stop, end)
