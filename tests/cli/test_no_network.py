"""Nothing is sent: triage runs in a network namespace whose only way out is counted, and the count stays at zero."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

INSIDE = """
set -eu
ip link set lo up
ip link add out0 type veth peer name out1
ip link set out1 up
ip link set out0 arp off up
ip address add 192.0.2.1/24 dev out0
ip route add default dev out0
sent() { awk '/out0:/ {print $11}' /proc/net/dev; }
before=$(sent)
"$@" >&2
packets=$(($(sent) - before))
connections=$(awk '/^Tcp:/ {n++; if (n == 2) print $6}' /proc/net/snmp)
datagrams=$(awk '/^Udp:/ {n++; if (n == 2) print $5}' /proc/net/snmp)
echo "{\\"packets\\": $packets, \\"connections\\": $connections, \\"datagrams\\": $datagrams}"
"""


def in_namespace(command: list[str], home: Path) -> dict[str, int]:
    """Run a command where every packet it sends is seen; IPv6 is off, whose own neighbour discovery would count."""
    script = f"echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6 || true\n{INSIDE}"
    done = subprocess.run(
        ["unshare", "--net", "bash", "-c", script, "inside", *command],
        env={**os.environ, "CASEMATE_HOME": str(home)}, capture_output=True, text=True, timeout=280, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    counted: dict[str, int] = json.loads(done.stdout.splitlines()[-1])
    return counted


@pytest.fixture(scope="module", autouse=True)
def namespaces() -> None:
    able = shutil.which("unshare") and shutil.which("ip")
    able = able and subprocess.run(["unshare", "--net", "true"], capture_output=True, check=False).returncode == 0
    if not able:
        assert not os.environ.get("CASEMATE_REQUIRE_NETNS"), "unshare and ip are needed, and the right to use them"
        pytest.skip("network namespaces cannot be made here (needs root, util-linux and iproute2)")


def test_the_counter_sees_what_is_sent(prepared_home: Path):
    send = "import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('198.51.100.1', 53))"
    counted = in_namespace([sys.executable, "-c", send], prepared_home)
    assert counted["datagrams"] == 1
    assert counted["packets"] > 0


@pytest.mark.slow
@pytest.mark.model
def test_the_demo_sends_nothing(prepared_home: Path, embedded_model: Path):
    shutil.copytree(embedded_model, prepared_home / "models")
    names = ("auth.log", "access.log", "cron-update.sh", "phish.eml")
    command = [sys.executable, "-m", "casemate", "triage", *(str(ROOT / "examples" / name) for name in names)]
    assert in_namespace(command, prepared_home) == {"packets": 0, "connections": 0, "datagrams": 0}
