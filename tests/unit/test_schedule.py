"""Schedules in each scheduler's own words, read by the schedulers' own programs."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from gbg_lib.errors import GbgError, MisuseError, ParameterError
from gbg_lib.scheduling import crontab, systemd
from gbg_lib.scheduling.hours import parse
from gbg_lib.scheduling.inside_aws import JobStacks, stack_of
from gbg_lib.scheduling.scheduled import Scheduled
from tests.command import gbg
from tests.notebooks.small import write_notebook
from tests.unit.aws_fakes import connected
from tests.unit.stack_fakes import FakeCloudFormation, FakeStack

ROOT = Path(__file__).resolve().parent.parent.parent
ODD = 'two words, 100%, $HOME, "quoted", it\'s, back\\slash'
TELLS = """\
#!{python}
import json, os, sys
with open({told!r}, "w") as file:
    json.dump([sys.argv[1:], os.getcwd(), dict(os.environ)], file)
print("said")
"""
KEEPS = """\
#!/bin/sh
case $1 in
-l) cat {kept} 2>/dev/null || {{ echo "no crontab for you" >&2; exit 1; }} ;;
-) cat > {kept} ;;
esac
"""


@pytest.fixture
def job(tmp_path: Path) -> Scheduled:
    """A program that tells what it was given, in a folder whose name needs quoting."""
    folder = tmp_path / ODD
    folder.mkdir()
    program = folder / "gbg"
    program.write_text(TELLS.format(python=sys.executable, told=str(tmp_path / "told.json")))
    program.chmod(0o755)
    return Scheduled(
        "odd", (str(program), "run", "rebake", ODD), folder, {"ODD": ODD, "PATH": "/usr/bin:/bin"}
    )


@pytest.mark.parametrize(
    ("at", "cron", "calendar", "eventbridge"),
    [
        (
            "Mon-Thu 20:00",
            "0 20 * * 1,2,3,4",
            "Mon,Tue,Wed,Thu *-*-* 20:00:00",
            "cron(0 20 ? * MON,TUE,WED,THU *)",
        ),
        ("daily 03:30", "30 3 * * *", "*-*-* 03:30:00", "cron(30 3 * * ? *)"),
        ("Sun,Sat 00:05", "5 0 * * 6,0", "Sat,Sun *-*-* 00:05:00", "cron(5 0 ? * SAT,SUN *)"),
    ],
)
def test_an_hour_in_each_schedulers_words(at: str, cron: str, calendar: str, eventbridge: str) -> None:
    hours = parse(at)
    assert (hours.cron, hours.calendar, hours.eventbridge) == (cron, calendar, eventbridge)


@pytest.mark.parametrize("at", ["20:00", "Mon-Thu 8 pm", "Someday 20:00", "daily 20:00 Mars/Base"])
def test_an_hour_that_nobody_can_read_is_refused(at: str) -> None:
    with pytest.raises(ParameterError):
        parse(at)


def test_cron_reads_the_line(job: Scheduled, tmp_path: Path) -> None:
    program = shutil.which("crontab")
    if program is None:
        pytest.skip("this machine has no cron: requirements/system-test.txt")
    file = tmp_path / "crontab"
    file.write_text(crontab.line(job, parse("Mon-Thu 20:00")) + "\n")
    done = subprocess.run([program, "-n", str(file)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    file.write_text(file.read_text().replace("0 20", "0 25"))
    assert subprocess.run([program, "-n", str(file)], capture_output=True, check=False).returncode


def test_what_cron_gives_to_its_shell_runs_the_command(job: Scheduled, tmp_path: Path) -> None:
    """crontab(5): a bare per cent sign ends the command."""
    fields = crontab.line(job, parse("daily 03:30")).split(" ", 5)
    done = subprocess.run(
        ["/bin/sh", "-c", fields[5].replace(r"\%", "%")], env={}, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    words, folder, environment = json.loads((tmp_path / "told.json").read_text())
    assert words == ["run", "rebake", ODD] and folder == str(job.folder) and environment["ODD"] == ODD


def test_cron_has_no_time_zones(job: Scheduled) -> None:
    with pytest.raises(MisuseError, match="time zone only"):
        crontab.line(job, parse("daily 03:30 Europe/Berlin"))


def test_a_schedule_is_put_in_the_crontab_once_and_taken_out(
    job: Scheduled, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = tmp_path / "kept"
    fake = tmp_path / "bin" / "crontab"
    fake.parent.mkdir()
    fake.write_text(KEEPS.format(kept=kept))
    fake.chmod(fake.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{fake.parent}{os.pathsep}{os.environ['PATH']}")
    crontab.install(job, parse("daily 03:30"))
    kept.write_text("0 0 * * * mine\n" + kept.read_text())
    crontab.install(job, parse("daily 04:30"))
    assert kept.read_text().splitlines() == ["0 0 * * * mine", crontab.line(job, parse("daily 04:30"))]
    assert crontab.remove("odd") and not crontab.remove("odd")
    assert kept.read_text() == "0 0 * * * mine\n"


def analyzer() -> str:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("this machine has no systemd-analyze")
    return program


@pytest.mark.parametrize("at", ["Mon-Thu 20:00 Europe/Berlin", "daily 03:30", "Sat,Sun 00:05 UTC"])
def test_systemd_reads_the_hour(at: str) -> None:
    done = subprocess.run(
        [analyzer(), "calendar", parse(at).calendar], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_systemd_reads_the_units(job: Scheduled, tmp_path: Path) -> None:
    program, folder = analyzer(), tmp_path / "units"
    folder.mkdir()
    for name, text in systemd.units(job, parse("Mon-Thu 20:00 Europe/Berlin")).items():
        (folder / name).write_text(text)
    files = [str(path) for path in sorted(folder.iterdir())]
    done = subprocess.run([program, "verify", *files], capture_output=True, text=True, check=False)
    ours = [line for line in done.stderr.splitlines() if "gbg-odd" in line]
    assert ours == [], done.stderr
    service = folder / "gbg-odd.service"
    service.write_text(service.read_text().replace("Type=exec", "Tpye=exec"))
    done = subprocess.run([program, "verify", *files], capture_output=True, text=True, check=False)
    assert "Tpye" in done.stderr


def test_a_lines_end_in_a_word_is_refused() -> None:
    with pytest.raises(MisuseError, match="line's end"):
        Scheduled("x", ("gbg", "run", "a\n* * * * * evil"), ROOT, {})


def test_the_command_prints_units_that_run_gbg_here(tmp_path: Path) -> None:
    file = ROOT / "parameters" / "jobs" / "rebake.yaml"
    done = gbg(tmp_path / "home", "schedule", "rebake", "-f", str(file), "--at", "daily 02:00 Europe/Berlin")
    assert done.returncode == 0, done.stderr
    assert f"ExecStart={ROOT}/gbg run rebake -f {file}\n" in done.stdout
    assert f"GBG_HOME={tmp_path}/home" in done.stdout
    assert "OnCalendar=*-*-* 02:00:00 Europe/Berlin" in done.stdout


def test_a_notebook_of_ones_own_is_scheduled_by_its_whole_path(tmp_path: Path) -> None:
    """cron and systemd start it in this project's folder, and not where it was scheduled."""
    write_notebook(tmp_path / "mine.ipynb", "1")
    (tmp_path / "mine.yaml").write_text("cloud: sandbox\n")
    words = ("schedule", "mine.ipynb", "-f", "mine.yaml", "--at", "daily 02:00", "--as", "cron")
    done = gbg(tmp_path / "home", *words)
    assert f"gbg run {tmp_path}/mine.ipynb -f {tmp_path}/mine.yaml >/dev/null" in done.stdout, done.stderr


def test_a_runbook_of_ours_by_its_path_is_scheduled_by_its_whole_path_too(tmp_path: Path) -> None:
    (tmp_path / "runbooks").symlink_to(ROOT / "runbooks")
    (tmp_path / "mine.yaml").write_text("cloud: sandbox\n")
    options = ("-f", "mine.yaml", "--at", "daily 02:00", "--as", "cron")
    done = gbg(tmp_path / "home", "schedule", "runbooks/jobs/archive.ipynb", *options)
    assert f"gbg run {ROOT}/runbooks/jobs/archive.ipynb -f" in done.stdout, done.stderr


def test_where_systemd_does_not_run_nothing_is_installed_and_what_is_there_goes(
    job: Scheduled, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    units = tmp_path / "units"
    monkeypatch.setattr(systemd, "BOOTED", tmp_path / "not booted")
    monkeypatch.setattr(systemd, "unit_folder", lambda: units)
    with pytest.raises(GbgError, match="not started with it"):
        systemd.install(job, parse("daily 02:00"))
    assert not units.exists()
    units.mkdir()
    for name in systemd.units(job, parse("daily 02:00")):
        (units / name).touch()
    assert systemd.remove(job.name)
    assert list(units.iterdir()) == []


def test_a_schedule_is_taken_away_by_its_name_when_its_runbook_is_gone(tmp_path: Path) -> None:
    """There is none of this name here: that is what is told, and not that the notebook is missing."""
    done = gbg(tmp_path / "home", "schedule", "gone.ipynb", "--name", "night", "--remove")
    assert done.returncode == 1 and "there is none named night (systemd)" in done.stderr
    done = gbg(tmp_path / "home", "schedule", "gone.ipynb", "--remove")
    assert done.returncode == 2 and "there is no runbook 'gone.ipynb'" in done.stderr


def test_a_parameters_file_with_a_mistake_is_not_scheduled(tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("windwo: daily 01:00-02:00\n")
    done = gbg(
        tmp_path / "home", "schedule", "rebake", "-f", "bad.yaml", "--at", "daily 02:00", "--as", "cron"
    )
    assert done.returncode == 2 and "did you mean window?" in done.stderr


def test_without_cron_the_other_way_is_offered(
    job: Scheduled, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(GbgError, match="no cron"):
        crontab.install(job, parse("daily 03:30"))


def test_a_job_whose_stack_was_never_made_can_be_removed() -> None:
    """Its stack has no outputs, and no bucket that would stay."""
    cloud = FakeCloudFormation([])
    cloud.stacks[stack_of("night")] = FakeStack("ROLLBACK_COMPLETE")
    assert JobStacks(connected(cloudformation=cloud)).remove("night") == ""
    assert not cloud.stacks
