"""pid 1, systemctl and the journal, with unit files as one writes them for systemd."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from tests.sandbox.places import eventually
from tests.sandbox.processes import running_with

Shell = Callable[..., tuple[int, str]]
Boot = Callable[..., Any]
NOTIFY = """\
import os, socket, time
{until}
open("/tmp/said", "w")
socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b"READY=1", os.environ["NOTIFY_SOCKET"])
time.sleep(999)
"""


def _unit(machine: Any, name: str, service: str, *, unit: str = "") -> None:
    install = "[Install]\nWantedBy=multi-user.target"
    text = f"[Unit]\nDescription=The {name}\n{unit}\n[Service]\n{service}\n{install}\n"
    machine.write(f"/etc/systemd/system/{name}.service", text.encode())


def test_exit_statuses_are_those_of_systemd(boot: Boot, shell: Shell) -> None:
    machine = boot()
    _unit(machine, "app", "ExecStart=/usr/bin/sleep 1000")
    for command, status in (
        ("is-active app", 3),
        ("start app", 0),
        ("is-active app", 0),
        ("status app", 0),
        ("stop app", 0),
        ("status app", 3),
        ("status nothing", 4),
        ("start nothing", 5),
        ("stop nothing", 5),
        ("is-enabled app", 1),
        ("frobnicate app", 1),
    ):
        assert (command, shell(machine, f"systemctl {command}")[0]) == (command, status)


def test_the_process_runs_as_the_unit_says(boot: Boot, shell: Shell) -> None:
    machine = boot()
    machine.write("/etc/sysconfig/app", b'# comment\nCOLOUR="dark blue"\nSIZE=3\n')
    machine.write(
        "/opt/app",
        b'#!/bin/bash\necho "$1|$2|$3|$COLOUR|$GREETING|$(pwd)|$(ls -d /run/app)" > /tmp/out\nsleep 1000\n',
        0o755,
    )
    service = (
        'Environment="GREETING=good day" SIZE=1\n'
        "EnvironmentFile=-/etc/missing\nEnvironmentFile=/etc/sysconfig/app\n"
        "User=ec2-user\nWorkingDirectory=/usr/share\nRuntimeDirectory=app\n"
        "ExecStartPre=-/usr/bin/false\nExecStart=/opt/app ${COLOUR} $SIZE %n"
    )
    _unit(machine, "app", service)
    assert shell(machine, "systemctl start app; until [ -s /tmp/out ]; do sleep 0.02; done; cat /tmp/out")[
        1
    ] == ("dark blue|3|app.service|dark blue|good day|/usr/share|/run/app\n")


def test_a_drop_in_overrides_and_an_empty_value_clears(boot: Boot, shell: Shell) -> None:
    machine = boot()
    _unit(machine, "app", "Type=oneshot\nEnvironment=WORD=old\nExecStart=/usr/bin/false")
    machine.write(
        "/etc/systemd/system/app.service.d/override.conf",
        b"[Service]\nEnvironment=WORD=new\nExecStart=\nExecStart=/bin/sh -c 'echo ${WORD} > /tmp/word'\n",
    )
    assert shell(machine, "systemctl daemon-reload; systemctl start app && cat /tmp/word") == (0, "new\n")


def test_a_oneshot_that_fails_fails_its_start_and_tells_why_in_the_journal(boot: Boot, shell: Shell) -> None:
    machine = boot()
    _unit(machine, "task", "Type=oneshot\nExecStart=/bin/sh -c 'echo the reason; exit 5'")
    _status, told = shell(
        machine, "systemctl start task; echo $?; systemctl is-failed task; journalctl -u task -o cat"
    )
    assert "Job for task.service failed" in told and "\n1\nfailed\n" in told
    assert (
        "the reason" in told and "code=exited, status=5" in told and "Failed with result 'exit-code'" in told
    )


def test_a_missing_user_or_environment_file_fails_only_that_service(boot: Boot, shell: Shell) -> None:
    machine = boot()
    _unit(machine, "one", "EnvironmentFile=/etc/missing\nExecStart=/usr/bin/sleep 1000")
    _unit(machine, "two", "ExecStart=/usr/bin/sleep 1000\nUser=nobody-here")
    _unit(machine, "three", "ExecStart=/usr/bin/sleep 1000")
    shell(machine, "systemctl start one; systemctl start two; systemctl start three")
    assert shell(machine, "systemctl is-active one two three")[1] == "failed\nfailed\nactive\n"


def test_a_crashed_service_comes_back_until_it_crashes_too_often(boot: Boot, shell: Shell) -> None:
    machine = boot()
    _unit(machine, "once", "Restart=on-failure\nRestartSec=50ms\nExecStart=/bin/sh -c 'echo x >> /tmp/once; "
          "[ $(wc -l < /tmp/once) -ge 3 ] && sleep 1000; exit 1'")  # fmt: skip
    crashes = "Restart=always\nRestartSec=10ms\nExecStart=/bin/sh -c 'echo x >> /tmp/always; exit 1'"
    _unit(machine, "always", crashes, unit="StartLimitIntervalSec=60\nStartLimitBurst=4")
    shell(machine, "systemctl start once; systemctl start always")
    waiting = "until [ $(wc -l < /tmp/once) = 3 ] && systemctl -q is-failed always; do sleep 0.02; done"
    assert shell(machine, waiting, real_seconds=30)[0] == 0
    assert shell(machine, "systemctl is-active once; wc -l < /tmp/always")[1] == "active\n5\n"
    assert "Start request repeated too quickly" in shell(machine, "journalctl -u always")[1]


def test_a_forking_and_a_notifying_service_are_active_when_they_say_so(boot: Boot, shell: Shell) -> None:
    machine = boot()
    _unit(machine, "forks", "Type=forking\nPIDFile=/run/forks.pid\nExecStart=/bin/sh -c 'sleep 0.2; "
          "setsid sleep 1000 >/dev/null 2>&1 & echo $! > /run/forks.pid'")  # fmt: skip
    machine.write("/opt/notify.py", NOTIFY.format(until="time.sleep(0.3)").encode())
    _unit(machine, "notifies", "Type=notify\nExecStart=/usr/bin/python3 /opt/notify.py")
    assert shell(machine, "systemctl start notifies && ls /tmp/said && systemctl start forks")[0] == 0
    _status, told = shell(
        machine,
        "systemctl is-active forks notifies; systemctl show -p MainPID --value forks; cat /run/forks.pid",
    )
    first, second, shown, written = told.split()
    assert (first, second) == ("active", "active") and shown == written


def test_a_service_is_ready_when_its_own_main_process_says_so(boot: Boot, shell: Shell) -> None:
    """Nobody else's READY=1 counts, nor a child's, unless NotifyAccess=all lets it."""
    machine = boot()
    waits = "while not os.path.exists('/tmp/go'): time.sleep(0.01)"
    machine.write("/opt/early.py", NOTIFY.format(until="pass").encode())
    machine.write("/opt/late.py", NOTIFY.format(until=waits).encode())
    child = "Type=notify\nExecStart=/bin/sh -c '/usr/bin/python3 /opt/early.py; true'"
    _unit(machine, "late", "Type=notify\nExecStart=/usr/bin/python3 /opt/late.py")
    _unit(machine, "early", "Type=notify\nExecStart=/usr/bin/python3 /opt/early.py")
    _unit(machine, "child", f"{child}\nTimeoutStartSec=4")
    _unit(machine, "allowed", f"{child}\nNotifyAccess=all")
    shell(machine, "(systemctl start late; touch /tmp/late) >/dev/null 2>&1 &")
    shell(machine, "until [ $(systemctl is-active late) = activating ]; do sleep 0.01; done")
    assert shell(machine, "systemctl start early && systemctl start allowed")[0] == 0
    assert shell(machine, "systemctl start child")[0] == 1
    assert "which may speak for no service" in shell(machine, "journalctl")[1]
    assert shell(machine, "systemctl is-active late")[1] == "activating\n"
    shell(machine, "touch /tmp/go; until [ -e /tmp/late ]; do sleep 0.01; done")
    assert shell(machine, "systemctl is-active late")[1] == "active\n"


def test_stopping_ends_every_process_of_a_service(boot: Boot, shell: Shell) -> None:
    machine, mark = boot(), f"43{os.getpid()}.5"
    script = f"#!/bin/bash\ntrap '' TERM\nsetsid sleep {mark} &\nsleep {mark} &\ntouch /var/tmp/begun\nwait\n"
    machine.write("/opt/app", script.encode(), 0o755)
    _unit(machine, "app", "ExecStart=/opt/app\nTimeoutStopSec=1\nExecStop=/usr/bin/touch /var/tmp/stopped")
    shell(machine, "systemctl start app; until [ -e /var/tmp/begun ]; do sleep 0.05; done")
    eventually(lambda: running_with(mark))
    shell(machine, "systemctl stop app")
    assert shell(machine, "systemctl is-active app; ls /var/tmp/stopped")[1] == "failed\n/var/tmp/stopped\n"
    assert not running_with(mark)


def test_what_is_enabled_starts_with_the_machine_in_order(boot: Boot, shell: Shell) -> None:
    machine = boot(boot=True)
    once = "Type=oneshot\nRemainAfterExit=yes\nExecStart=/bin/sh -c "
    after = "After=early.service\nWants=early.service"
    _unit(machine, "late", f"{once}'echo late >> /var/order'", unit=after)
    _unit(machine, "early", f"{once}'sleep 0.3; echo early >> /var/order'")
    assert (
        "Created symlink /etc/systemd/system/multi-user.target.wants/late.service"
        in shell(machine, "systemctl enable late")[1]
    )
    machine.stop()
    machine.start()
    waiting = (
        "until systemctl -q is-active late; do sleep 0.05; done; cat /var/order; systemctl disable late; "
        "ls -A /etc/systemd/system/multi-user.target.wants"
    )
    _status, told = shell(machine, waiting, real_seconds=30)
    assert told.startswith("early\nlate\n") and "late.service" not in told.splitlines()


def test_a_masked_unit_does_not_start(boot: Boot, shell: Shell) -> None:
    machine = boot()
    machine.write("/usr/lib/systemd/system/app.service", b"[Service]\nExecStart=/usr/bin/sleep 1000\n")
    assert shell(machine, "systemctl mask app; systemctl start app")[0] == 1
    assert shell(machine, "systemctl unmask app; systemctl start app; systemctl is-enabled app")[1].endswith(
        "static\n"
    )


def test_a_restart_gives_a_new_process(boot: Boot, shell: Shell) -> None:
    machine = boot()
    _unit(machine, "app", "ExecStart=/usr/bin/sleep 1000")
    ask = "systemctl show -p MainPID --value app"
    before, after = shell(machine, f"systemctl start app; {ask}; systemctl restart app; {ask}")[1].split()
    assert before != after and "0" not in (before, after)


def test_the_old_service_command_is_passed_on(boot: Boot, shell: Shell) -> None:
    machine = boot()
    _unit(machine, "app", "ExecStart=/usr/bin/sleep 1000")
    assert shell(machine, "service app start; service app status")[0] == 0
