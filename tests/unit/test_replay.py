"""A tape: what came from outside is given back in order, and anything else stops with what differs."""

from __future__ import annotations

import io
import json
import lzma
import threading
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError

from gbg_lib.aws import Aws
from gbg_lib.errors import AwsError, MisuseError, NotThere, RepositoryError
from gbg_lib.replay import clock, tape
from gbg_lib.replay.again import replies_of
from gbg_lib.replay.divergence import Diverged
from gbg_lib.replay.files import RECORDS, as_found
from gbg_lib.replay.session import RecordedSession, ReplayedSession
from gbg_lib.retries import until_heard
from gbg_lib.secret.values import learn
from tests.unit.aws_fakes import FakeSession, refusal

WHEN = datetime(2026, 11, 28, 12, 0, 1, 5000, UTC)


class Bodied:
    """A reply's body, read once."""

    def __init__(self, content: bytes) -> None:
        self._content = io.BytesIO(content)

    def read(self) -> bytes:
        return self._content.read()


class FakeS3:
    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}

    def get_object(self, Bucket: str, Key: str) -> dict[str, Any]:  # noqa: N803
        if Key not in self.objects:
            raise refusal("NoSuchKey", f"{Key} does not exist")
        metadata = {"RequestId": "X", "HTTPHeaders": {"date": "Sat, 28 Nov 2026 12:00:00 GMT"}}
        return {"Body": Bodied(self.objects[Key]), "LastModified": WHEN, "ResponseMetadata": metadata}

    def put_object(self, Bucket: str, Key: str, Body: bytes, **_: str) -> dict[str, Any]:  # noqa: N803
        self.objects[Key] = Body
        return {"ETag": "1"}


class FakeCodeCommit:
    """Two pages of branches; says that it is too busy as often as it is told to."""

    def __init__(self, busy: int = 0) -> None:
        self.busy = busy

    def list_branches(self, repositoryName: str, nextToken: str = "") -> dict[str, Any]:  # noqa: N803
        return {"branches": ["b"]} if nextToken else {"branches": ["a"], "nextToken": "more"}

    def create_repository(self, repositoryName: str) -> dict[str, Any]:  # noqa: N803
        if self.busy:
            self.busy -= 1
            raise refusal("ThrottlingException", "too many requests")
        return {"repositoryMetadata": {"repositoryName": repositoryName, "creationDate": WHEN}}

    def get_repository(self, repositoryName: str) -> dict[str, Any]:  # noqa: N803
        raise ReadTimeoutError(endpoint_url="https://codecommit")


class Runs:
    """A run that is recorded, and the same code again as a replay of it."""

    def __init__(self, folder: Path, environment: pytest.MonkeyPatch) -> None:
        self.path = folder / tape.FILE
        self._environment = environment

    def recorded(self, **services: object) -> Aws:
        tape.start(self.path, "mine")
        self._environment.setenv(tape.VARIABLE, str(self.path))
        return Aws(RecordedSession(FakeSession(services)), poll_seconds=0.0)

    def replayed(self) -> Aws:
        self._environment.setenv(tape.MODE, tape.REPLAY)
        return Aws(ReplayedSession(None, "us-east-1"), poll_seconds=5.0)

    def both(self, act: Callable[[Aws], Any], **services: object) -> tuple[Any, Any]:
        return act(self.recorded(**services)), act(self.replayed())

    @property
    def playing(self) -> tape.Playing:
        found = tape.current()
        assert isinstance(found, tape.Playing)
        return found

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.path.read_text().splitlines()]


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Runs:
    return Runs(tmp_path, monkeypatch)


def busy(aws: Aws) -> Any:
    client = aws._client("codecommit", again=False)
    return until_heard(lambda: client.create_repository(repositoryName="app"), clock.pause)


def refused(aws: Aws) -> str:
    with pytest.raises(NotThere) as error:
        aws.call("s3", "get_object", Bucket="b", Key="k")
    return str(error.value)


def timed_out(aws: Aws) -> str:
    with pytest.raises(AwsError) as error:
        aws.call("codecommit", "get_repository", repositoryName="app")
    return str(error.value)


def branches(aws: Aws) -> list[Any]:
    return list(aws.pages("codecommit", "list_branches", "branches", repositoryName="app"))


def test_a_reply_comes_back_as_it_was(runs: Runs) -> None:
    store = FakeS3()
    store.objects["k"] = b"\xff\x00 bytes"

    def act(aws: Aws) -> Any:
        found = aws.call("s3", "get_object", Bucket="b", Key="k")
        date = found["ResponseMetadata"]["HTTPHeaders"]["date"]
        return found["Body"].read(), found["LastModified"], date

    then, now = runs.both(act, s3=store)
    assert now == then == (b"\xff\x00 bytes", WHEN, "Sat, 28 Nov 2026 12:00:00 GMT")


def test_pages_come_back_one_after_the_other(runs: Runs) -> None:
    then, now = runs.both(branches, codecommit=FakeCodeCommit())
    assert now == then == ["a", "b"]


def test_pages_that_nobody_wanted_are_not_missed(runs: Runs) -> None:
    def first(aws: Aws) -> Any:
        return next(aws.pages("codecommit", "list_branches", "branches", repositoryName="app")), refused(aws)

    then, now = runs.both(first, codecommit=FakeCodeCommit(), s3=FakeS3())
    assert now == then


def test_an_error_comes_back_as_the_same_error(runs: Runs) -> None:
    then, now = runs.both(
        lambda aws: (refused(aws), timed_out(aws)), s3=FakeS3(), codecommit=FakeCodeCommit()
    )
    assert now == then
    assert "k does not exist" in now[0]


def test_a_throttled_change_is_asked_again_as_often_as_then_and_waits_for_nothing(runs: Runs) -> None:
    runs.recorded(codecommit=FakeCodeCommit(busy=2))
    service = RecordedSession(FakeSession({"codecommit": FakeCodeCommit(busy=2)})).client("codecommit")
    until_heard(lambda: service.create_repository(repositoryName="app"), lambda _: None)
    assert [("error" in line) for line in runs.lines[1:]] == [True, True, False]
    assert busy(runs.replayed())["repositoryMetadata"]["creationDate"] == WHEN


def test_an_error_of_ours_comes_back_with_its_parts(runs: Runs) -> None:
    def fail() -> None:
        raise RepositoryError("git push (app)", "rejected", "pull first")

    def act(_: Aws) -> str:
        with pytest.raises(RepositoryError) as error:
            tape.asked("git push", {"commit": "1"}, fail)
        return str(error.value)

    then, now = runs.both(act)
    assert now == then


def test_another_parameter_stops_it_and_both_are_shown(runs: Runs) -> None:
    branches(runs.recorded(codecommit=FakeCodeCommit(), s3=FakeS3()))
    aws = runs.replayed()
    runs.playing.begin_cell()
    with pytest.raises(Diverged) as error:
        list(aws.pages("codecommit", "list_branches", "branches", repositoryName="shop"))
    told = str(error.value)
    assert error.value.where == "code cell 1"
    assert 'recorded | codecommit:list_branches, page 1 repositoryName="app"' in told
    assert 'asked    | codecommit:list_branches, page 1 repositoryName="shop"' in told
    assert 'params.repositoryName: recorded "app" | asked "shop"' in told


def test_another_call_stops_it_with_the_calls_before(runs: Runs) -> None:
    aws = runs.recorded(codecommit=FakeCodeCommit(), s3=FakeS3())
    branches(aws), refused(aws)
    again = runs.replayed()
    branches(again)
    with pytest.raises(Diverged) as error:
        again.call("s3", "list_buckets")
    told = str(error.value)
    assert "recorded | s3:get_object" in told and "asked    | s3:list_buckets" in told
    assert told.count("codecommit:list_branches") == 3  # two pages, and that there is no third


def test_a_call_more_stops_it(runs: Runs) -> None:
    runs.both(branches, codecommit=FakeCodeCommit())
    with pytest.raises(Diverged, match=r"recorded \| nothing more"):
        runs.replayed().call("s3", "list_buckets")


def test_a_call_less_stops_it_at_its_cells_end(runs: Runs) -> None:
    aws = runs.recorded(codecommit=FakeCodeCommit())
    recording = tape.current()
    assert isinstance(recording, tape.Recording)
    recording.begin_cell()
    branches(aws)
    recording.end_cell()
    runs.replayed()
    runs.playing.begin_cell()
    with pytest.raises(Diverged, match=r"asked    \| nothing more in this cell"):
        runs.playing.end_cell()
    assert runs.playing.left()


def test_after_a_divergence_nothing_is_answered_any_more(runs: Runs) -> None:
    refused(runs.recorded(s3=FakeS3()))
    aws = runs.replayed()
    for _ in range(2):
        with pytest.raises(Diverged, match="list_buckets"):
            aws.call("s3", "list_buckets")
    with pytest.raises(Diverged, match="list_buckets"):
        aws.call("s3", "get_object", Bucket="b", Key="k")


def test_the_time_is_what_it_was_and_a_clock_more_or_less_is_no_divergence(runs: Runs) -> None:
    aws = runs.recorded(s3=FakeS3())
    then, chance = clock.now(), clock.drawn()
    clock.now(), clock.monotonic()
    refused(aws)
    again = runs.replayed()
    assert (clock.now(), clock.drawn()) == (then, chance)
    refused(again)
    assert clock.now() >= then


def test_what_is_polled_is_kept_once(runs: Runs) -> None:
    store = FakeS3()
    store.objects["k"] = b"x" * 5000

    def poll(aws: Aws) -> list[bytes]:
        return [aws.call("s3", "get_object", Bucket="b", Key="k")["Body"].read() for _ in range(10)]

    then, now = runs.both(poll, s3=store)
    assert now == then
    assert runs.path.stat().st_size < 9000


def test_secrets_are_masked_before_they_are_written_and_do_not_part_a_replay(runs: Runs) -> None:
    learn("correct-horse-battery")
    store = FakeS3()
    store.objects["k"] = b"db_password=hunter2hunter2 and correct-horse-battery"

    def pass_on(aws: Aws) -> None:
        found = aws.call("s3", "get_object", Bucket="b", Key="k")["Body"].read()
        aws.call("s3", "put_object", Bucket="b", Key="other", Body=found * 100)

    runs.both(pass_on, s3=store)
    kept = runs.path.read_text()
    assert "hunter2" not in kept and "horse" not in kept and "****" in kept


def test_a_zip_with_a_secret_is_kept_without_it_and_its_hashes_are_not_compared_any_more(runs: Runs) -> None:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as file:
        file.writestr("settings", "password=hunter2hunter2\n")
        file.writestr("noise", bytes(range(256)) * 20)
    store = FakeS3()
    store.objects["k"] = made.getvalue()

    def pass_on(aws: Aws) -> bytes:
        found: bytes = aws.call("s3", "get_object", Bucket="b", Key="k")["Body"].read()
        aws.call("s3", "put_object", Bucket="b", Key="other", Body=found, ChecksumSHA256=str(len(found)))
        return zipfile.ZipFile(io.BytesIO(found)).read("settings")

    then, now = runs.both(pass_on, s3=store)
    assert b"hunter2" in then and b"hunter2" not in now


def test_long_bytes_that_are_sent_are_told_by_their_hash_and_still_compared(runs: Runs) -> None:
    runs.recorded(s3=FakeS3()).call("s3", "put_object", Bucket="b", Key="k", Body=b"a" * 9000)
    assert runs.path.stat().st_size < 1000
    with pytest.raises(Diverged, match="sha256"):
        runs.replayed().call("s3", "put_object", Bucket="b", Key="k", Body=b"b" * 9000)


def test_what_can_not_be_kept_is_told_by_its_type_and_fails_no_run(runs: Runs) -> None:
    runs.recorded()
    tape.asked("files", {"of": object()}, lambda: {"made": object()})
    assert runs.lines[-1]["asks"] == {"of": {"$odd": "object"}}
    runs.replayed()
    assert tape.asked("files", {"of": object()}, dict) == {"made": {"$odd": "object"}}


def test_a_thread_asks_again_when_it_asked_then(runs: Runs) -> None:
    """As the lock's renewals do: three of them between two calls of a cell, whatever a clock says now."""

    def act(aws: Aws) -> list[str]:
        order: list[str] = []
        renewed, over = threading.Semaphore(0), threading.Event()

        def renew() -> None:
            while not clock.waited(over, 0.01):
                order.append("renewed")
                aws.call("s3", "put_object", Bucket="b", Key="lock", Body=str(len(order)).encode())
                renewed.release()
                if len(order) == 4:
                    return

        order.append("begun")
        aws.call("s3", "put_object", Bucket="b", Key="first", Body=b"")
        thread = threading.Thread(target=renew, name="lock")
        thread.start()
        thread.join(30)
        aws.call("s3", "put_object", Bucket="b", Key="last", Body=b"")
        return order

    then, now = runs.both(act, s3=FakeS3())
    assert now == then == ["begun", "renewed", "renewed", "renewed"]


def test_a_thread_that_asked_before_its_end_does_so_again_however_late_it_looks(runs: Runs) -> None:
    """In a replay whoever ends it may be there first."""

    def act(aws: Aws) -> list[str]:
        renewed: list[str] = []
        over = threading.Event()

        def renew() -> None:
            while not clock.waited(over, 0.01):
                aws.call("s3", "put_object", Bucket="b", Key="lock", Body=b"")
                renewed.append("once")
                over.set()

        if tape.playing():
            over.set()
        thread = threading.Thread(target=renew, name="lock")
        thread.start()
        thread.join(30)
        aws.call("s3", "put_object", Bucket="b", Key="last", Body=b"")
        return renewed

    then, now = runs.both(act, s3=FakeS3())
    assert now == then == ["once"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no tape of a run"),
        ('{"replies": 2, "runbook": "mine"}\n', "its format is 2, and 1 is read here"),
        ('{"replies": 1, "runbook": "mine"}\n{"door": "aws", "ce', "no JSON"),
        (
            '{"replies": 1, "runbook": "mine"}\n{"door": "aws", "cell": 1, "same": 7}\n',
            "points at no earlier reply",
        ),
        ('{"replies": 1, "runbook": "mine"}\n{"door": "aws", "cell": 1}\n', "no line of a tape"),
        ("[" * 100_000, "no JSON"),
    ],
)
def test_a_tape_that_is_none_is_refused_with_its_reason(tmp_path: Path, text: str, reason: str) -> None:
    path = tmp_path / tape.FILE
    path.write_text(text)
    with pytest.raises(MisuseError, match=reason):
        tape.read(path)


def test_a_packed_tape_is_read_and_one_that_is_cut_off_is_refused(tmp_path: Path) -> None:
    packed = lzma.compress(
        b'{"replies": 1, "runbook": "mine"}\n{"door": "chance", "cell": 1, "reply": "1"}\n'
    )
    path = tmp_path / f"{tape.FILE}.xz"
    path.write_bytes(packed)
    assert [line["reply"] for line in tape.read(path)] == ["1"]
    for broken in (packed[:-9], packed[:20] + b"\0\0\0\0" + packed[24:]):
        path.write_bytes(broken)
        with pytest.raises(MisuseError, match=r"cut off|unpacked"):
            tape.read(path)


def test_a_tape_longer_than_any_is_refused_packed_and_unpacked(tmp_path: Path) -> None:
    text = b'{"replies": 1, "runbook": "mine"}\n' + b" " * 1_000
    for name, content in ((tape.FILE, text), (f"{tape.FILE}.xz", lzma.compress(text))):
        path = tmp_path / name
        path.write_bytes(content)
        assert tape.content(path, len(text)) == text
        with pytest.raises(MisuseError, match=f"over {len(text) - 1} bytes"):
            tape.content(path, len(text) - 1)


@pytest.mark.parametrize("name", ["../../evil", "/etc/evil", "sub/../../../evil"])
def test_a_tape_puts_no_file_outside_of_its_own_folder(runs: Runs, tmp_path: Path, name: str) -> None:
    place = tmp_path / "deep" / RECORDS / "gbg"
    place.mkdir(parents=True)
    (place / "told").write_text("x")
    runs.recorded()
    as_found(place)
    head, files = runs.lines
    [content] = files["reply"].values()
    files["reply"] = {name: content}
    runs.path.write_text("".join(f"{json.dumps(line)}\n" for line in (head, files)))
    runs.replayed()
    with pytest.raises(MisuseError, match="it has a file"):
        as_found(place)
    assert list(tmp_path.rglob("evil")) == []


def test_a_tape_that_was_altered_is_no_runs(tmp_path: Path) -> None:
    path = tmp_path / tape.FILE
    tape.start(path, "mine")
    digest = tape.digest(path)
    assert replies_of(tmp_path, digest) == path
    path.write_text(path.read_text() + "\n")
    with pytest.raises(MisuseError, match="the result names another hash"):
        replies_of(tmp_path, digest)
