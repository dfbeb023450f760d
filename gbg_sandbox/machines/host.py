"""The fork server of the namespaces kind: a process with one thread that makes machines and networks.

It lives in a user namespace in which it is root, whoever started it, and ends with everything it made when
the sandbox's end of its socket closes. Started as `python -m gbg_sandbox.machines.host DESCRIPTOR`.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gbg_sandbox.machines import birth, linux, wire
from gbg_sandbox.machines.forkserver import ForkServer, Reply
from gbg_sandbox.machines.netlink import Netlink

MAPPED_IDS = 65536
NAMESPACES = linux.CLONE_NEWNS | linux.CLONE_NEWPID | linux.CLONE_NEWUTS | linux.CLONE_NEWIPC


def enter_user_namespace() -> bool:
    """Become root of a new user namespace; whether it has more than one user (only root may map them)."""
    user, group, parent = os.geteuid(), os.getegid(), os.getpid()
    if user == 0 and _can_map_all():
        ready, told = os.pipe()
        helper = os.fork()
        if helper == 0:
            os.close(told)
            os.read(ready, 1)
            for kind in ("uid", "gid"):
                Path(f"/proc/{parent}/{kind}_map").write_text(f"0 0 {MAPPED_IDS}\n")
            os._exit(0)
        linux.unshare(linux.CLONE_NEWUSER)
        os.write(told, b"x")
        _pid, status = os.waitpid(helper, 0)
        if status:
            raise OSError("the user ids of the machines could not be mapped")
        os.setresuid(0, 0, 0)
        return True
    linux.unshare(linux.CLONE_NEWUSER)
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"0 {user} 1\n")
    Path("/proc/self/gid_map").write_text(f"0 {group} 1\n")
    return False


def _can_map_all() -> bool:
    """Whether this process itself has ids 0..65535, which it doesn't as root of a rootless container."""
    ranges = [line.split() for line in Path("/proc/self/uid_map").read_text().splitlines()]
    return any(int(first) == 0 and int(count) >= MAPPED_IDS for first, _outside, count in ranges)


class Host(ForkServer):
    def __init__(self, control: socket.socket) -> None:
        super().__init__(control)
        self._networks: dict[str, int] = {}
        self._cables = itertools.count(1)
        self._many_users = enter_user_namespace()
        linux.unshare(linux.CLONE_NEWNS | linux.CLONE_NEWNET)
        linux.mount("none", "/", "", linux.MS_REC | linux.MS_PRIVATE)
        self.tell({"event": "up"})

    def enter_network(self, name: str) -> None:
        linux.setns(self._networks[name], linux.CLONE_NEWNET)

    def _do_add_network(self, order: dict[str, Any], _given: Sequence[int]) -> Reply:
        if order["name"] in self._networks:
            return {}, []
        linux.unshare(linux.CLONE_NEWNET)
        with Netlink() as link:
            link.up("lo")
            link.bridge(birth.BRIDGE)
            link.address(birth.BRIDGE, order["router"], order["prefix"])
            for address in order["addresses"]:
                link.address(birth.BRIDGE, address, 32)
            link.no_way_out()
        self._networks[order["name"]] = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        return {}, []

    def _do_remove_network(self, order: dict[str, Any], _given: Sequence[int]) -> Reply:
        descriptor = self._networks.pop(order["name"], None)
        if descriptor is not None:
            linux.unshare(linux.CLONE_NEWNET)
            os.close(descriptor)
        return {}, []

    def _do_start(self, order: dict[str, Any], given: Sequence[int]) -> Reply:
        network = self._networks[order["network"]]
        more = {"many_users": self._many_users, "cable": f"veth{next(self._cables)}"}
        pid = linux.clone(NAMESPACES)
        if pid == 0:
            birth.become_machine({**order, **more}, network, *given)
        return {"pid": pid}, []

    def _do_kill(self, order: dict[str, Any], _given: Sequence[int]) -> Reply:
        with contextlib.suppress(ProcessLookupError):
            os.kill(order["pid"], signal.SIGKILL)
        return {}, []

    def _do_socket(self, order: dict[str, Any], _given: Sequence[int]) -> Reply:
        """A socket made inside a network; bound (and listening) when an address is given."""
        self.enter_network(order["network"])
        made = socket.socket(socket.AF_INET, order["kind"])
        if order["address"]:
            with Netlink() as link:
                link.address(birth.BRIDGE, order["address"], 32)
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            made.bind((order["address"], order["port"]))
            if order["kind"] == socket.SOCK_STREAM:
                made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                made.listen(1024)
        return {}, [made.detach()]


def main() -> None:
    control = socket.socket(fileno=int(sys.argv[1]))
    control.set_inheritable(False)
    try:
        host = Host(control)
    except OSError as error:
        wire.send(control, {"event": "failed", "message": str(error), "errno": error.errno})
        return
    host.serve()


if __name__ == "__main__":
    main()
