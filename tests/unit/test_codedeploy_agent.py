"""The agent's own work on a machine's disk: bundles, files, hooks."""

from __future__ import annotations

import io
import json
import stat
import tarfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from gbg_sandbox.services.codedeploy.agent.codedeploy_agent import diagnostics, hooks
from gbg_sandbox.services.codedeploy.agent.codedeploy_agent.appspec import Script
from gbg_sandbox.services.codedeploy.agent.codedeploy_agent.archive import unpack
from gbg_sandbox.services.codedeploy.agent.codedeploy_agent.commands import Executor
from gbg_sandbox.services.codedeploy.agent.codedeploy_agent.diagnostics import EventFailed
from gbg_sandbox.services.codedeploy.agent.codedeploy_agent.settings import Settings, read
from gbg_sandbox.services.codedeploy.agent.codedeploy_agent.specification import Specification

SPEC = Specification("d-1", "group-id", "fleet", "app", "user", "BLUE_GREEN", "artifacts", "app.zip", "zip")


@dataclass
class Bucket:
    """Objects by key, as S3 keeps them."""

    objects: dict[str, bytes] = field(default_factory=dict)

    def get(self, bucket: str, key: str, *, version: str = "") -> Answer:
        if key not in self.objects:
            raise RuntimeError("The specified key does not exist.")
        return Answer(self.objects[key])


@dataclass(frozen=True)
class Answer:
    body: bytes
    headers: Mapping[str, str] = field(default_factory=lambda: {"etag": '"abc"'})


class Host:
    """A disk with an agent on it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.bucket = Bucket()
        self.settings = Settings(root_dir=str(root / "deployment-root"))
        self.executor = Executor(self.settings, self.bucket.get)

    def bundle(self, files: Mapping[str, str], appspec: str = "", key: str = "app.zip") -> None:
        made = io.BytesIO()
        with zipfile.ZipFile(made, "w") as archive:
            if appspec:
                archive.writestr(
                    "appspec.yml", "version: 0.0\nos: linux\n" + appspec.replace("ROOT", str(self.root))
                )
            for name, content in files.items():
                archive.writestr(name, content)
        self.bucket.objects[key] = made.getvalue()

    def do(self, *events: str, spec: Specification = SPEC) -> str:
        tail = ""
        for event in events:
            tail = self.executor.execute(event, spec)
        return tail

    def archive(self, spec: Specification = SPEC) -> Path:
        return Path(self.executor.revisions.archive(spec))


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


FILES = "files:\n  - {source: site, destination: ROOT/www}\n"


def test_a_deployment_leaves_aws_layout(host: Host) -> None:
    host.bundle({"site/index.html": "one"}, FILES)
    host.do("DownloadBundle", "BeforeInstall", "Install")
    group = host.root / "deployment-root" / "group-id" / "d-1"
    assert (host.root / "www" / "index.html").read_text() == "one"
    assert (group / "bundle.tar").is_file()
    assert (group / "deployment-archive" / "appspec.yml").is_file()
    instructions = host.root / "deployment-root" / "deployment-instructions"
    assert {path.name for path in instructions.iterdir()} == {
        "group-id-cleanup",
        "group-id-install.json",
        "group-id_last_successful_install",
        "group-id_most_recent_install",
    }


def test_the_next_deployment_removes_what_the_former_installed(host: Host) -> None:
    host.bundle({"site/old.html": "old"}, FILES)
    host.do("DownloadBundle", "Install")
    host.bundle({"site/new.html": "new"}, FILES)
    host.do("DownloadBundle", "Install", spec=replace(SPEC, deployment_id="d-2"))
    assert [path.name for path in (host.root / "www").iterdir()] == ["new.html"]


@pytest.mark.parametrize(("behaviour", "content"), [("OVERWRITE", "new"), ("RETAIN", "mine")])
def test_a_file_in_the_way(host: Host, behaviour: str, content: str) -> None:
    (host.root / "www").mkdir()
    (host.root / "www" / "index.html").write_text("mine")
    host.bundle({"site/index.html": "new"}, FILES)
    host.do("DownloadBundle", "Install", spec=replace(SPEC, file_exists=behaviour))
    assert (host.root / "www" / "index.html").read_text() == content


def test_a_file_in_the_way_fails_the_install_before_anything_is_copied(host: Host) -> None:
    (host.root / "www").mkdir()
    (host.root / "www" / "z.html").write_text("mine")
    host.bundle({"site/a.html": "a", "site/z.html": "z"}, FILES)
    with pytest.raises(RuntimeError, match=r"file already exists at this location: .*/www/z\.html"):
        host.do("DownloadBundle", "Install")
    assert not (host.root / "www" / "a.html").exists()


def test_the_appspec_overrides_the_deployment(host: Host) -> None:
    (host.root / "www").mkdir()
    (host.root / "www" / "index.html").write_text("mine")
    host.bundle({"site/index.html": "new"}, "file_exists_behavior: OVERWRITE\n" + FILES)
    host.do("DownloadBundle", "Install")
    assert (host.root / "www" / "index.html").read_text() == "new"


def test_permissions_set_a_mode(host: Host) -> None:
    host.bundle(
        {"site/run.sh": "x", "site/page.html": "y"},
        FILES + 'permissions:\n  - {object: ROOT/www, pattern: "*.sh", mode: "0750", type: [file]}\n',
    )
    host.do("DownloadBundle", "Install")
    assert (host.root / "www" / "run.sh").stat().st_mode & 0o777 == 0o750
    assert (host.root / "www" / "page.html").stat().st_mode & 0o777 != 0o750


def test_a_bundle_without_an_appspec_is_told(host: Host) -> None:
    host.bundle({"readme": "x"})
    host.do("DownloadBundle")
    with pytest.raises(Exception, match="did not find an AppSpec file"):
        host.do("BeforeInstall")


def test_a_wrong_etag_is_refused(host: Host) -> None:
    host.bundle({"a": "x"}, FILES)
    with pytest.raises(
        RuntimeError, match="Expected deployment artifact bundle etag zzz but was actually abc"
    ):
        host.do("DownloadBundle", spec=replace(SPEC, etag="zzz"))


def test_a_tar_with_one_directory_is_stripped(host: Host) -> None:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as archive:
        member = tarfile.TarInfo("app-1.0/appspec.yml")
        member.size = len(b"version: 0.0\nos: linux\n")
        archive.addfile(member, io.BytesIO(b"version: 0.0\nos: linux\n"))
    host.bucket.objects["app.tgz"] = made.getvalue()
    spec = replace(SPEC, key="app.tgz", bundle_type="tgz")
    host.do("DownloadBundle", spec=spec)
    assert (host.archive(spec) / "appspec.yml").is_file()


def test_old_revisions_are_removed_but_not_the_last_successful_one(host: Host) -> None:
    host.executor = Executor(replace(host.settings, max_revisions=2), host.bucket.get)
    host.bundle({"site/a": "a"}, "file_exists_behavior: OVERWRITE\n" + FILES)
    host.do("DownloadBundle", "Install")
    for number in range(2, 5):
        host.do("DownloadBundle", spec=replace(SPEC, deployment_id=f"d-{number}"))
    kept = {path.name for path in (host.root / "deployment-root" / "group-id").iterdir()}
    assert kept == {"d-1", "d-4"}


HOOK = "hooks:\n  {event}:\n    - {{location: run.sh, timeout: {timeout}}}\n"


def with_hook(host: Host, script: str, event: str = "BeforeInstall", timeout: int = 20) -> None:
    host.bundle({"run.sh": "#!/bin/sh\n" + script}, HOOK.format(event=event, timeout=timeout))
    host.do("DownloadBundle")


def test_a_hook_has_aws_environment_and_its_output_is_kept(host: Host) -> None:
    names = (
        "LIFECYCLE_EVENT DEPLOYMENT_ID APPLICATION_NAME DEPLOYMENT_GROUP_NAME DEPLOYMENT_GROUP_ID "
        "BUNDLE_BUCKET BUNDLE_KEY"
    )
    with_hook(host, "\n".join(f"echo {name}=${name}" for name in names.split()) + "\necho careful >&2\n")
    tail = host.do("BeforeInstall")
    assert tail.startswith("LifecycleEvent - BeforeInstall\nScript - run.sh\n")
    assert "[stdout]LIFECYCLE_EVENT=BeforeInstall\n" in tail
    assert "[stdout]DEPLOYMENT_GROUP_NAME=fleet\n" in tail
    assert "[stdout]BUNDLE_KEY=app.zip\n" in tail
    assert "[stderr]careful\n" in tail
    log = (host.archive().parent / "logs" / "scripts.log").read_text()
    assert "[stdout]APPLICATION_NAME=app" in log


def failure(host: Host) -> EventFailed:
    with pytest.raises(EventFailed) as caught:
        host.do("BeforeInstall")
    return caught.value


def test_a_failing_script_tells_its_exit_code_and_last_words(host: Host) -> None:
    with_hook(host, "echo no database\nexit 3\n")
    failed = failure(host)
    assert failed.code == diagnostics.SCRIPT_FAILED
    assert failed.message == "Script at specified location: run.sh failed with exit code 3"
    assert failed.log.endswith("[stdout]no database\n")


def test_a_missing_script(host: Host) -> None:
    host.bundle({"other.sh": ""}, HOOK.format(event="BeforeInstall", timeout=5))
    host.do("DownloadBundle")
    failed = failure(host)
    assert (failed.code, failed.script) == (diagnostics.SCRIPT_MISSING, "run.sh")


def test_a_slow_script_is_ended(host: Host) -> None:
    with_hook(host, "echo begun\nsleep 60\n", timeout=3)
    failed = failure(host)
    assert failed.code == diagnostics.SCRIPT_TIMED_OUT
    assert failed.message == "Script at specified location: run.sh failed to complete in 3 seconds"
    assert "[stdout]begun" in failed.log


def test_a_child_that_keeps_the_outputs_open_fails_the_event(host: Host) -> None:
    with_hook(host, "sleep 9 &\nexit 0\n", timeout=3)
    assert failure(host).code == diagnostics.OUTPUTS_LEFT_OPEN


def test_application_stop_runs_from_the_last_successful_revision(host: Host) -> None:
    second = replace(SPEC, deployment_id="d-2")
    assert host.do("ApplicationStop", spec=second) == ""
    host.bundle({"run.sh": "#!/bin/sh\necho first\n"}, HOOK.format(event="ApplicationStop", timeout=5))
    host.do("DownloadBundle", "Install")
    host.bundle({"run.sh": "#!/bin/sh\necho second\n"}, HOOK.format(event="ApplicationStop", timeout=5))
    assert "[stdout]first" in host.do("ApplicationStop", spec=second)


def test_in_a_blue_green_rollback_traffic_hooks_come_from_what_is_there(host: Host) -> None:
    host.bundle({"a": ""}, FILES.replace("site", "a"))
    host.do("DownloadBundle", "Install")
    back = replace(SPEC, deployment_id="d-9", creator="codeDeployRollback")
    directory = str(host.archive().parent)
    assert hooks.directory_for("BeforeAllowTraffic", back, host.executor.revisions) == directory
    assert hooks.directory_for("BeforeBlockTraffic", back, host.executor.revisions) == directory
    assert hooks.is_noop("BeforeAllowTraffic", back, host.executor.revisions)


@pytest.mark.parametrize(
    ("runas", "argv"),
    [("", ["/a/run me.sh"]), ("tomcat", ["su", "tomcat", "-c", "'/a/run me.sh'"])],
)
def test_runas(runas: str, argv: list[str]) -> None:
    assert hooks.command("/a/run me.sh", Script("run me.sh", runas=runas)) == argv


def test_a_long_log_fits_into_what_the_service_takes() -> None:
    made = diagnostics.payload(4, "failed", "run.sh", "é\\" * 9000 + "last")
    assert len(made) <= diagnostics.LONGEST_PAYLOAD
    assert json.loads(made)["log"].endswith("last")


def test_settings_are_read_with_rubys_colons(tmp_path: Path) -> None:
    path = tmp_path / "codedeployagent.yml"
    path.write_text("---\n:max_revisions: 2\n:proxy_uri:\n:disable_imds_v1: true\n")
    assert read(str(path)).max_revisions == 2
    path.write_text(":max_revisions: 0\n")
    with pytest.raises(ValueError, match="max_revisions=0"):
        read(str(path))


def zipped(folder: Path, *members: tuple[str, str, bool]) -> str:
    """A bundle of names, contents, and whether each is a symbolic link."""
    with zipfile.ZipFile(folder / "bundle.zip", "w") as made:
        for name, content, link in members:
            member = zipfile.ZipInfo(name)
            member.external_attr = ((stat.S_IFLNK if link else stat.S_IFREG) | 0o644) << 16
            made.writestr(member, content)
    return str(folder / "bundle.zip")


@pytest.mark.parametrize(
    "members",
    [
        [("../outside", "/etc", True)],
        [("sub/../../outside", "x", False)],
        [("link", "..", True), ("link/outside", "x", False)],
        [("link", "..", True), ("link/outside", "/etc", True)],
    ],
)
def test_nothing_in_a_bundle_lands_outside(tmp_path: Path, members: list[tuple[str, str, bool]]) -> None:
    bundle = zipped(tmp_path, *members)
    with pytest.raises(RuntimeError, match="outside of the deployment archive"):
        unpack(bundle, "zip", str(tmp_path / "archive"))
    assert not (tmp_path / "outside").is_symlink() and not (tmp_path / "outside").exists()


def test_links_within_a_bundle_are_kept(tmp_path: Path) -> None:
    bundle = zipped(
        tmp_path, ("sub/page", "x", False), ("sub/link", "page", True), ("sub/more/last", "y", False)
    )
    unpack(bundle, "zip", str(tmp_path / "archive"))
    assert (tmp_path / "archive" / "sub" / "link").read_text() == "x"
