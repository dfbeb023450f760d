"""A document's content: JSON or YAML, and the form in which someone wants to read it."""

from __future__ import annotations

import json
from typing import Any

import yaml

from gbg_sandbox.service import AwsError


class _Loader(yaml.SafeLoader):
    """YAML without dates: `2026-01-01` stays the text that it is for Systems Manager."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def parse(content: str, document_format: str) -> Any:
    """Raises AwsError InvalidDocumentContent."""
    try:
        if document_format == "JSON":
            return json.loads(content)
        if document_format == "YAML":
            return yaml.load(content, _Loader)
    except (ValueError, yaml.YAMLError) as error:
        raise AwsError("InvalidDocumentContent", f"{document_format} not well-formed: {error}") from error
    raise AwsError(
        "InvalidDocumentContent", f"gbg_sandbox reads JSON and YAML documents, not {document_format}"
    )


def in_format(content: str, kept: str, wanted: str) -> str:
    """The content as kept, or converted."""
    if kept == wanted:
        return content
    parsed = parse(content, kept)
    if wanted == "JSON":
        return json.dumps(parsed, indent=2)
    if wanted == "YAML":
        return yaml.safe_dump(parsed, sort_keys=False)
    raise AwsError("ValidationException", f"gbg_sandbox does not convert a document to {wanted}")
