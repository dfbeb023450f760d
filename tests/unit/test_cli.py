"""What `gbg` says to words that can't be meant: where, what, try this; status 2, and nothing is started."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from gbg_cli.__main__ import COMMANDS, main
from gbg_cli.run import told
from gbg_lib.errors import GateRefused, NotDelivered
from gbg_lib.parameters import Parameters
from gbg_lib.runner.afterwards import Afterwards
from gbg_lib.runs import resume
from gbg_lib.runs.folder import Asked, begin
from tests.command import ROOT, clean_environment, gbg

MISUSE = 2
FAILURE = 1
ESCAPE = "\x1b["


@dataclass(frozen=True)
class Said:
    status: int
    stdout: str
    stderr: str


class Command:
    """`gbg` in this process, where no sandbox is."""

    def __init__(self, home: Path, captured: pytest.CaptureFixture[str]) -> None:
        self.home = home
        self._captured = captured

    def __call__(self, *words: str) -> Said:
        with pytest.raises(SystemExit) as ended:
            main(words, prog_name="gbg")
        status = ended.value.code
        assert isinstance(status, int)
        return Said(status, *self._captured.readouterr())


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GBG_HOME", str(tmp_path / "home"))
    return Command(tmp_path / "home", capsys)


@pytest.mark.parametrize(
    ("words", "said", "offered"),
    [
        (
            ["run", "1", "-p", "instance_cuont=3"],
            "-p: there is no parameter 'instance_cuont'",
            "did you mean instance_count?",
        ),
        (
            ["run", "1", "-p", "instance_count=many"],
            "-p: instance_count='many': input should be a valid integer",
            "instance_count is a whole number from 1 to 50",
        ),
        (["run", "1", "-p", "instance_count"], "'instance_count' has no '='", "write -p name=value"),
        (["run", "3", "-p", "vpc_cidr=10.0.0.0/16"], "no runbook of this run reads vpc_cidr", "read by 01"),
        (["demo", "-p", "deploymnet=x"], "there is no parameter 'deploymnet'", "did you mean deployment?"),
        (["run", "1", "-f", "no.yaml"], "no.yaml is not a file", "one of parameters/*.yaml"),
        (["run", "1", "--to", "s3://Mine/x"], "'s3://Mine/x' is no place in S3", "write s3://bucket/prefix"),
        (["run", "1", "-p", "notify=eve"], "notify=…: value error, eve:… is no address", "notify is text"),
        (["run"], "no runbook is named", "`gbg run 1`"),
        (["run", "--resume", "x"], "there is no run 'x'", "`gbg runs` lists them"),
        (["run", "1", "--resume", "x"], "it knows its runbooks by itself", "gbg run --resume x"),
        (["run", "99"], "there is no runbook '99'", "one of 00_welcome, 01_base_stack"),
        (["drill", "hook-hnags"], "there is none called 'hook-hnags'", "hook-hangs"),
        (["drill", "--answer", "stage=Bild"], "'stage=Bild' answers no question", "Source, BuildGoldenAMI"),
        (["run", "1", "nothing.ipynb"], "there is no runbook 'nothing.ipynb'", "one of 00_welcome"),
    ],
)
def test_misuse_is_told_with_a_way_out_and_starts_nothing(
    command: Command, words: list[str], said: str, offered: str
) -> None:
    done = command(*words)
    assert done.status == MISUSE
    what, try_this = done.stderr.splitlines()
    assert said in what
    assert try_this.startswith("  try: ")
    assert offered in try_this
    assert done.stdout == ""
    assert not command.home.exists()


def test_a_removal_is_gone_on_with_by_its_name_only(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GBG_RUNS", str(tmp_path / "runs"))
    source, given = ROOT / "runbooks" / "09_teardown.ipynb", {"deployment": "shop", "confirm": "shop"}
    begun = begin(
        tmp_path / "runs", source, given, given, Asked("", (source,), given, resume.inputs(source, given))
    )
    done = command("run", "--resume", "last")
    assert done.status == MISUSE
    what, try_this = done.stderr.splitlines()
    assert what.endswith(f"the newest run is {begun.path.name}, which was told to remove shop")
    assert try_this == f"  try: `gbg run --resume {begun.path.name}`, where that is meant"


@pytest.mark.parametrize(
    "words",
    [
        ["run", "1", "-p", "instance_cuont=3"],
        ["run", "99"],
        ["run"],
        ["run", "1", "--no-such-option"],
        ["run", "1", "--minutes", "many"],
        ["run", "1", "-f"],
        ["run", "--resume", "nothing"],
    ],
    ids=" ".join,
)
def test_misuse_is_one_line_of_json_where_that_is_wanted(command: Command, words: list[str]) -> None:
    done = command(*words, "--json") if words[-1] != "-f" else command("run", "--json", *words[1:])
    assert done.status == MISUSE
    [line] = done.stdout.splitlines()
    told = json.loads(line)
    assert (told["status"], told["exit_status"], told["runs"]) == ("misuse", MISUSE, [])
    assert told["what"] in done.stderr.replace("\n", " ")


def test_what_differs_between_two_runs_is_whole_on_a_narrow_screen(command: Command, tmp_path: Path) -> None:
    long = "sha256:" + "0123456789abcdef" * 8
    names = [
        begin(tmp_path / "runs", tmp_path / f"{word}.ipynb", {}, {"branch": word + long}, Asked()).path.name
        for word in ("before", "after")
    ]
    place = ("--in", str(tmp_path / "runs"))
    told = command("runs", "compare", *names, *place).stdout.splitlines()
    assert told[:3] == ["what differs between", f"- {names[0]}", f"+ {names[1]}"]
    at = told.index("parameter: branch")
    assert told[at + 1 : at + 3] == [f"- before{long}", f"+ after{long}"]
    [line] = command("runs", "compare", *names, *place, "--json").stdout.splitlines()
    differ = {one["what"]: (one["first"], one["second"]) for one in json.loads(line)["differ"]}
    assert differ["parameter: branch"] == (f"before{long}", f"after{long}")
    assert command("runs", "compare", names[0], names[0], *place).stdout.startswith("nothing differs")


def test_a_run_is_one_line_of_a_list_whole_for_a_program_and_cut_for_a_screen(
    command: Command, tmp_path: Path
) -> None:
    reason = "nothing answers " * 20
    folder = begin(tmp_path / "runs", tmp_path / "mine.ipynb", {}, {}, Asked())
    told = {"status": "failed", "seconds": 3.2, "requests": {"ec2": 5}, "what": f"{reason}\nmore"}
    (folder.path / "result.json").write_text(json.dumps(told))
    _, line = command("runs", "--in", str(tmp_path / "runs")).stdout.splitlines()
    assert line.split(maxsplit=4) == [folder.path.name, "failed", "3", "5", reason.rstrip()]

    words = ("runs", "--in", str(tmp_path / "runs"))
    status, seen = on_a_terminal(*words, **clean_environment(COLUMNS="80", TERM="xterm"))
    assert status == 0
    _, line = re.sub(r"\x1b\[[0-9;]*m", "", seen).splitlines()
    assert len(line) <= 80 and line.endswith("…") and folder.path.name in line


def on_a_terminal(*words: str, **environment: str) -> tuple[int, str]:
    """The status of `gbg WORDS`, and all that a person sees of it: a terminal gives it in pieces."""
    ours, theirs = pty.openpty()
    with os.fdopen(ours, "rb", buffering=0) as screen:
        with os.fdopen(theirs, "wb", buffering=0) as terminal:
            done = subprocess.run(
                [sys.executable, "-m", "gbg_cli", *words],
                cwd=ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=terminal,
                stderr=terminal,
                timeout=60,
                check=False,
            )
        seen = b""
        with suppress(OSError):  # EIO, when all is read and nobody else has it open (pty(7))
            while piece := screen.read(4096):
                seen += piece
    return done.returncode, seen.decode()


class TestOutputsThatDidNotArrive:
    LOST = NotDelivered("outputs", "not in s3://mine: no such bucket", "copy it by hand")
    UNHEARD = NotDelivered("notification to https://chat/…", "it answers 500", "look")

    def test_they_fail_a_run_that_went_well_and_say_why(self, capsys: pytest.CaptureFixture[str]) -> None:
        afterwards = Afterwards(Parameters(), failures=[self.UNHEARD, self.LOST])
        with pytest.raises(NotDelivered, match="no such bucket"), told(afterwards):
            pass
        assert "it answers 500" in capsys.readouterr().err

    def test_they_hide_no_failure_of_its_own(self, capsys: pytest.CaptureFixture[str]) -> None:
        afterwards = Afterwards(Parameters(), failures=[self.LOST])
        with pytest.raises(GateRefused), told(afterwards):
            raise GateRefused("gate", "shut", "wait")
        assert "no such bucket" in capsys.readouterr().err

    def test_a_message_that_was_not_heard_fails_nothing(self) -> None:
        with told(Afterwards(Parameters(), failures=[self.UNHEARD])):
            pass


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("cloud: sandbox\ninstance_cuont: 3\n", "mine.yaml:2: there is no parameter 'instance_cuont'"),
        ("cloud: sandbox\n\ninstance_count: 0\n", "mine.yaml:3: instance_count=0: input should be greater"),
        ("cloud: [\n", "mine.yaml: not YAML"),
        ("just words\n", "mine.yaml: not a list of `name: value` lines"),
    ],
)
def test_a_parameters_file_with_an_error_is_told_with_its_line(
    command: Command, text: str, said: str
) -> None:
    (command.home.parent / "mine.yaml").write_text(text)
    done = command("run", "1", "-f", "mine.yaml")
    assert done.status == MISUSE
    assert said in done.stderr
    assert "  try: " in done.stderr
    assert not command.home.exists()


@pytest.mark.parametrize("words", [["frob"], ["up", "--port", "99999"], ["up", "--machines", "vm"]])
def test_words_that_are_no_command_or_option_are_misuse(command: Command, words: list[str]) -> None:
    done = command(*words)
    assert done.status == MISUSE
    assert "Error: " in done.stderr
    assert not command.home.exists()


def test_a_signal_before_a_run_has_begun_is_told_too() -> None:
    code = (
        "import os, signal, sys; sys.argv = ['gbg', 'run', '1', '--json']\n"
        "from gbg_cli import early; early.heed(); os.kill(os.getpid(), signal.SIGTERM)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    told = {"status": "interrupted", "exit_status": 4, "what": "SIGTERM, before it began", "runs": []}
    assert (done.returncode, json.loads(done.stdout)) == (4, told)
    assert done.stderr == "run: interrupted by SIGTERM, before it began\n"


def test_help_names_every_command(command: Command) -> None:
    done = command("--help")
    assert done.status == 0
    named = [line.split()[0] for line in done.stdout.partition("Commands:")[2].strip().splitlines()]
    assert named == list(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(command: Command, name: str) -> None:
    done = command(name, "--help")
    assert done.status == 0
    assert done.stdout.startswith(f"Usage: gbg {name}")
    assert ESCAPE not in done.stdout


def test_without_a_sandbox_status_and_env_fail_and_down_has_nothing_to_do(command: Command) -> None:
    for words in (["status"], ["env"]):
        done = command(*words)
        assert done.status == FAILURE
        assert done.stderr.splitlines() == ["sandbox: it is not up", "  try: `gbg up`"]
        assert done.stdout == ""
    done = command("down")
    assert (done.status, done.stdout) == (0, "no sandbox was up\n")


@pytest.mark.parametrize(
    ("environment", "coloured"),
    [({"TERM": "xterm-256color"}, True), ({"TERM": "xterm-256color", "NO_COLOR": "1"}, False)],
)
def test_a_terminal_gets_colours_unless_no_color_is_set(
    tmp_path: Path, environment: dict[str, str], coloured: bool
) -> None:
    clean = clean_environment(GBG_HOME=str(tmp_path / "home"))
    status, told = on_a_terminal("status", **clean | environment)
    assert status == FAILURE
    assert "it is not up" in told
    assert (ESCAPE in told) == coloured


def test_without_a_terminal_there_are_no_colours_and_the_status_is_the_process_own(tmp_path: Path) -> None:
    done = gbg(tmp_path / "home", "run", "99", TERM="xterm-256color")
    assert done.returncode == MISUSE
    assert done.stderr.startswith("runbook: there is no runbook '99'")
    assert ESCAPE not in done.stderr
