"""What a rehearsal sets up, what it can't have, and what it refuses before anything is started."""

from __future__ import annotations

import io
import json
import stat
import zipfile
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from gbg_lib import blueprint
from gbg_lib.errors import MISUSE, GbgError, MisuseError, ParameterError
from gbg_lib.parameters import Parameters
from gbg_lib.record.archive import Archive, open_archive
from gbg_lib.record.format import RecordError
from gbg_lib.record.reading import EXAMPLES, FAILED, SUCCEEDED, read
from gbg_lib.record.store import Store
from gbg_lib.rehearsal.change import changed
from gbg_lib.rehearsal.comparison import compare
from gbg_lib.rehearsal.document import fitted
from gbg_lib.rehearsal.library import former_of, library
from gbg_lib.rehearsal.likeness import Likeness
from gbg_lib.rehearsal.plan import Offer, Plan, document_of, plan
from gbg_lib.rehearsal.sources import source_of, unpacked
from gbg_lib.rehearsal.trust import require_trusted
from tests.unit.aws_record import ACCOUNT, REGION, as_on_aws
from tests.unit.test_rehearsal_comparison import Altered, altered, bake_role, example

OFFER = Offer("123456789012", "us-east-1", ("2023.11.20260406", "2023.12.20260608", "2023.12.20260710"))
KEPT = EXAMPLES / "failures"


GOOD, BAD = (str(example(name).manifest.summary["commit"]) for name in (SUCCEEDED, FAILED))
GOOD_NAME = example(SUCCEEDED).name
FORMER_SOURCE = "files/source-former.zip"


def nearly(word: str) -> str:
    """With another last character."""
    return word[:-1] + ("1" if word[-1] == "0" else "0")


def planned(archive: Archive | None = None) -> Plan:
    return plan(archive or example(), example(SUCCEEDED), OFFER)


def rewritten(archive: Archive, folder: Path, edit: Any = None, **files: bytes | None) -> Archive:
    """A whole record with other files or evidence, as if it had been recorded so."""
    kept = {name: archive.read(name) for name in archive.names if name.startswith("files/")}
    for name, content in files.items():
        found = next(one for one in kept if one.startswith(f"files/{name}"))
        kept.pop(found) if content is None else kept.update({found: content})
    evidence = list((altered(edit, archive) if edit else archive).evidence)
    manifest = replace(archive.manifest, files={}, former=None)
    return open_archive(Store(folder, "gbg").write(manifest, evidence, kept))


def test_stacks_document_and_sources_come_from_the_record() -> None:
    found = planned()
    assert found.given["base"]["OsRelease"] == "2023.12.20260710"
    assert json.loads(found.templates["base"]) == json.loads(example().text("files/template-base.json"))
    assert len(found.templates["base"]) < 51_200, "CloudFormation takes no more"
    assert found.document == example().text("files/document-gbg-bake.txt")
    assert found.source.id == example().manifest.summary["commit"]
    assert found.former is not None
    assert found.former.id == example(SUCCEEDED).manifest.summary["commit"]
    assert found.source.files["scripts/validate.sh"].mode & stat.S_IXUSR
    assert found.status == "Failed"
    assert not found.again


def test_commits_keep_their_people_and_times() -> None:
    [commit] = source_of(example()).commits
    assert commit.message == "Ask the page for its price\n"
    committed = round(datetime.fromisoformat(example().manifest.summary["committed"]).timestamp())
    assert commit.author == ("golden-blue-green", "gbg@localhost", f"{committed} +0000")


def test_where_nobody_knows_what_served_before_the_sample_application_stands_in(tmp_path: Path) -> None:
    def unknown(line: dict[str, Any]) -> None:
        if line.get("file") == FORMER_SOURCE:
            line.clear()

    found = plan(rewritten(example(), tmp_path, unknown, **{"source-former": None}), None, OFFER)
    assert found.former is not None
    assert "appspec.yml" in found.former.files
    assert "what served before" in {one.what for one in found.unlike}


def test_a_record_by_its_path_finds_the_former_one_beside_it() -> None:
    found = former_of(read(Parameters(record=str(EXAMPLES / FAILED))))
    assert found is not None
    assert found.name == example(SUCCEEDED).name


def test_the_document_is_fitted_to_the_names_that_things_have_here() -> None:
    recorded = document_of(example())
    there = recorded.replace(bake_role(), "gbg-base-BakeRole-AAAAAAAAAAAA").replace("us-east-1", REGION)
    likeness = Likeness(names={REGION: "<region>", "us-east-1": "<region>"})
    assert fitted(recorded, there, likeness) == "", "it says the same"
    by_hand = recorded.replace("dnf upgrade -y", "dnf upgrade --best -y")
    assert by_hand != recorded
    made = fitted(by_hand, there, likeness)
    assert "dnf upgrade --best -y" in made
    assert "BakeRole-AAAAAAAAAAAA" in made
    assert bake_role() not in made


def test_a_record_of_aws_names_what_differs_by_nature_and_is_compared_without_it(tmp_path: Path) -> None:
    aws = open_archive(as_on_aws(example(), tmp_path))
    found = planned(aws)
    told = {one.what: one.recorded for one in found.unlike}
    assert told["account"] == ACCOUNT
    assert told["Region"] == REGION
    assert "what AWS's tools print" in told
    assert not found.likeness.tools
    compared = compare(aws, example(), found.likeness)
    assert compared.divergences == ()
    assert compared.same_ending
    assert compared.endings[0] is not None
    assert dict(compared.endings[0].results)["log"] == "[stderr]the page tells no price in EUR"
    assert not compare(aws, example(), Likeness()).same, "the two are not alike word by word"


def test_what_someone_did_by_hand_and_faults_of_the_account_are_named(tmp_path: Path) -> None:
    def meddled(line: dict[str, Any]) -> None:
        if line["kind"] == "api.call" and line["data"]["EventName"] == "CreateDeployment":
            line["data"] |= {"EventName": "StopDeployment", "Username": "anna"}
            line["data"]["event"]["userIdentity"] = {"arn": "arn:aws:iam::123456789012:user/anna"}
        if line["id"] == "parameter:/gbg/source-ami":
            line["data"] |= {"Name": "/gbg/fault", "Value": '{"name": "build-role-may-not-store"}'}

    found = planned(rewritten(example(), tmp_path, meddled))
    told = {one.what: one for one in found.unlike}
    assert told["an act of someone"].recorded == "StopDeployment by anna"
    assert told["a planted fault"].recorded == "build-role-may-not-store"
    assert {one.what for one in planned().unlike} & set(told) == {
        "people",
        "ids, times, addresses",
    }


def test_what_services_did_under_their_roles_is_no_act_of_someone(tmp_path: Path) -> None:
    """On AWS, Auto Scaling terminates machines under a role of its own."""

    def scaled(line: dict[str, Any]) -> None:
        if line["kind"] == "api.call" and line["data"]["EventName"] == "TerminateInstances":
            role = f"arn:aws:sts::{ACCOUNT}:assumed-role/AWSServiceRoleForAutoScaling/AutoScaling"
            line["data"]["event"]["userIdentity"] = {"arn": role, "type": "AssumedRole"}

    found = planned(rewritten(example(), tmp_path, scaled))
    assert "an act of someone" not in {one.what for one in found.unlike}


def test_an_amazon_linux_release_that_the_sandbox_lacks_is_replaced_by_the_one_before() -> None:
    found = plan(example(), None, replace(OFFER, os_releases=OFFER.os_releases[:2]))
    assert found.given["base"]["OsRelease"] == "2023.12.20260608"
    assert "Amazon Linux release" in {one.what for one in found.unlike}
    assert not found.likeness.tools
    assert found.likeness.text("on 2023.12.20260608") == found.likeness.text("on 2023.12.20260710")


@pytest.mark.parametrize("name", ["does-not-compile", "hook-fails-everywhere", "health-check-never-passes"])
def test_kept_failures_hold_all_that_a_rehearsal_needs(name: str) -> None:
    found = plan(open_archive(KEPT / f"{name}.zip"), None, OFFER)
    assert found.former is not None
    assert found.former.files.keys() == found.source.files.keys()
    differ = [one for one in found.source.files if found.source.files[one] != found.former.files[one]]
    assert len(differ) == 1
    by_nature = {"people", "ids, times, addresses"}
    assert {one.what for one in found.unlike} - by_nature <= {"files of commits in between"}


@pytest.mark.parametrize(("file", "what"), [("source", "source"), ("template-base", "template-base")])
def test_a_record_that_lacks_what_is_needed_is_refused(file: str, what: str, tmp_path: Path) -> None:
    def forget(line: dict[str, Any]) -> None:
        if line["kind"] == file:
            line.clear()

    with pytest.raises(RecordError, match=what):
        planned(rewritten(example(), tmp_path, forget, **{file: None}))


def test_an_altered_record_is_refused_before_anything_is_started() -> None:
    content = example().read("evidence.jsonl").replace(b"no price", b"a price")
    with pytest.raises(RecordError, match="not what was recorded"):
        planned(Archive(Altered(example(), content)))


def test_a_way_back_is_no_release(tmp_path: Path) -> None:
    def back(line: dict[str, Any]) -> None:
        if line["kind"] == "execution":
            line["data"]["executionType"] = "ROLLBACK"

    with pytest.raises(MisuseError, match="way back"):
        planned(rewritten(example(), tmp_path, back))


@pytest.mark.parametrize(
    ("name", "mode"),
    [("../outside", 0o100644), ("/etc/passwd", 0o100644), (".git/config", 0o100644), ("link", 0o120777)],
)
def test_a_hostile_source_archive_is_refused(name: str, mode: int) -> None:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as file:
        info = zipfile.ZipInfo(name)
        info.external_attr = mode << 16
        file.writestr(info, "x")
    with pytest.raises(RecordError):
        unpacked(target.getvalue(), "source.zip")


def test_a_cut_off_source_archive_is_refused() -> None:
    with pytest.raises(RecordError, match="can't be unpacked"):
        unpacked(example().read("files/source.zip")[:-100], "source.zip")


def test_a_strangers_functions_are_not_run_unasked(tmp_path: Path) -> None:
    """They would see the files of this machine; builds and hooks don't."""
    ours = {part: blueprint.template(number) for part, number in (("base", 1), ("pipeline", 3))}
    theirs = {**ours, "pipeline": ours["pipeline"].replace("import boto3", "import os, boto3", 1)}
    assert theirs != ours
    stranger = tmp_path / "elsewhere" / "record.zip"
    require_trusted(replace(planned(), templates=ours), stranger, tmp_path / "records")
    foreign = replace(planned(), templates=theirs)
    with pytest.raises(MisuseError, match="comes from elsewhere"):
        require_trusted(foreign, stranger, tmp_path / "records")
    require_trusted(foreign, tmp_path / "records" / "gbg" / "record", tmp_path / "records")


def what_if(word: str) -> Plan:
    return changed(planned(), word, library(read(Parameters())), OFFER)


def differing(found: Plan) -> set[str]:
    """Which inputs of the plan are others than recorded."""
    plain = planned()
    inputs = ("templates", "given", "document", "source", "former", "fault")
    return {name for name in inputs if getattr(found, name) != getattr(plain, name)}


@pytest.mark.parametrize(
    ("word", "input_"),
    [
        (f"app={GOOD[:8]}", "source"),
        ("os_release=2023.12.20260608", "given"),
        ("instance_count=3", "given"),
        ("DeploymentConfig=CodeDeployDefault.AllAtOnce", "given"),
        ("fault=deployment-stopped", "fault"),
    ],
)
def test_a_what_if_changes_exactly_one_input(word: str, input_: str) -> None:
    found = what_if(word)
    assert differing(found) == {input_}
    assert found.changed


def test_another_number_of_machines_is_another_size_of_the_fleet() -> None:
    given = what_if("instance_count=3").given["base"]
    assert (given["FleetSize"], given["FleetMinSize"], given["FleetMaxSize"]) == ("3", "3", "6")


def test_the_image_of_another_record_brings_its_release_and_document(tmp_path: Path) -> None:
    manifest = example(SUCCEEDED).manifest
    stacks = {**manifest.external["stacks"]}
    stacks["base"] = {**stacks["base"], "OsRelease": "2023.12.20260608"}
    older = replace(manifest, external={**manifest.external, "stacks": stacks}, files={}, former=None)
    kept = {name: example(SUCCEEDED).read(name) for name in example(SUCCEEDED).names if name[:6] == "files/"}
    path = Store(tmp_path, "gbg").write(older, list(example(SUCCEEDED).evidence), kept)
    found = what_if(f"image={path}")
    assert differing(found) <= {"given", "document"}
    assert found.given["base"]["OsRelease"] == "2023.12.20260608"


@pytest.mark.parametrize(
    ("word", "nearest"),
    [
        (f"app={nearly(BAD[:8])}", f"did you mean {BAD[:8]}"),
        ("app=zzzz", "did you mean "),
        (f"image={nearly(GOOD_NAME[:25])}", f"did you mean {GOOD_NAME[:25]}"),
        ("instance_cout=3", "did you mean instance_count"),
        ("FleetSiz=3", "did you mean FleetSize"),
        ("sweep=true", "did you mean "),
        ("fault=does-not-compil", "did you mean does-not-compile"),
        ("os_release=2023.12.20260711", "did you mean 2023.12.20260710"),
        ("instance_count=many", "from 1 to 50"),
        ("instance_count=2", "nothing would be changed"),
        (f"app={BAD[:8]}", "nothing would be changed"),
        (f"image={GOOD_NAME[:16]}", "nothing would be changed"),
        ("Deployment=other", "did you mean "),
        ("nonsense", "changes nothing"),
        ("app=", "changes nothing"),
    ],
)
def test_what_is_not_known_is_refused_with_the_nearest_name(word: str, nearest: str) -> None:
    with pytest.raises((MisuseError, ParameterError)) as told:
        what_if(word)
    assert nearest in str(told.value)
    assert told.value.exit_status == MISUSE
    assert isinstance(told.value, GbgError)
