"""The bake's document runs as it was recorded, also where someone had changed it beside the template."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from gbg_lib.rehearsal.plan import Plan
from gbg_lib.rehearsal.rehearse import Rehearsal
from tests.unit.aws_fakes import connected
from tests.unit.test_rehearsal_comparison import bake_role
from tests.unit.test_rehearsal_plan import planned

HERE = "gbg-base-BakeRole-AAAAAAAAAAAA"
RECORDED = bake_role()


class Stacks:
    def describe_stacks(self, **given: Any) -> dict[str, Any]:
        outputs = [{"OutputKey": "BakeDocumentName", "OutputValue": "gbg-bake"}]
        return {"Stacks": [{"StackName": given["StackName"], "Outputs": outputs}]}


class Documents:
    """One document with its versions; the first is what the stack made."""

    def __init__(self, content: str) -> None:
        self.versions = [content]
        self.default = "1"

    def get_document(self, **given: Any) -> dict[str, Any]:
        return {"Content": self.versions[int(self.default) - 1], "DocumentFormat": "JSON"}

    def update_document(self, **given: Any) -> dict[str, Any]:
        self.versions.append(given["Content"])
        return {"DocumentDescription": {"DocumentVersion": str(len(self.versions))}}

    def update_document_default_version(self, **given: Any) -> dict[str, Any]:
        self.default = given["DocumentVersion"]
        return {}


def brought(plan: Plan, documents: Documents, folder: Path) -> list[str]:
    """Of a release that brings the commit that served already, so that there is nothing to push."""
    aws = connected({}, cloudformation=Stacks(), ssm=documents)
    return list(Rehearsal(replace(plan, former=plan.source), aws, folder).bring())


def test_a_document_as_the_template_makes_it_stays(tmp_path: Path) -> None:
    documents = Documents(planned().document.replace(RECORDED, HERE))
    assert brought(planned(), documents, tmp_path) == []
    assert len(documents.versions) == 1


def test_one_that_was_changed_by_hand_is_put_in_with_the_names_of_here(tmp_path: Path) -> None:
    documents = Documents(planned().document.replace(RECORDED, HERE))
    changed = planned().document.replace("dnf upgrade -y", "exit 7; dnf upgrade -y")
    told = brought(replace(planned(), document=changed), documents, tmp_path)
    assert told == ["the bake's document in the version that ran"]
    assert documents.default == "2"
    assert "exit 7; dnf upgrade -y" in documents.versions[1]
    assert HERE in documents.versions[1]
    assert RECORDED not in documents.versions[1]


def test_a_record_without_a_document_leaves_the_stacks_own(tmp_path: Path) -> None:
    documents = Documents(planned().document)
    assert brought(replace(planned(), document=""), documents, tmp_path) == []
