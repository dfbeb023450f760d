"""The failure table: what each fault must come to. docs/failures.md shows it; a test compares the two."""

from __future__ import annotations

from dataclasses import dataclass

from gbg_lib import faults

BLUE, GREEN = "blue", "green"
MACHINE = r"i-[0-9a-f]+"
TOO_FEW = "Failed, HEALTH_CONSTRAINTS"
ALARM = "Stopped, ALARM_ACTIVE"


@dataclass(frozen=True)
class Row:
    fault: str
    failed: str
    """the stage that does not succeed; empty where all do"""
    says: tuple[str, ...]
    """patterns in the message; empty where there is none, as the release succeeds"""
    advice: str = ""
    deployment: str = ""
    """status and error code; empty where there is no deployment"""
    rollback: str = ""
    serves: str = BLUE
    pipeline: str = "Failed"
    lost: int = 0
    """requests that physics may cost, at most"""
    why: str = ""
    """why any are"""
    group: int = 0
    """rows of one group share a deployment, one after the other"""

    @property
    def what(self) -> str:
        return faults.CATALOGUE[self.fault].what


ROWS = (
    Row(
        "does-not-compile",
        "Build",
        (r"Build/Build failed: .*COMMAND_EXECUTION_ERROR", r"\[ERROR\] .*Health\.java:\[\d+,\d+\]", "Strnig"),
        "mend the application and push again",
    ),
    Row(
        "unit-test-fails",
        "Build",
        (r"Build/Build failed: .*COMMAND_EXECUTION_ERROR", r"\[ERROR\] .*HealthTest\.saysUpAndWhatRuns"),
        "mend the application and push again",
    ),
    Row(
        "no-war-in-artifact",
        "Deploy",
        ("HEALTH_CONSTRAINTS", rf"{MACHINE} \(Green\), Install, no script: .*ROOT\.war", "rolled back by d-"),
        "mend the hook or the application",
        deployment=TOO_FEW,
        rollback="Succeeded",
    ),
    Row(
        "hook-fails-everywhere",
        "Deploy",
        (
            "HEALTH_CONSTRAINTS",
            rf"{MACHINE} \(Green\), BeforeInstall, scripts/prepare\.sh: .* failed with exit code 3",
            r"\[stderr\]FAILED: no licence",
            "rolled back by d-",
        ),
        "mend the hook",
        deployment=TOO_FEW,
        rollback="Succeeded",
    ),
    Row(
        "hook-fails-on-one",
        "Deploy",
        (
            "ALARM_ACTIVE",
            "alarm gbg-unhealthy-hosts",
            rf"{MACHINE} \(Green\), BeforeInstall, scripts/prepare\.sh: .* failed with exit code 4",
            r"\[stdout\]FAILED: no licence for zone us-east-1b",
        ),
        "what the alarm measured",
        deployment=ALARM,
        rollback="Succeeded",
    ),
    Row(
        "hook-hangs",
        "Deploy",
        (
            rf"{MACHINE} \(Green\), ValidateService, scripts/validate\.sh: .* to complete in 5 seconds",
            r"\[stdout\]Waiting for the other team",
        ),
        "mend the hook",
        deployment=TOO_FEW,
        rollback="Succeeded",
    ),
    Row(
        "health-check-never-passes",
        "Deploy",
        ("ALARM_ACTIVE", "alarm gbg-unhealthy-hosts", rf"{MACHINE} \(Green\), AllowTraffic"),
        "what the alarm measured",
        deployment=ALARM,
        rollback="Succeeded",
    ),
    Row(
        "health-check-flaps",
        "Deploy",
        ("ALARM_ACTIVE", "alarm gbg-unhealthy-hosts"),
        "what the alarm measured",
        deployment=ALARM,
        rollback="Succeeded",
    ),
    Row(
        "bake-command-fails",
        "BuildGoldenAMI",
        (rf"{MACHINE} \(builder\), updateSystem", "Error: no mirror answers"),
        "mend step updateSystem",
        group=1,
    ),
    Row(
        "bake-hangs",
        "BuildGoldenAMI",
        (rf"{MACHINE} \(builder\), updateSystem: Step timed out", "Waiting for a lock"),
        "mend step updateSystem",
        group=1,
    ),
    Row(
        "builder-terminated",
        "BuildGoldenAMI",
        (rf"{MACHINE} \(builder\), \w+: ", "the machine is terminated"),
        "who ended",
        group=1,
    ),
    Row(
        "function-raises",
        "BuildGoldenAMI",
        ("KeyError: 'BAKE_DOCUMENT'", "function gbg-bake-golden-ami", "Traceback|KeyError"),
        "mend the function",
        group=1,
    ),
    Row(
        "function-times-out",
        "BuildGoldenAMI",
        ("failed to return a result", "function gbg-bake-golden-ami", r"Task timed out after 2\.00 seconds"),
        "mend the function",
        group=1,
    ),
)
