"""A systemd of its own, as pid 1 of namespaces, with a cron below it: both go by the machine's clock.

They share the machine's files but for those by which they would meet its own schedulers: /run, units,
crontabs. What cron mails lies in a file.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from gbg_lib.scheduling.scheduled import PATH

TARGETS = ("sysinit", "basic", "timers", "multi-user", "shutdown", "network-online")
"""what a service and a timer name; no other unit of the machine is known here"""
DISTRIBUTION = Path("/lib/systemd/system")
PROBE = 'mount -t cgroup2 none /mnt && made=$(mktemp -d /mnt/gbg-tests-XXXXXX) && rmdir "$made"'
HELD = """
mount -t cgroup2 none /mnt && mkdir /mnt/"$0" || exit
sh -c 'echo $$ >/mnt/"$0"/cgroup.procs && exec "$@"' "$0" "$@" </dev/null &
echo $!
read -r _
kill -KILL $!
wait $!
until find /mnt/"$0" -depth -type d -exec rmdir {} + 2>/dev/null; do sleep 0.1; done
"""
"""A command in a cgroup of this name, until the input ends: with whoever began it, however that ends."""
NAMESPACES = ("--fork", "--kill-child", "--pid", "--mount-proc", "--mount", "--cgroup", "--ipc", "--uts")
INIT = """
set -e
mount -t tmpfs none /run
mkdir -p /run/systemd /run/sbin/upper /run/sbin/work
printf '#!/bin/sh\\ncat >>"%s"\\n' "$0/mail" >/run/sbin/upper/sendmail
chmod 755 /run/sbin/upper/sendmail
mount -t overlay none /usr/sbin -o lowerdir=/usr/sbin,upperdir=/run/sbin/upper,workdir=/run/sbin/work
mount -t tmpfs none /etc/systemd/system
mount -t tmpfs none /var/lib/systemd
mount -t tmpfs none /etc/cron.d
mount --bind /dev/null /etc/crontab
spool=/var/spool/cron/crontabs
mount -t tmpfs -o mode=1730,gid="$(stat -c %g $spool)" none $spool
mount -t cgroup2 none /sys/fs/cgroup
cp -rP "$0"/units/. /etc/systemd/system
exec env -i container=tests SYSTEMD_UNIT_PATH=/etc/systemd/system \\
    /lib/systemd/systemd --unit=multi-user.target --log-target=null --show-status=no
"""
ENTERED = ("--mount", "--pid", "--cgroup", "--ipc", "--uts")
BOOT_SECONDS = 60


def skip_unless_bootable() -> None:
    """Skips where systemd can't be pid 1 of namespaces."""
    if os.geteuid() != 0:
        pytest.skip("only root may make a systemd of its own")
    done = subprocess.run(
        ["unshare", "--mount", "--cgroup", "sh", "-c", PROBE], capture_output=True, text=True, check=False
    )
    if done.returncode:
        pytest.skip(f"this host gives no cgroups to namespaces: {done.stderr.strip()}")


class Booted:
    """`folder` is for its own files; made when multi-user.target is reached."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._write_units(folder / "units")
        held = ("unshare", "--mount", "sh", "-c", HELD, f"gbg-tests-{os.getpid()}")
        self._held = subprocess.Popen(
            [*held, "unshare", *NAMESPACES, "sh", "-c", INIT, str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=(folder / "stderr").open("w"),
            text=True,
        )
        try:
            self._pid = self._find_init()
            self._await_boot()
        except BaseException:
            self.close()
            raise

    def _write_units(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        for name in TARGETS:
            shutil.copy(DISTRIBUTION / f"{name}.target", folder)
        shutil.copy(DISTRIBUTION / "cron.service", folder)
        wanted = folder / "multi-user.target.wants"
        wanted.mkdir()
        (wanted / "cron.service").symlink_to("../cron.service")

    def _find_init(self) -> str:
        assert self._held.stdout is not None
        outer = self._held.stdout.readline().strip()
        deadline = time.monotonic() + BOOT_SECONDS
        while outer and time.monotonic() < deadline:
            children = Path(f"/proc/{outer}/task/{outer}/children").read_text().split()
            if children:
                return children[0]
            time.sleep(0.02)
        raise AssertionError(f"systemd was not begun: {self._told()}")

    def _await_boot(self) -> None:
        deadline = time.monotonic() + BOOT_SECONDS
        while self("systemctl", "is-active", "multi-user.target", "cron.service") != "active\nactive":
            assert time.monotonic() < deadline, f"systemd did not come up: {self._told()}"
            time.sleep(0.1)

    def _told(self) -> str:
        return (self.folder / "stderr").read_text()

    def __call__(self, *words: str, cwd: Path = Path("/"), **environment: str) -> str:
        """What a command says there, its errors with it; in an environment as bare as a scheduler's own."""
        done = subprocess.run(
            ["nsenter", f"--target={self._pid}", *ENTERED, "env", f"--chdir={cwd}", *words],
            env={"PATH": PATH, "HOME": str(self.folder), **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return done.stdout.strip()

    def property(self, unit: str, name: str) -> str:
        return self("systemctl", "show", "--value", f"--property={name}", unit)

    def mail(self) -> str:
        path = self.folder / "mail"
        return path.read_text() if path.exists() else ""

    def close(self) -> None:
        """End pid 1, and with it all that it began."""
        assert self._held.stdin is not None
        self._held.stdin.close()
        self._held.wait()
