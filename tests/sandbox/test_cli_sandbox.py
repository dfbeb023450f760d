"""`gbg` on a sandbox: up once, told in full, found dead; what it says when something is missing or wrong."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

import pytest

from gbg_lib.aws import Aws, open_aws
from gbg_lib.errors import GbgError
from gbg_lib.parameters import Parameters
from gbg_lib.stacks import Stacks
from gbg_sandbox.home import Home, Running, SandboxError
from tests.command import ROOT, clean_environment, gbg
from tests.notebooks.small import write_notebook
from tests.sandbox.places import eventually
from tests.sandbox.processes import below, outliving

pytestmark = pytest.mark.xdist_group("cli-sandbox")

FAILURE = 1
NEWEST_IMAGE = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"
PLAN = """
from gbg_lib.aws import open_aws
from gbg_lib.errors import GbgError
from gbg_lib.parameters import Parameters
from gbg_lib.stacks import Stacks
from gbg_lib.stacks import Stacks
Stacks(open_aws(Parameters())).plan("mine", TEMPLATE, {}, {})
"""
UNSUPPORTED = """
Resources:
  Topic: {Type: "AWS::SNS::Topic"}
  Orders: {Type: "AWS::SQS::Queue"}
"""
BROKEN = """
Resources:
  Topic:
    Type: AWS::SNS::Topic
    Properties: {TopicName: !Ref Nowhere}
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Of a sandbox that is up."""
    folder = tmp_path_factory.mktemp("cli") / "home"
    done = gbg(folder, "up", AWS_PROFILE="unknown")
    assert done.returncode == 0, done.stderr
    yield folder
    Home(folder).down()


def test_status_tells_a_program_all_it_needs(home: Path) -> None:
    told = json.loads(gbg(home, "status", "--json").stdout)
    assert list(told) == [
        *("up", "deployment", "endpoint_url", "page", "profile", "config_file", "credentials_file"),
        *("site", "stacks", "pipeline", "processes"),
    ]
    running = Home(home).running()
    assert running is not None
    assert told["endpoint_url"] == running.endpoint_url
    assert told["page"] == running.page_url
    assert told["profile"] == "gbg-sandbox"
    assert Path(told["config_file"]).read_text().startswith("[profile gbg-sandbox]")
    assert Path(told["credentials_file"]).stat().st_mode & 0o077 == 0
    assert (told["site"], told["stacks"], told["pipeline"]) == (None, {}, None)
    assert told["processes"]["sandbox"] == running.pid


def test_what_a_shell_knows_of_an_aws_does_not_reach_it(home: Path) -> None:
    running = Home(home).running()
    assert running is not None
    told = Path(f"/proc/{running.pid}/environ").read_bytes()
    assert b"AWS_" not in told
    assert b"PYTHONPATH=" in told


def test_no_proxy_of_a_shell_stands_between_it_and_the_sandbox(home: Path) -> None:
    """Nobody listens where the proxy is said to be, and the shell exempts nothing from it."""
    nowhere = "http://127.0.0.1:1"
    shell = ("env", f"http_proxy={nowhere}", f"HTTPS_PROXY={nowhere}", "no_proxy=", "NO_PROXY=")
    told = gbg(home, "status", "--json", before=shell)
    assert told.returncode == 0, told.stderr
    exports = gbg(home, "env", before=shell).stdout
    done = subprocess.run(
        [*shell, "bash", "-c", f"{exports}\naws sts get-caller-identity"],
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert "user/operator" in done.stdout, done.stderr


def test_a_second_up_changes_nothing(home: Path) -> None:
    before = Home(home).running()
    done = gbg(home, "up")
    assert done.returncode == FAILURE
    what, try_this = done.stderr.splitlines()
    assert what.startswith("sandbox: one is up already at http://127.0.0.1:")
    assert "`gbg down`" in try_this
    assert Home(home).running() == before


STARTING = """
import fcntl, sys, time
kept = open(sys.argv[1], "ab")
fcntl.lockf(kept, fcntl.LOCK_EX)
print("held", flush=True)
time.sleep(300)
"""


@pytest.fixture
def starting(tmp_path: Path) -> Iterator[tuple[Home, int]]:
    """A folder whose sandbox has begun to start, and its process; a machine's disk is there already."""
    home = Home(tmp_path / "starting")
    (home.state_dir() / "machines").mkdir(parents=True)
    home.folder.mkdir(exist_ok=True)
    argv = [sys.executable, "-c", STARTING, str(home.lock_file)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield home, process.pid
        process.kill()
    home.down()


def test_while_one_starts_no_other_does_and_its_disks_stay(starting: tuple[Home, int]) -> None:
    home, process = starting
    for start in (home.up, lambda: home.open_cloud(port=0, kind=None, scale=60)):
        with pytest.raises(SandboxError, match=rf"is starting or stopping \(process {process}\)"):
            start()
    assert (home.state_dir() / "machines").is_dir()
    assert home.running() is None


def test_one_that_starts_can_be_ended(starting: tuple[Home, int]) -> None:
    home, _ = starting
    assert home.down()
    assert not home.down()
    assert not home.state_dir().exists()


HOLDING = """
import gc, sys, time
from dataclasses import asdict
from pathlib import Path
from gbg_sandbox.home import Home
def begin():
    Home(Path(sys.argv[1]))._hold()
begin()
gc.collect()
print("held", flush=True)
time.sleep(300)
"""


def test_a_sandbox_holds_its_folder_until_its_process_has_ended(tmp_path: Path) -> None:
    home = Home(tmp_path / "held")
    argv = [sys.executable, "-c", HOLDING, str(home.folder)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        process.stdout.readline()
        with pytest.raises(SandboxError, match=rf"is starting or stopping \(process {process.pid}\)"):
            home.up()
        assert home.down()
        assert process.wait(timeout=20) != 0


CLEARS = """
import sys
from pathlib import Path
from gbg_sandbox.home import CLEARING, Home
kept = Home(Path(sys.argv[1]))._hold(CLEARING)
print("held", flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("word", ["down", "up"])
def test_who_clears_the_folder_is_waited_for_and_not_stopped(tmp_path: Path, word: str) -> None:
    home = Home(tmp_path / "cleared")
    home.folder.mkdir()
    argv = [sys.executable, "-c", CLEARS, str(home.folder)]
    with (
        ThreadPoolExecutor(1) as pool,
        subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process,
    ):
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdout.readline()
        waiting = pool.submit(gbg, home.folder, word)
        with pytest.raises(TimeoutError):
            waiting.result(3)
        assert process.poll() is None
        assert home.running() is None
        process.stdin.close()
        assert process.wait(timeout=20) == 0
        assert waiting.result().returncode == 0
    assert home.down() == (word == "up")


def test_one_that_ends_without_a_word_is_not_told_by_the_last_words_of_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = Home(tmp_path / "silent")
    home.folder.mkdir()
    home.log_file.write_text("of the one before\n")
    monkeypatch.setattr(sys, "executable", str(shutil.which("false")))
    with pytest.raises(SandboxError, match="it did not start: its process ended with 1, and said nothing"):
        home.up()
    assert home.log_file.read_text() == "of the one before\n"


def test_of_two_that_start_at_once_one_is_up(tmp_path: Path) -> None:
    folder = tmp_path / "twice"
    with ThreadPoolExecutor(2) as pool:
        both = list(pool.map(lambda _: gbg(folder, "up"), range(2)))
    assert sorted(done.returncode for done in both) == [0, FAILURE]
    [refused] = [done.stderr for done in both if done.returncode]
    assert "is starting or stopping" in refused or "one is up already" in refused
    assert gbg(folder, "down").returncode == 0
    assert not Home(folder).down()


def test_disks_do_not_lie_in_a_folder_that_another_has_made(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    other = tmp_path / "other"
    other.mkdir()
    home.state_dir().parent.mkdir(exist_ok=True)
    home.state_dir().symlink_to(other)
    with pytest.raises(SandboxError, match="is not this user's own folder"):
        home.down()
    home.state_dir().unlink()


def test_a_port_in_use_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = gbg(tmp_path / "home", "up", "--port", str(port))
    assert done.returncode == FAILURE
    assert done.stderr.startswith(f"sandbox: port {port} on 127.0.0.1 can't be had: Address already in use\n")
    assert "  try: another port" in done.stderr
    assert Home(tmp_path / "home").running() is None


@pytest.mark.parametrize(
    ("template", "said"),
    [
        (UNSUPPORTED, "Orders.*AWS::SQS::Queue|AWS::SQS::Queue.*Orders"),
        (BROKEN, "Nowhere"),
        ("Resources: [", "Template format error"),
        ("Outputs: {}", "At least one Resources member must be defined"),
    ],
)
def test_a_template_that_cannot_be_made_is_refused_by_name(
    home: Path, monkeypatch: pytest.MonkeyPatch, template: str, said: str
) -> None:
    monkeypatch.setenv("GBG_HOME", str(home))
    stacks = Stacks(open_aws(Parameters()))
    with pytest.raises(GbgError, match=said):
        stacks.plan("mine", template, {}, {})


def test_a_run_that_is_refused_ends_with_status_1_and_says_why(home: Path, tmp_path: Path) -> None:
    notebook = write_notebook(tmp_path / "mine.ipynb", "# Plan", f"TEMPLATE = {UNSUPPORTED!r}", PLAN)
    done = gbg(home, "run", str(notebook))
    assert done.returncode == FAILURE
    assert done.stderr.startswith("runbook mine, Plan: ")
    assert "AWS::SQS::Queue" in done.stderr
    assert "  try: " in done.stderr


def test_a_runbook_before_its_time_names_what_is_missing(home: Path) -> None:
    done = gbg(home, "run", "3")
    assert done.returncode == FAILURE
    assert "gbg-base" in done.stderr
    assert "  try: run the runbook before this one" in done.stderr


def launch(aws: Aws) -> None:
    """A machine that runs, in a network of its own."""
    vpc = aws.call("ec2", "create_vpc", CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnet = aws.call("ec2", "create_subnet", VpcId=vpc, CidrBlock="10.0.0.0/24")["Subnet"]["SubnetId"]
    image = aws.call("ssm", "get_parameter", Name=NEWEST_IMAGE)["Parameter"]["Value"]
    made = aws.call(
        "ec2",
        "run_instances",
        ImageId=image,
        InstanceType="t3.small",
        MinCount=1,
        MaxCount=1,
        SubnetId=subnet,
    )["Instances"][0]["InstanceId"]

    def runs() -> bool:
        [found] = aws.call("ec2", "describe_instances", InstanceIds=[made])["Reservations"]
        return bool(found["Instances"][0]["State"]["Name"] == "running")

    eventually(runs)


def test_a_sandbox_that_died_is_told_and_cleaned_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "home"
    monkeypatch.setenv("GBG_HOME", str(home))
    running = Home(home).up()
    launch(open_aws(Parameters()))
    family = below(running.pid)
    assert len(family) > 3

    os.kill(running.pid, signal.SIGKILL)
    eventually(lambda: Home(home).died())
    done = gbg(home, "status")
    assert done.returncode == FAILURE
    assert done.stderr.splitlines() == [
        "sandbox: it has died",
        f"  try: read {home}/sandbox.log, then `gbg up`",
    ]
    told = json.loads(gbg(home, "status", "--json").stdout)
    assert (told["up"], told["reason"]) == (False, "it has died")
    assert (told["endpoint_url"], told["stacks"], told["processes"]) == (None, {}, {})

    done = gbg(home, "down")
    assert done.returncode == 0
    eventually(lambda: not outliving(family))
    assert not Home(home).state_dir().exists()
    assert gbg(home, "status").stderr.startswith("sandbox: it is not up")


def test_a_sandbox_whose_folder_was_removed_ends_with_all_that_it_began(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    family = below(home.up().pid)
    try:
        shutil.rmtree(home.folder)
        assert not outliving(family, seconds=60)
    finally:
        home.down()


def test_a_sandbox_in_another_container_has_not_died(tmp_path: Path) -> None:
    """Its lock is seen, and its process is not: as this one's by a command in another process namespace."""
    home = tmp_path / "home"
    home.mkdir()
    Home(home).state_file.write_text(
        json.dumps(asdict(Running(7, "http://127.0.0.1:9", "r", "a", "m", 60.0)))
    )
    root = () if os.geteuid() == 0 else ("--map-root-user",)
    elsewhere = ("unshare", *root, "--pid", "--fork")
    if shutil.which("unshare") is None or subprocess.run([*elsewhere, "true"], check=False).returncode:
        pytest.skip("no process namespaces here")
    with Home(home).lock_file.open("wb") as held:
        fcntl.lockf(held, fcntl.LOCK_EX)
        told = [gbg(home, word, before=elsewhere).stderr for word in ("status", "up", "down")]
    assert [one.splitlines()[0] for one in told] == [
        "sandbox: it is not up",
        *["sandbox: one runs in another container, which shares this folder"] * 2,
    ]
    assert Home(home).died()


def test_who_comes_too_late_leaves_the_log_of_who_came_first(tmp_path: Path) -> None:
    """Both have looked before either held the folder."""
    home = tmp_path / "home"

    class Late(Home):
        def _holder(self) -> int | None:
            return None

    Home(home).up()
    try:
        log = home / "sandbox.log"
        log.write_text("of who came first\n")
        with pytest.raises(SandboxError, match="it did not start"):
            Late(home).up()
        assert log.read_text().startswith("of who came first\n")
    finally:
        Home(home).down()
    Home(home).up()
    Home(home).down()
    assert "of who came first" not in log.read_text()


@pytest.mark.parametrize(
    ("hidden", "lacking", "package"),
    [
        ("/usr/lib/jvm", "java, javac", "openjdk-17-jdk-headless"),
        ("/usr/sbin/haproxy", "haproxy", "haproxy"),
    ],
)
def test_a_missing_program_is_named_before_anything_starts(
    tmp_path: Path, hidden: str, lacking: str, package: str
) -> None:
    """Hidden in a mount namespace of the command's own."""
    before = without(hidden, tmp_path)
    home = tmp_path / "home"
    done = gbg(home, "up", before=before)
    assert done.returncode == FAILURE
    assert done.stderr.splitlines() == [
        f"sandbox: this machine lacks {lacking}",
        f"  try: apt-get install {package}",
    ]
    assert not home.exists()
    told = gbg(home, "doctor", before=before)
    assert told.returncode == FAILURE
    for name in lacking.split(", "):
        assert f"{name}: not found\n          try: apt-get install {package}\n" in told.stdout


def without(hidden: str, tmp_path: Path) -> tuple[str, ...]:
    """Words that start a command for which a file or folder is empty; skips where that can't be."""
    if not Path(hidden).exists():
        pytest.skip(f"no {hidden} on this machine to hide")
    if shutil.which("unshare") is None:
        pytest.skip("no unshare (util-linux) to hide a program with")
    empty = tmp_path / "empty"
    if Path(hidden).is_dir():
        empty.mkdir()
    else:
        empty.touch()
    root = () if os.geteuid() == 0 else ("--map-root-user",)
    script = f'mount --bind {empty} {hidden} && exec "$@"'
    words = ("unshare", *root, "--mount", "sh", "-c", script, "sh")
    tried = subprocess.run([*words, "true"], capture_output=True, text=True, check=False)
    if tried.returncode:
        pytest.skip(f"no mount namespaces here: {tried.stderr.strip()}")
    return words
