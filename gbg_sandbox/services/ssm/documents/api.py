"""Operations on documents."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from gbg_sandbox.service import AwsError, Call, Service, runs, stored
from gbg_sandbox.services.ssm.documents.command import RUN_SHELL_SCRIPT
from gbg_sandbox.services.ssm.documents.content import in_format
from gbg_sandbox.services.ssm.documents.state import (
    AMAZON,
    Document,
    Documents,
    DocumentVersion,
    read_content,
)
from gbg_sandbox.services.ssm.paging import page
from gbg_sandbox.services.ssm.refusing import refuse_inputs
from gbg_sandbox.services.ssm.tags import as_list, as_map

if TYPE_CHECKING:
    from gbg_sandbox.cloud import Cloud

RESERVED = re.compile(r"(aws-|amazon|amzn)", re.IGNORECASE)
TYPES = ("Command", "Automation")


class DocumentOperations(Service):
    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self.documents = Documents()
        self.documents.add(_amazon_document(cloud, "AWS-RunShellScript", "Command", RUN_SHELL_SCRIPT))

    @runs
    def create_document(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        refuse_inputs(params, "Requires", "Attachments")
        name, kind = params["Name"], params.get("DocumentType", "Command")
        if RESERVED.match(name):
            raise AwsError("ValidationException", f"The document name {name} begins with a reserved prefix")
        _check_type(kind)
        document = Document(
            name=name,
            type=kind,
            owner=self.cloud.account,
            versions={1: self._version(1, params, kind)},
            display_name=params.get("DisplayName", ""),
            target_type=params.get("TargetType", ""),
            tags=as_map(params.get("Tags", [])),
        )
        self.documents.add(document)
        return {"DocumentDescription": {**_description(document, document.version()), "Status": "Creating"}}

    @runs
    def update_document(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        refuse_inputs(params, "Attachments")
        document = self._own(params["Name"])
        latest = document.version("$LATEST")
        if params.get("DocumentVersion", "") not in ("$LATEST", str(latest.number)):
            raise AwsError(
                "InvalidDocumentVersion", "The document version is not valid: only $LATEST can be updated"
            )
        version = self._version(latest.number + 1, params, document.type)
        if version.hash == latest.hash:
            raise AwsError(
                "DuplicateDocumentContent",
                "The content of the association document matches another document.",
            )
        with self.documents.lock:
            document.versions[version.number] = version
        return {"DocumentDescription": {**_description(document, version), "Status": "Updating"}}

    @runs
    def update_document_default_version(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        document = self._own(params["Name"])
        version = document.version(params["DocumentVersion"])
        with self.documents.lock:
            document.default = version.number
        return {
            "Description": {
                "Name": document.name,
                "DefaultVersion": str(version.number),
                "DefaultVersionName": version.name,
            }
        }

    @runs
    def get_document(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        document = self.documents.get(params["Name"])
        version = _chosen(document, params)
        wanted = params.get("DocumentFormat", "JSON")
        return {
            "Name": document.name,
            "CreatedDate": version.created,
            "DisplayName": document.display_name,
            "VersionName": version.name,
            "DocumentVersion": str(version.number),
            "Status": "Active",
            "Content": in_format(version.content, version.format, wanted),
            "DocumentType": document.type,
            "DocumentFormat": wanted,
        }

    @runs
    def describe_document(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        document = self.documents.get(params["Name"])
        return {"Document": _description(document, _chosen(document, params))}

    @runs
    def list_documents(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        refuse_inputs(params, "DocumentFilterList")
        found = self.documents.all()
        for one in params.get("Filters", []):
            found = [document for document in found if _matches(document, one["Key"], one.get("Values", []))]
        items = [_identifier(document) for document in found]
        return page("DocumentIdentifiers", items, params)

    @runs
    def list_document_versions(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        document = self.documents.get(params["Name"])
        items = [
            {
                "Name": document.name,
                "DocumentVersion": str(version.number),
                "VersionName": version.name,
                "CreatedDate": version.created,
                "IsDefaultVersion": version.number == document.default,
                "DocumentFormat": version.format,
                "Status": "Active",
            }
            for version in sorted(document.versions.values(), key=lambda one: -one.number)
        ]
        return page("DocumentVersions", items, params)

    @runs
    def delete_document(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        refuse_inputs(params, "VersionName")
        document = self._own(params["Name"])
        wanted = params.get("DocumentVersion", "")
        if not wanted:
            self.documents.remove(document.name)
            return {}
        number = document.version(wanted).number
        if number == document.default:
            raise AwsError("InvalidDocumentOperation", "Default version of the document can't be deleted.")
        with self.documents.lock:
            del document.versions[number]
        return {}

    @stored
    def describe_document_permission(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        """Nothing is ever shared: there is one account."""
        self.documents.get(params["Name"])
        return {"AccountIds": [], "AccountSharingInfoList": []}

    def _own(self, name: str) -> Document:
        document = self.documents.get(name)
        if document.owner == AMAZON:
            raise AwsError("InvalidDocumentOperation", f"{document.name} belongs to Amazon")
        return document

    def _version(self, number: int, params: dict[str, Any], kind: str) -> DocumentVersion:
        kept = params.get("DocumentFormat", "JSON")
        read = read_content(params["Content"], kept, kind)
        name = params.get("VersionName", "")
        return DocumentVersion(number, params["Content"], kept, name, self.cloud.clock.now(), read)


def _amazon_document(cloud: Cloud, name: str, kind: str, content: str) -> Document:
    read = read_content(content, "JSON", kind)
    return Document(name, kind, AMAZON, {1: DocumentVersion(1, content, "JSON", "", cloud.clock.now(), read)})


def _check_type(kind: str) -> None:
    if kind not in TYPES:
        raise AwsError(
            "InvalidDocumentType", f"gbg_sandbox keeps {' and '.join(TYPES)} documents, not {kind} documents"
        )


def _chosen(document: Document, params: dict[str, Any]) -> DocumentVersion:
    named = params.get("VersionName")
    if not named:
        return document.version(params.get("DocumentVersion", ""))
    for version in document.versions.values():
        if version.name == named:
            return version
    raise AwsError("InvalidDocumentVersion", f"There is no version named {named}")


def _identifier(document: Document) -> dict[str, Any]:
    version = document.version()
    return {
        "Name": document.name,
        "CreatedDate": version.created,
        "DisplayName": document.display_name or None,
        "Owner": document.owner,
        "VersionName": version.name or None,
        "PlatformTypes": ["Linux", "MacOS"] if document.type == "Command" else ["Windows", "Linux", "MacOS"],
        "DocumentVersion": str(version.number),
        "DocumentType": document.type,
        "SchemaVersion": version.schema_version,
        "DocumentFormat": version.format,
        "TargetType": document.target_type or None,
        "Tags": as_list(document.tags),
    }


def _description(document: Document, version: DocumentVersion) -> dict[str, Any]:
    return {
        **_identifier(document),
        "CreatedDate": version.created,
        "VersionName": version.name or None,
        "DocumentVersion": str(version.number),
        "DocumentFormat": version.format,
        "SchemaVersion": version.schema_version,
        "Hash": version.hash,
        "HashType": "Sha256",
        "Description": version.read.description,
        "Status": "Active",
        "LatestVersion": str(document.latest),
        "DefaultVersion": str(document.default),
        "Parameters": [
            {
                "Name": parameter.name,
                "Type": "StringList" if isinstance(parameter.default, list) else parameter.type,
                "Description": parameter.description,
                "DefaultValue": None if parameter.default is None else str(parameter.default),
            }
            for parameter in version.parameters.values()
        ],
    }


def _matches(document: Document, key: str, values: list[str]) -> bool:
    if key.startswith("tag:"):
        return document.tags.get(key.removeprefix("tag:")) in values
    if key == "Name":
        return any(document.name.startswith(value) for value in values)
    if key == "DocumentType":
        return document.type in values
    if key == "Owner":
        owner = {"Amazon": AMAZON, "Self": document.owner if document.owner != AMAZON else ""}
        return any(document.owner == owner.get(value, value) or value == "All" for value in values)
    raise AwsError("InvalidFilterKey", f"gbg_sandbox does not filter documents by {key}")
