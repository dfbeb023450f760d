"""Every term of AWS that a runbook uses is explained one click away, at its first use."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
RUNBOOKS = sorted((ROOT / "runbooks").glob("[0-9]*.ipynb"))
GLOSSARY = (ROOT / "docs" / "glossary.md").read_text()
TERMS = {
    "golden-ami": "[Gg]olden AMIs?",
    "load-balancer": "[Ll]oad balancer",
    "target-group": "[Tt]arget (?:group|health)",
    "auto-scaling-group": "Auto Scaling groups?",
    "launch-template": "[Ll]aunch templates?",
    "lifecycle-event": "[Ll]ifecycle events?",
    "change-set": "[Cc]hange sets?",
    "stack": "CloudFormation",
    "codebuild": "CodeBuild",
    "codecommit": "CodeCommit",
    "codedeploy": "CodeDeploy",
    "codepipeline": "CodePipeline",
    "iam-role": "IAM roles?",
    "lambda-function": "Lambda(?: functions?)?",
    "ssm-automation": "SSM Automation",
    "vpc": "VPC",
    "alarm": "[Aa]larms?",
    "availability-zone": "zones",
    "bucket": "[Bb]uckets?",
    "instance": "[Ii]nstances?",
    "snapshot": "[Ss]napshots?",
}
"""entry → how runbooks write it"""
ELSEWHERE = re.compile(r"^#[^\n]*$|```.*?```|`[^`]*`|\]\([^)]*\)", re.MULTILINE | re.DOTALL)
"""headings, code and addresses: no place for a link"""


def markdown(notebook: Any) -> str:
    return "\n\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")


def first(pattern: str, text: str) -> re.Match[str] | None:
    """The first use in prose; what is no prose is blanked, so that places stay."""
    prose = ELSEWHERE.sub(lambda found: "\x00" * len(found.group()), text)
    return re.search(rf"(?<![\w-]){pattern}(?![\w-])", prose)


def entries() -> Iterator[str]:
    yield from re.findall(r'^- <a id="([a-z-]+)"></a>\*\*', GLOSSARY, re.MULTILINE)


@pytest.mark.parametrize("path", RUNBOOKS, ids=lambda path: path.stem)
def test_a_term_of_aws_is_a_link_where_it_is_first_used(path: Path) -> None:
    text = markdown(nbformat.read(path, as_version=4))
    for anchor, pattern in TERMS.items():
        found = first(pattern, text)
        if found is not None:
            link = f"](../docs/glossary.md#{anchor})"
            assert text[found.end() :].startswith(link), (
                f"{found.group()!r}: …{text[found.start() - 30 : found.end() + 30]}…"
            )


def test_every_link_to_the_glossary_leads_to_an_entry() -> None:
    known = set(entries())
    for path in RUNBOOKS:
        links = re.findall(r"glossary\.md#([\w-]+)", markdown(nbformat.read(path, as_version=4)))
        assert set(links) <= known, path.stem


def test_every_entry_has_an_anchor_of_its_own() -> None:
    lines = [line for line in GLOSSARY.splitlines() if line.startswith("- ")]
    found = list(entries())
    assert len(found) == len(lines) and len(set(found)) == len(found)
    assert set(TERMS) <= set(found)
