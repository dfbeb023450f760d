"""What a machine finds when it starts, and what a reboot clears away."""

from __future__ import annotations

import os
import socket
import sys

from init.supervisor import Supervisor
from init.trees import remove_tree

VOLATILE = ("/run", "/tmp")


def main() -> None:
    boots, keeps_proc = "--boot" in sys.argv, "--proc-descriptor" in sys.argv
    control = socket.socket(fileno=3)
    control.set_inheritable(False)
    proc = 4 if keeps_proc else os.open("/proc", os.O_RDONLY | os.O_DIRECTORY)
    os.set_inheritable(proc, False)
    os.umask(0o022)
    nameserver = os.environ.pop("GBG_NAMESERVER", "169.254.169.253")
    _name_servers(nameserver)
    if boots:
        _machine_id()
    environment = {name: value for name, value in os.environ.items() if name not in ("PATH", "LANG", "HOME")}
    how = Supervisor(control, proc, environment, boots=boots).run()
    if how == "reboot":
        _clear()
        control.set_inheritable(True)
        os.set_inheritable(proc, keeps_proc)
        os.environ["GBG_NAMESERVER"] = nameserver
        os.execv(sys.argv[0], sys.argv)
    os._exit(0)


def _name_servers(address: str) -> None:
    os.makedirs("/run/systemd/resolve", exist_ok=True)
    with open("/run/systemd/resolve/resolv.conf", "w", encoding="ascii") as file:
        file.write(f"nameserver {address}\nsearch ec2.internal\noptions timeout:2 attempts:2\n")


def _machine_id() -> None:
    """systemd writes /etc/machine-id at the first boot, when an image left it empty."""
    path = "/etc/machine-id"
    with open(path, "a+", encoding="ascii") as file:
        file.seek(0)
        if not file.read().strip().replace("uninitialized", ""):
            file.truncate(0)
            file.write(os.urandom(16).hex() + "\n")


def _clear() -> None:
    for volatile in VOLATILE:
        for name in os.listdir(volatile):
            path = f"{volatile}/{name}"
            if os.path.isdir(path) and not os.path.islink(path):
                remove_tree(path)
            else:
                os.unlink(path)
