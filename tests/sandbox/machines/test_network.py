"""Addresses, names, and who reaches whom."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gbg_sandbox.machines import Machines
from gbg_sandbox.machines.interface import ENDPOINT_ADDRESS, METADATA_ADDRESS

Shell = Callable[..., tuple[int, str]]
Boot = Callable[..., Any]
SERVE = """
import socket, sys
server = socket.create_server(("", 8080), family=socket.AF_INET6, dualstack_ipv6=True)
open("/tmp/up", "w").close()
while True:
    client, peer = server.accept()
    client.sendall(sys.argv[1].encode())
    client.close()
"""
CALL = """
import socket, sys
with socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=5) as call:
    print(call.recv(100).decode())
"""


def _serve(machine: Any, shell: Shell, text: str) -> None:
    machine.write("/opt/serve.py", SERVE.encode())
    shell(machine, f"setsid python3 /opt/serve.py '{text}' </dev/null >/dev/null 2>&1 &")
    assert shell(machine, "until [ -e /tmp/up ]; do sleep 0.02; done", real_seconds=20)[0] == 0


def _call(machine: Any, shell: Shell, host: str, port: int = 8080) -> tuple[int, str]:
    machine.write("/opt/call.py", CALL.encode())
    return shell(machine, f"python3 /opt/call.py {host} {port} 2>&1 | tail -1")


def test_every_machine_has_the_same_port_for_itself(boot: Boot, shell: Shell) -> None:
    one, two = boot("10.0.1.5"), boot("10.0.1.6")
    _serve(one, shell, "I am one")
    _serve(two, shell, "I am two")
    assert _call(one, shell, "localhost")[1] == "I am one\n"
    assert _call(one, shell, "10.0.1.6")[1] == "I am two\n"
    assert _call(two, shell, "ip-10-0-1-5.ec2.internal")[1] == "I am one\n"
    assert _call(two, shell, "127.0.0.1")[1] == "I am two\n"


def test_two_networks_of_the_same_range_do_not_meet(machines: Machines, boot: Boot, shell: Shell) -> None:
    machines.add_network("vpc-2", "10.0.0.0/16")
    here, there = boot("10.0.1.7"), boot("10.0.1.8", network="vpc-2")
    _serve(there, shell, "the other VPC")
    assert "the other VPC" not in _call(here, shell, "10.0.1.8")[1]
    same = boot("10.0.1.8")
    _serve(same, shell, "this VPC")
    assert _call(here, shell, "10.0.1.8")[1] == "this VPC\n"


def test_names_of_aws_and_of_machines_resolve_and_nothing_else(boot: Boot, shell: Shell) -> None:
    machine = boot("10.0.1.5")
    names = (
        "ssm.us-east-1.amazonaws.com bucket.s3.us-east-1.amazonaws.com ip-10-9-8-7.ec2.internal example.com"
    )
    lines = shell(machine, f"for name in {names}; do getent ahostsv4 $name | head -1; done")[1].split("\n")
    assert [line.split()[0] for line in lines if line] == [ENDPOINT_ADDRESS, ENDPOINT_ADDRESS, "10.9.8.7"]


def test_there_is_no_way_out_and_it_is_told_at_once(boot: Boot, shell: Shell) -> None:
    told = _call(boot(), shell, "192.0.2.1", 80)[1]
    assert "unreachable" in told or "No route to host" in told


def test_a_server_of_the_sandbox_sees_which_machine_calls(
    machines: Machines, boot: Boot, shell: Shell
) -> None:
    caller = boot("10.0.1.9")
    with machines.listen("vpc-1", METADATA_ADDRESS, 8081) as server:
        caller.write("/opt/call.py", CALL.encode())
        shell(caller, f"setsid python3 /opt/call.py {METADATA_ADDRESS} 8081 </dev/null >/tmp/told 2>&1 &")
        server.settimeout(20)
        connection, peer = server.accept()
        with connection:
            assert machines.peer("vpc-1", peer[0]) == "10.0.1.9"
            connection.sendall(b"hello")
    assert shell(caller, "until [ -s /tmp/told ]; do sleep 0.02; done; cat /tmp/told")[1] == "hello\n"


def test_the_sandbox_connects_to_a_machine_and_learns_when_nobody_listens(
    machines: Machines, boot: Boot, shell: Shell
) -> None:
    machine = boot("10.0.1.5")
    with pytest.raises(OSError):
        machines.connect("vpc-1", "10.0.1.5", 8080, 2)
    _serve(machine, shell, "here")
    with machines.connect("vpc-1", "10.0.1.5", 8080, 5) as call:
        assert call.recv(100) == b"here"


def test_a_host_program_listens_on_the_host_and_reaches_machines(
    machines: Machines, boot: Boot, shell: Shell, folder: Path
) -> None:
    _serve(boot("10.0.1.5"), shell, "through the balancer")
    relay = (
        "import socket; server = socket.socket(fileno=3)\n"
        "while True:\n"
        "    client, _ = server.accept()\n"
        f"    with socket.create_connection(('{machines.reach('vpc-1', '10.0.1.5')}', 8080)) as call:\n"
        "        client.sendall(call.recv(100)); client.close()\n"
    )
    with socket.create_server(("127.0.0.1", 0)) as front:
        pid = machines.spawn("vpc-1", [sys.executable, "-c", relay], sockets=[front], log=folder / "log")
        with socket.create_connection(front.getsockname(), timeout=20) as call:
            assert call.recv(100) == b"through the balancer"
    assert Path(f"/proc/{pid}").exists()


def test_a_machine_knows_its_name_and_address(boot: Boot, shell: Shell) -> None:
    machine = boot("10.0.1.5")
    assert shell(machine, "hostname; getent ahostsv4 $(hostname) | awk 'NR == 1 {print $1}'") == (
        0,
        "ip-10-0-1-5.ec2.internal\n10.0.1.5\n",
    )
