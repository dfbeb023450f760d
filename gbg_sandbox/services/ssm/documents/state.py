"""Documents and their versions, checked when they come in."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from gbg_sandbox.service import AwsError
from gbg_sandbox.services.ssm.automation.checks import check_document
from gbg_sandbox.services.ssm.automation.document import (
    AutomationDocument,
    InvalidDocument,
    Parameter,
    read_document,
)
from gbg_sandbox.services.ssm.documents.command import CommandDocument, read_command_document
from gbg_sandbox.services.ssm.documents.content import parse

AMAZON = "Amazon"


@dataclass(frozen=True)
class DocumentVersion:
    number: int
    content: str
    format: str
    name: str
    created: datetime
    read: AutomationDocument | CommandDocument

    @property
    def hash(self) -> str:
        return hashlib.sha256(self.content.encode()).hexdigest()

    @property
    def parameters(self) -> Mapping[str, Parameter]:
        return self.read.parameters

    @property
    def schema_version(self) -> str:
        return self.read.schema_version if isinstance(self.read, CommandDocument) else "0.3"


@dataclass
class Document:
    name: str
    type: str
    owner: str
    versions: dict[int, DocumentVersion]
    default: int = 1
    display_name: str = ""
    target_type: str = ""
    tags: dict[str, str] = field(default_factory=dict)

    @property
    def latest(self) -> int:
        return max(self.versions)

    def version(self, wanted: str = "") -> DocumentVersion:
        """By number, $LATEST, $DEFAULT or nothing (the default). Raises AwsError InvalidDocumentVersion."""
        number = {"": self.default, "$DEFAULT": self.default, "$LATEST": self.latest}.get(wanted)
        if number is None and wanted.isdigit():
            number = int(wanted)
        if number not in self.versions:
            raise AwsError(
                "InvalidDocumentVersion", f"Document version {wanted} is not valid or does not exist"
            )
        return self.versions[number]


def read_content(
    content: str, document_format: str, document_type: str
) -> AutomationDocument | CommandDocument:
    """Raises AwsError InvalidDocumentContent with the place."""
    parsed: Any = parse(content, document_format)
    try:
        if document_type == "Automation":
            automation = read_document(parsed)
            check_document(automation)
            return automation
        return read_command_document(parsed)
    except InvalidDocument as error:
        raise AwsError("InvalidDocumentContent", str(error)) from error


class Documents:
    def __init__(self) -> None:
        self.lock = threading.RLock()
        self._documents: dict[str, Document] = {}

    def add(self, document: Document) -> None:
        with self.lock:
            if document.name in self._documents:
                raise AwsError(
                    "DocumentAlreadyExists", f"Document with same name {document.name} already exists"
                )
            self._documents[document.name] = document

    def get(self, name: str) -> Document:
        """By name or ARN. Raises AwsError InvalidDocument."""
        key = name.rpartition("document/")[2] if name.startswith("arn:") else name
        with self.lock:
            found = self._documents.get(key)
        if found is not None:
            return found
        if key.startswith("AWS-"):
            known = ", ".join(one.name for one in self.all() if one.owner == AMAZON)
            raise AwsError("InvalidDocument", f"gbg_sandbox does not have {key}; of AWS's own it has {known}")
        raise AwsError("InvalidDocument", f"Document with name {key} does not exist.")

    def remove(self, name: str) -> None:
        with self.lock:
            self._documents.pop(name, None)

    def all(self) -> list[Document]:
        with self.lock:
            return sorted(self._documents.values(), key=lambda document: document.name)
