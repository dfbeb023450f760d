"""Documents: versions, formats, and refusal of what could not run."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from botocore.exceptions import ClientError

from gbg_sandbox.cloud import Cloud


def content(seconds: int = 1) -> str:
    step = {"name": "rest", "action": "aws:sleep", "inputs": {"Duration": f"PT{seconds}S"}}
    return json.dumps({"schemaVersion": "0.3", "description": "rests", "mainSteps": [step]})


@pytest.fixture
def ssm(cloud: Cloud) -> Any:
    return cloud.client("ssm")


def test_versions_and_the_default_one(ssm: Any) -> None:
    ssm.create_document(Name="rest", DocumentType="Automation", Content=content())
    made = ssm.update_document(Name="rest", Content=content(2), DocumentVersion="$LATEST")
    assert made["DocumentDescription"]["DocumentVersion"] == "2"
    assert "PT1S" in ssm.get_document(Name="rest")["Content"]
    assert "PT2S" in ssm.get_document(Name="rest", DocumentVersion="$LATEST")["Content"]
    ssm.update_document_default_version(Name="rest", DocumentVersion="2")
    told = ssm.describe_document(Name="rest")["Document"]
    assert (told["DefaultVersion"], told["LatestVersion"], told["Status"]) == ("2", "2", "Active")
    versions = ssm.list_document_versions(Name="rest")["DocumentVersions"]
    assert [(one["DocumentVersion"], one["IsDefaultVersion"]) for one in versions] == [
        ("2", True),
        ("1", False),
    ]
    with pytest.raises(ClientError, match="InvalidDocumentOperation"):
        ssm.delete_document(Name="rest", DocumentVersion="2")
    ssm.delete_document(Name="rest")
    with pytest.raises(ClientError, match="InvalidDocument"):
        ssm.describe_document(Name="rest")


def test_the_same_content_is_no_new_version(ssm: Any) -> None:
    ssm.create_document(Name="rest", DocumentType="Automation", Content=content())
    with pytest.raises(ClientError, match="DuplicateDocumentContent"):
        ssm.update_document(Name="rest", Content=content(), DocumentVersion="$LATEST")
    with pytest.raises(ClientError, match="DocumentAlreadyExists"):
        ssm.create_document(Name="rest", DocumentType="Automation", Content=content())


def test_yaml_is_kept_and_read_as_json_too(ssm: Any) -> None:
    text = yaml.safe_dump(json.loads(content()))
    ssm.create_document(Name="rest", DocumentType="Automation", DocumentFormat="YAML", Content=text)
    assert json.loads(ssm.get_document(Name="rest")["Content"]) == json.loads(content())
    assert ssm.get_document(Name="rest", DocumentFormat="YAML")["Content"] == text


def test_a_broken_document_is_refused_with_the_place(ssm: Any) -> None:
    broken = content().replace("aws:sleep", "aws:slep")
    with pytest.raises(ClientError, match=r"InvalidDocumentContent.*step rest: unknown action aws:slep"):
        ssm.create_document(Name="rest", DocumentType="Automation", Content=broken)
    with pytest.raises(ClientError, match=r"InvalidDocumentContent.*JSON not well-formed"):
        ssm.create_document(Name="rest", DocumentType="Automation", Content="{")
    ssm.create_document(Name="rest", DocumentType="Automation", Content=content())
    with pytest.raises(ClientError, match="InvalidDocumentContent"):
        ssm.update_document(Name="rest", Content=broken, DocumentVersion="$LATEST")
    assert ssm.describe_document(Name="rest")["Document"]["LatestVersion"] == "1"


def test_of_amazons_documents_one_is_there_and_others_are_refused_by_name(ssm: Any) -> None:
    assert ssm.describe_document(Name="AWS-RunShellScript")["Document"]["Owner"] == "Amazon"
    with pytest.raises(ClientError, match="gbg_sandbox does not have AWS-ConfigureAWSPackage"):
        ssm.describe_document(Name="AWS-ConfigureAWSPackage")
    with pytest.raises(ClientError, match="reserved prefix"):
        ssm.create_document(Name="AWS-Mine", DocumentType="Automation", Content=content())


def test_documents_are_listed_by_owner_and_carry_tags(ssm: Any) -> None:
    tags = [{"Key": "gbg:deployment", "Value": "gbg"}]
    ssm.create_document(Name="rest", DocumentType="Automation", Content=content(), Tags=tags)
    own = ssm.list_documents(Filters=[{"Key": "Owner", "Values": ["Self"]}])["DocumentIdentifiers"]
    assert [one["Name"] for one in own] == ["rest"]
    ssm.add_tags_to_resource(ResourceType="Document", ResourceId="rest", Tags=[{"Key": "a", "Value": "b"}])
    assert len(ssm.list_tags_for_resource(ResourceType="Document", ResourceId="rest")["TagList"]) == 2
