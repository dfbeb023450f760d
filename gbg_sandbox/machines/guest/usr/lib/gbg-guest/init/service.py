"""One service: from its unit file to its processes, by systemd's states.

Follows https://www.freedesktop.org/software/systemd/man/latest/systemd.service.html.
"""

from __future__ import annotations

import os
import pwd
import signal
import time

from init import processes
from init.command import Command, read_environment
from init.trees import remove_tree
from init.unitfiles import Unit, duration

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from init.supervisor import Supervisor

    Waiter = Callable[["Service"], None]

SETTLED = ("active", "inactive", "failed")
RUNTIME_DIRECTORIES = {
    "RuntimeDirectory": "/run",
    "StateDirectory": "/var/lib",
    "CacheDirectory": "/var/cache",
    "LogsDirectory": "/var/log",
    "ConfigurationDirectory": "/etc",
}
RESTARTED_ON = {
    "always": ("success", "exit-code", "signal", "timeout"),
    "on-success": ("success",),
    "on-failure": ("exit-code", "signal", "timeout"),
    "on-abnormal": ("signal", "timeout"),
    "on-abort": ("signal",),
}


class Service:
    def __init__(self, unit: Unit, supervisor: Supervisor) -> None:
        self.unit = unit
        self.state = "inactive"
        self.sub = "dead"
        self.result = "success"
        self.status = 0
        self.main = 0
        self.since = time.time()
        self.invocation = ""
        self.restarts: list[float] = []
        self._host = supervisor
        self._control = 0
        self._steps: Iterator[Command] = iter(())
        self._after_steps: Callable[[bool], None] = lambda ok: None
        self._current: Command | None = None
        self._waiters: list[Waiter] = []
        self._deadline = 0
        self._stopping = False
        self._requested = False

    @property
    def kind(self) -> str:
        kind = self.unit.service("Type")
        if not kind:
            return "simple" if self.unit.service("ExecStart") else "oneshot"
        return kind

    def when_settled(self, waiter: Waiter) -> None:
        """Called once, as soon as the service is active, inactive or failed."""
        if self.state in SETTLED:
            waiter(self)
        else:
            self._waiters.append(waiter)

    def _become(self, state: str, sub: str) -> None:
        self.state, self.sub, self.since = state, sub, time.time()
        if state in SETTLED:
            self._host.loop.cancel(self._deadline)
            waiters, self._waiters = self._waiters, []
            for waiter in waiters:
                waiter(self)
            self._host.queue.advance()

    # Starting

    def start(self) -> None:
        if self.state in ("active", "activating"):
            return
        if self.unit.name.endswith(".target"):
            self._host.log(self, f"Reached target {self.unit.name} - {self.unit.description}.")
            self._become("active", "active")
            return
        if not self._conditions_met():
            self.result = "success"
            self._host.log(self, f"{self.unit.description} was skipped because of an unmet condition check.")
            self._become("inactive", "dead")
            return
        self._stopping = self._requested = False
        self.result, self.status, self.main = "success", 0, 0
        self.invocation = os.urandom(16).hex()
        self._become("activating", "start-pre")
        self._host.log(self, f"Starting {self.unit.name} - {self.unit.description}...")
        limit = self.unit.seconds("TimeoutStartSec", duration(self.unit.service("TimeoutSec"), 90.0))
        if limit not in (float("inf"), 0) and self.kind != "oneshot":
            self._deadline = self._host.loop.after(limit, self._start_took_too_long)
        self._guarded(self._prepare)

    def _guarded(self, action: Callable[[], None]) -> None:
        """What a unit file gets wrong (no such user, no such environment file) fails the service alone."""
        try:
            action()
        except (OSError, KeyError, ValueError) as error:
            self._fail("resources", f"{self.unit.name}: Failed to run: {error}")

    def _prepare(self) -> None:
        self._make_directories()
        self._run("ExecStartPre", self._start_main)

    def _conditions_met(self) -> bool:
        for value in self.unit.all("Unit", "ConditionPathExists"):
            if os.path.exists(value.lstrip("!")) == value.startswith("!"):
                return False
        return True

    def _make_directories(self) -> None:
        for key, base in RUNTIME_DIRECTORIES.items():
            for name in self.unit.words("Service", key):
                path = f"{base}/{name}"
                os.makedirs(path, exist_ok=True)
                user = self.unit.service("User", "root")
                if key != "ConfigurationDirectory" and user != "root":
                    owner = pwd.getpwnam(user)
                    os.chown(path, owner.pw_uid, owner.pw_gid)

    def _start_main(self, ok: bool) -> None:
        if not ok:
            self._give_up()
            return
        if self.kind == "oneshot":
            self.sub = "start"
            self._run("ExecStart", self._oneshot_over)
            return
        self.sub = "start"
        lines = self.unit.all("Service", "ExecStart")
        if len(lines) != 1:
            self._fail("exit-code", f"{self.unit.name}: Service has {len(lines)} ExecStart= lines. Refusing.")
            return
        pid = self._spawn(Command(lines[0]))
        if self.kind == "forking":
            self._control = pid
            return
        self.main = pid
        if self.kind != "notify":
            self._started()

    def _oneshot_over(self, ok: bool) -> None:
        if not ok:
            self._give_up()
        elif self.unit.flag("RemainAfterExit"):
            self._run("ExecStartPost", lambda _ok: self._announce("exited"))
        else:
            self._announce_finished()

    def _announce_finished(self) -> None:
        self._host.log(self, f"Finished {self.unit.name} - {self.unit.description}.")
        self._become("inactive", "dead")

    def _announce(self, sub: str) -> None:
        self._host.log(self, f"Started {self.unit.name} - {self.unit.description}.")
        self._become("active", sub)

    def _started(self) -> None:
        self._run("ExecStartPost", lambda _ok: self._announce("running"))

    def ready(self) -> None:
        """The service said READY=1."""
        if self.state == "activating" and self.kind == "notify":
            self._started()

    def _start_took_too_long(self) -> None:
        if self.state == "activating":
            self._host.log(self, f"{self.unit.name}: start operation timed out. Terminating.")
            self.result = "timeout"
            self._give_up()

    # Processes

    def environment(self) -> dict[str, str]:
        values = {
            "PATH": processes.PATH,
            "LANG": "C.UTF-8",
            "INVOCATION_ID": self.invocation,
            **self._host.environment,
        }
        user = self.unit.service("User")
        if user:
            values |= processes.user_environment(user)
        for word in self.unit.words("Service", "Environment"):
            name, _equals, value = word.partition("=")
            values[name] = value
        for path in self.unit.all("Service", "EnvironmentFile"):
            values |= read_environment(path)
        if self.kind == "notify":
            values["NOTIFY_SOCKET"] = self._host.notify_path
        if self.main:
            values["MAINPID"] = str(self.main)
        return values

    def _spawn(self, command: Command) -> int:
        values = self.environment()
        argv = command.argv(values)
        directory = self.unit.service("WorkingDirectory", "/")
        if directory == "~":
            directory = values.get("HOME", "/")
        if directory.startswith("-"):
            directory = directory[1:] if os.path.isdir(directory[1:]) else "/"
        user = "root" if command.full_rights else self.unit.service("User", "root")
        return self._host.spawn_for(
            self,
            argv,
            values,
            directory,
            user,
            self.unit.service("Group"),
            int(self.unit.service("UMask", "022"), 8),
        )

    def _run(self, key: str, after: Callable[[bool], None]) -> None:
        """Run the commands of a key one after the other, then `after(all succeeded)`."""
        self._steps = iter([Command(line) for line in self.unit.all("Service", key)])
        self._after_steps = after
        self._next_step()

    def _next_step(self) -> None:
        self._current = next(self._steps, None)
        if self._current is None:
            self._control = 0
            self._after_steps(True)
        else:
            self._control = self._spawn(self._current)

    def owns(self, pid: int) -> bool:
        return pid != 0 and pid in (self.main, self._control)

    def exited(self, pid: int, wait_status: int) -> None:
        code = os.waitstatus_to_exitcode(wait_status)
        if pid == self._control:
            self._guarded(lambda: self._control_exited(code))
        elif pid == self.main:
            self._guarded(lambda: self._main_exited(code))

    def _control_exited(self, code: int) -> None:
        self._control = 0
        if self.kind == "forking" and self.state == "activating" and self.sub == "start":
            self._forked(code)
            return
        command = self._current
        if code and not (command and command.ignores_failure):
            if self.state == "activating":
                self._note_exit(code, "Control process")
            self._after_steps(False)
        else:
            self._next_step()

    def _forked(self, code: int) -> None:
        if code:
            self._note_exit(code, "Control process")
            self._give_up()
            return
        self.main = self._main_of_fork()
        self._started()

    def _main_of_fork(self) -> int:
        path = self.unit.service("PIDFile")
        if path and os.path.exists(path):
            with open(path) as file:
                return int(file.read().strip() or 0)
        return min(self._host.members(self), default=0)

    def _note_exit(self, code: int, who: str = "Main process") -> None:
        self.status = code if code >= 0 else 128 - code
        self.result = "exit-code" if code > 0 else "signal"
        how = f"code=exited, status={code}" if code >= 0 else f"code=killed, status={-code}"
        self._host.log(self, f"{self.unit.name}: {who} exited, {how}")

    def _success(self, code: int) -> bool:
        listed = self.unit.words("Service", "SuccessExitStatus")
        names = {str(code)} if code >= 0 else {signal.Signals(-code).name, signal.Signals(-code).name[3:]}
        clean_signals = (-signal.SIGTERM, -signal.SIGHUP, -signal.SIGINT, -signal.SIGPIPE)
        return code == 0 or code in clean_signals or bool(names & set(listed))

    def _main_exited(self, code: int) -> None:
        self.main = 0
        if not self._success(code):
            self._note_exit(code)
        if self._stopping:
            return
        if self.state == "activating" and self.result == "success":
            self.result = "protocol"
        self._give_up()

    # Stopping

    def stop(self) -> None:
        if self.state in ("inactive", "failed"):
            self._become(self.state, self.sub)
            return
        self._requested = True
        if self._stopping:
            return
        self._stopping = True
        self.restarts.clear()
        self._host.log(self, f"Stopping {self.unit.name} - {self.unit.description}...")
        self._become("deactivating", "stop")
        self._guarded(lambda: self._run("ExecStop", lambda _ok: self._kill_all()))

    def _give_up(self) -> None:
        """The service ended by itself or could not start: leave nothing behind, then decide on a restart."""
        self._stopping = True
        self._become("deactivating", "stop-sigterm")
        self._kill_all()

    def _kill_all(self) -> None:
        self.sub = "stop-sigterm"
        if self.unit.service("KillMode") not in ("process", "none") or self.main:
            self._signal(getattr(signal, self.unit.service("KillSignal", "SIGTERM")))
        limit = self.unit.seconds("TimeoutStopSec", duration(self.unit.service("TimeoutSec"), 90.0))
        self._host.loop.cancel(self._deadline)
        self._await_end(time.monotonic() + min(limit, 90.0))

    def _targets(self) -> set[int]:
        members = self._host.members(self)
        if self.unit.service("KillMode") == "none":
            return set()
        if self.unit.service("KillMode") == "process":
            return members & {self.main}
        return members

    def _signal(self, number: int) -> None:
        targets = self._targets()
        if self.unit.service("KillMode") == "mixed" and number != signal.SIGKILL and self.main:
            targets = {self.main}
        processes.kill(targets, number)

    def _await_end(self, deadline: float) -> None:
        if not self._targets():
            self._run("ExecStopPost", lambda _ok: self._ended())
            return
        if time.monotonic() > deadline:
            self._host.log(self, f"{self.unit.name}: State 'stop-sigterm' timed out. Killing.")
            self._signal(signal.SIGKILL)
            self.result = "timeout"
            deadline = time.monotonic() + 5
        self._host.loop.after(0.02, lambda: self._await_end(deadline))

    def _ended(self) -> None:
        self.main = 0
        failed = self.result != "success"
        self._clear_runtime_directories()
        if failed:
            self._host.log(self, f"{self.unit.name}: Failed with result '{self.result}'.")
        else:
            self._host.log(self, f"{self.unit.name}: Deactivated successfully.")
        if self._requested:
            self._host.log(self, f"Stopped {self.unit.name} - {self.unit.description}.")
        elif self._restarts():
            return
        self._become("failed" if failed else "inactive", "failed" if failed else "dead")

    def _clear_runtime_directories(self) -> None:
        if self.unit.service("RuntimeDirectoryPreserve", "no") != "no":
            return
        for name in self.unit.words("Service", "RuntimeDirectory"):
            remove_tree(f"/run/{name}")

    def _restarts(self) -> bool:
        if self.result not in RESTARTED_ON.get(self.unit.service("Restart", "no"), ()):
            return False
        interval = duration(self.unit.last("Unit", "StartLimitIntervalSec"), 10.0)
        burst = int(self.unit.last("Unit", "StartLimitBurst") or 5)
        now = time.monotonic()
        self.restarts = [moment for moment in self.restarts if now - moment < interval] + [now]
        if interval and len(self.restarts) > burst:
            self._host.log(self, f"{self.unit.name}: Start request repeated too quickly.")
            return False
        self._become("activating", "auto-restart")
        self._host.loop.after(self.unit.seconds("RestartSec", 0.1), self._restart)
        return True

    def _restart(self) -> None:
        if self.state == "activating" and self.sub == "auto-restart":
            self.state = "inactive"
            self.start()

    def _fail(self, result: str, message: str) -> None:
        self._host.log(self, message)
        self.result = result
        self._become("failed", "failed")

    def reload(self, done: Callable[[bool], None]) -> None:
        """Run ExecReload=; `done(whether it worked)`."""
        if self.state != "active" or not self.unit.service("ExecReload"):
            done(False)
            return
        self._run("ExecReload", done)
