"""What a machine does with commands, files, stops and its end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gbg_sandbox.machines import MachineError, Machines, MachineSpec
from tests.sandbox.processes import running_with

Shell = Callable[..., tuple[int, str]]
Boot = Callable[..., Any]


def _until(condition: Callable[[], bool], real_seconds: float = 15.0) -> bool:
    deadline = time.monotonic() + real_seconds
    while not (true := condition()) and time.monotonic() < deadline:
        threading.Event().wait(0.02)
    return true


def test_a_command_gives_its_status_and_both_its_streams(boot: Boot, shell: Shell) -> None:
    assert shell(boot(), "echo out; echo err >&2; exit 7") == (7, "out\nerr\n")


def test_a_command_killed_by_a_signal_ends_with_128_and_its_number(boot: Boot, shell: Shell) -> None:
    assert shell(boot(), "kill -KILL $$")[0] == 128 + signal.SIGKILL


def test_a_command_sees_its_environment_directory_and_user(boot: Boot, shell: Shell) -> None:
    machine = boot(environment={"FROM_SPEC": "a"})
    command = 'echo "$FROM_SPEC $FROM_CALL $HOME"; pwd'
    how = {"environment": {"FROM_CALL": "b"}, "directory": "/var/tmp", "user": "ec2-user"}
    assert shell(machine, command, **how) == (0, "a b /home/ec2-user\n/var/tmp\n")


def test_a_program_that_is_not_there_says_so(boot: Boot) -> None:
    written: list[bytes] = []
    assert boot().run(["no-such-program"], output=written.append) == 203
    assert b"no-such-program: [Errno 2] No such file or directory" in b"".join(written)


def test_a_command_over_its_time_is_killed_with_its_children(boot: Boot) -> None:
    mark = f"31{os.getpid()}.5"
    with pytest.raises(TimeoutError, match="did not end within"):
        boot().run(["bash", "-c", f"sleep {mark} & sleep {mark}"], real_seconds=0.3)
    assert _until(lambda: not running_with(f"sleep\0{mark}"))


def test_a_background_process_does_not_hold_up_its_command(boot: Boot, shell: Shell) -> None:
    assert shell(boot(), "sleep 300 & echo done", real_seconds=20) == (0, "done\n")


def test_output_arrives_while_the_command_still_runs(boot: Boot) -> None:
    machine = boot()
    written: list[bytes] = []

    def answer(content: bytes) -> None:
        written.append(content)
        machine.write("/tmp/answer", b"go")

    status = machine.run(
        ["bash", "-c", "echo ready; until [ -s /tmp/answer ]; do sleep 0.02; done"],
        output=answer,
        real_seconds=20,
    )
    assert (status, written) == (0, [b"ready\n"])


def test_files_come_and_go_with_their_mode(boot: Boot, shell: Shell) -> None:
    machine = boot()
    content = os.urandom(300_000)
    machine.write("/etc/new folder/file", content, 0o640)
    assert machine.read("/etc/new folder/file") == content
    assert shell(machine, "stat -c %a '/etc/new folder/file'") == (0, "640\n")
    with pytest.raises(FileNotFoundError):
        machine.read("/etc/missing")


def test_nothing_of_java_maven_or_tomcat_is_there_before_its_installation(boot: Boot, shell: Shell) -> None:
    status, told = shell(
        boot(), "for name in java mvn catalina.sh apt dpkg; do type -P $name; done; ls /usr/share/java"
    )
    assert status != 0 and "/bin/" not in told


def test_a_stopped_machine_keeps_its_disk_and_loses_run_and_tmp(boot: Boot, shell: Shell) -> None:
    machine = boot()
    shell(machine, "echo kept > /var/kept; touch /tmp/gone /run/gone")
    machine.stop()
    machine.stop()
    assert not machine.alive()
    with pytest.raises(MachineError, match="not running"):
        machine.run(["true"])
    machine.start()
    assert shell(machine, "cat /var/kept; ls /tmp; ls /run/gone 2>&1")[1].splitlines()[0] == "kept"
    assert "gone" not in shell(machine, "ls /tmp /run")[1].replace("/run", "")


def test_a_terminated_machine_leaves_nothing(machines: Machines, boot: Boot) -> None:
    machine = boot()
    folder = machine.folder
    machine.terminate()
    machine.terminate()
    assert not folder.exists() and machines.get(machine.spec.name) is None
    with pytest.raises(MachineError, match="terminated"):
        machine.start()


def test_a_shutdown_from_inside_is_told_and_one_from_outside_is_not(machines: Machines, boot: Boot) -> None:
    told: list[str] = []
    machines.on_exit(told.append)
    inside, outside = boot("10.0.1.5"), boot("10.0.1.6")
    inside.run(["shutdown", "-h", "now"])
    outside.stop()
    assert _until(lambda: inside.spec.name in told)
    assert outside.spec.name not in told and not inside.alive()


def test_a_reboot_keeps_the_machine_and_ends_its_processes(boot: Boot, shell: Shell) -> None:
    machine, mark = boot(), f"43{os.getpid()}.25"
    shell(machine, f"touch /var/kept /run/gone; setsid sleep {mark} & ")
    machine.run(["systemctl", "reboot"])
    assert _until(lambda: machine.alive() and shell(machine, "test -e /run/gone")[0] == 1)
    assert shell(machine, "ls /var/kept") == (0, "/var/kept\n")
    assert not running_with(f"sleep\0{mark}")


def test_a_killed_machine_takes_its_daemons_along(boot: Boot, shell: Shell) -> None:
    machine, mark = boot(), f"32{os.getpid()}.25"
    shell(machine, f"setsid setsid sleep {mark} </dev/null >/dev/null 2>&1 &")
    assert _until(lambda: bool(running_with(f"sleep\0{mark}")))
    machine.kill()
    assert _until(lambda: not running_with(f"sleep\0{mark}")) and not machine.alive()


def test_a_machine_sees_only_its_own_processes(machines: Machines, boot: Boot, shell: Shell) -> None:
    if machines.kind != "namespaces":
        pytest.skip("chroot machines have no /proc")
    assert shell(boot(), "ps -eo comm=; true")[1].split() == ["systemd", "bash", "ps"]


def test_a_name_that_is_taken_and_a_network_that_is_not_there_are_refused(
    machines: Machines, boot: Boot
) -> None:
    taken = boot().spec
    with pytest.raises(MachineError, match="the name is taken"):
        machines.start(taken)
    with pytest.raises(MachineError, match="no network vpc-none"):
        machines.start(MachineSpec("i-none", "vpc-none", "10.0.0.9", "none"))


def test_a_command_inherits_nothing_but_its_three_streams(
    machines: Machines, boot: Boot, shell: Shell
) -> None:
    if machines.kind != "namespaces":
        pytest.skip("chroot machines have no /proc to look")
    machine = boot()
    machine.write(
        "/etc/systemd/system/look.service",
        b"[Service]\nType=oneshot\nExecStart=/bin/sh -c 'exec ls /proc/self/fd > /var/service'\n",
    )
    assert shell(machine, "ls /proc/self/fd; systemctl start look; cat /var/service")[1].split() == [
        "0", "1", "2", "3", "0", "1", "2", "3",
    ]  # fmt: skip


DOOMED = """
import sys, time
from pathlib import Path
from gbg_sandbox.machines import MachineSpec, open_machines
machines = open_machines(Path(sys.argv[1]), kind=sys.argv[2])
machines.add_network("vpc", "10.0.0.0/16")
machine = machines.start(MachineSpec("i-1", "vpc", "10.0.0.5", "doomed", boot=False))
machines.spawn("vpc", ["sleep", sys.argv[3]], log=Path(sys.argv[1]) / "log")
machine.run(["bash", "-c", f"setsid sleep {sys.argv[3]} & echo up"], output=lambda _: print("up", flush=True))
time.sleep(600)
"""


def test_the_end_of_the_sandbox_is_the_end_of_its_machines(machines: Machines, folder: Path) -> None:
    mark = f"33{os.getpid()}.125"
    command = [sys.executable, "-c", DOOMED, str(folder), machines.kind, mark]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=Path(__file__).parents[3]) as sandbox:
        try:
            assert sandbox.stdout is not None and sandbox.stdout.readline() == b"up\n"
            assert _until(lambda: len(running_with(f"sleep\0{mark}")) == 2)
        finally:
            sandbox.kill()
    assert _until(lambda: not running_with(mark))
