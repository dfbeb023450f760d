"""From a forked process to pid 1 of a machine: network, root file system, `exec`.

Runs in the child of the fork server, already in namespaces of its own except for the network's.
"""

from __future__ import annotations

import contextlib
import os
import socket
from pathlib import Path
from typing import Any, NoReturn

from gbg_sandbox.machines import linux, seccomp, wire
from gbg_sandbox.machines.netlink import Netlink

BRIDGE = "vpc"
INTERFACE = "ens5"
DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
PID1 = "/usr/lib/systemd/systemd"
LINK_LOCAL = "169.254.0.0/16"


def become_machine(order: dict[str, Any], network: int, control: int, console: int) -> NoReturn:
    """`order` says folder, address, hostname and the like; a failure is reported on `control`."""
    try:
        linux.die_with_parent()
        os.setsid()
        linux.reset_signals()
        _plug_in(network, order["cable"], order["address"], order["prefix"])
        socket.sethostname(order["hostname"])
        _enter_root(order["folder"], order["layers"], many_users=order["many_users"])
        standard_streams(control, console)
        if not order["many_users"]:
            seccomp.pretend_ownership()
        argv = [PID1, "--boot" if order["boot"] else "--no-boot"]
        os.execve(PID1, argv, {"PATH": "/usr/sbin:/usr/bin", "HOME": "/root", **order["environment"]})
    except BaseException as error:
        with contextlib.suppress(OSError), socket.socket(fileno=os.dup(control)) as line:
            wire.send(line, {"event": "failed", "message": f"{type(error).__name__}: {error}"})
    finally:
        os._exit(1)


def _plug_in(network: int, cable: str, address: str, prefix: int) -> None:
    """The hardware address follows from the IP address, so that neighbours know a machine that comes back."""
    linux.setns(network, linux.CLONE_NEWNET)
    with Netlink() as switch:
        linux.unshare(linux.CLONE_NEWNET)
        own = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        switch.cable(cable, INTERFACE, own, b"\x02\x00" + socket.inet_aton(address), BRIDGE)
        os.close(own)
    with Netlink() as inside:
        inside.up("lo")
        inside.address(INTERFACE, address, prefix)
        inside.up(INTERFACE)
        inside.route(LINK_LOCAL, INTERFACE)
        inside.no_way_out()


def mount_overlay(folder: str, layers: int) -> None:
    """Stack `layers/0` (topmost) … under `upper`; relative names keep the option below one page."""
    os.chdir(folder)
    lower = ":".join(f"layers/{number}" for number in range(layers))
    options = f"lowerdir={lower},upperdir=upper,workdir=work,userxattr"
    try:
        linux.mount("overlay", "root", "overlay", 0, f"{options},volatile")
    except OSError:
        linux.mount("overlay", "root", "overlay", 0, options)


def _enter_root(folder: str, layers: int, *, many_users: bool) -> None:
    mount_overlay(folder, layers)
    os.chdir("root")
    linux.mount("proc", "proc", "proc", linux.MS_NOSUID | linux.MS_NODEV | linux.MS_NOEXEC)
    for name, options in (("run", "mode=755"), ("tmp", "mode=1777"), ("dev", "mode=755")):
        linux.mount("tmpfs", name, "tmpfs", linux.MS_NOSUID, options)
    _fill_dev(many_users=many_users)
    linux.pivot_root(".", ".")
    linux.unmount(".", linux.MNT_DETACH)
    os.chdir("/")


def _fill_dev(*, many_users: bool) -> None:
    for name in DEVICES:
        Path("dev", name).touch()
        linux.mount(f"/dev/{name}", f"dev/{name}", "", linux.MS_BIND)
    for name in ("pts", "shm"):
        Path("dev", name).mkdir()
    group = ",gid=5" if many_users else ""
    linux.mount("devpts", "dev/pts", "devpts", linux.MS_NOSUID, f"newinstance,ptmxmode=0666,mode=620{group}")
    linux.mount("tmpfs", "dev/shm", "tmpfs", linux.MS_NOSUID | linux.MS_NODEV, "mode=1777")
    links = {"ptmx": "pts/ptmx", "fd": "/proc/self/fd", "stdin": "fd/0", "stdout": "fd/1", "stderr": "fd/2"}
    for link, target in links.items():
        Path("dev", link).symlink_to(target)


def standard_streams(control: int, console: int) -> None:
    """Nothing on 0, the console on 1 and 2, the line to the sandbox on 3."""
    nothing = os.open("/dev/null", os.O_RDWR)
    line = os.dup(control)
    os.dup2(nothing, 0)
    os.dup2(console, 1)
    os.dup2(console, 2)
    os.dup2(line, 3)
