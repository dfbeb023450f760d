"""buildspec.yml: what is read, and what CodeBuild says of each mistake."""

from __future__ import annotations

import pytest

from gbg_sandbox.services.codebuild.buildspec import ArtifactSpec, BuildspecError, PhaseSpec, read
from gbg_sandbox.services.codebuild.images import check_runtimes

WHOLE = """\
version: 0.2
env:
  shell: bash
  variables:
    COLOUR: blue
    NUMBER: 017
  parameter-store:
    AMI: /gbg/golden-ami
  exported-variables:
    - COLOUR
phases:
  install:
    runtime-versions:
      java: corretto17
  build:
    on-failure: ABORT
    commands:
      - mvn -B package
      - |
        if true; then
          echo yes
        fi
    finally:
      - echo done
artifacts:
  files:
    - target/*.war
    - appspec.yml
  base-directory: .
  discard-paths: yes
  secondary-artifacts:
    docs:
      files: ['**/*']
      base-directory: site
cache:
  paths:
    - '/root/.m2/**/*'
reports:
  unit:
    files: ['**/*']
"""

MINIMAL = "version: 0.2\nphases:\n  build:\n    commands:\n      - echo\n"


def test_everything_is_read() -> None:
    spec = read(WHOLE)
    assert spec.shell == "bash"
    assert spec.variables == {"COLOUR": "blue", "NUMBER": "017"}
    assert spec.parameters == {"AMI": "/gbg/golden-ami"}
    assert spec.exported == ("COLOUR",)
    assert spec.runtimes == {"java": "corretto17"}
    assert spec.phases["BUILD"] == PhaseSpec(
        ("mvn -B package", "if true; then\n  echo yes\nfi\n"), ("echo done",), "ABORT"
    )
    assert spec.artifacts == (
        ArtifactSpec(("target/*.war", "appspec.yml"), discard_paths=True),
        ArtifactSpec(("**/*",), identifier="docs", base_directory="site"),
    )
    assert spec.cache_paths == ("/root/.m2/**/*",)
    assert spec.reports == ("unit",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (MINIMAL.replace("0.2", "0.9"), "Invalid buildspec version: 0.9. Expecting: 0.2"),
        (MINIMAL.replace("0.2", "0.1"), "gbg_sandbox runs version 0.2"),
        (MINIMAL.replace("version: 0.2\n", ""), "Invalid buildspec version: none given"),
        (
            MINIMAL.replace("build:", "buidl:"),
            "Invalid buildspec phase name: buidl. Expecting: [BUILD INSTALL",
        ),
        (MINIMAL.replace("      - echo\n", ""), "At least one phase with commands"),
        (
            MINIMAL.replace("- echo", "- echo: this"),
            "Expected Commands[0] to be of string type: found subkeys instead",
        ),
        (MINIMAL.replace("- echo", "- echo: this"), "at line 5"),
        (
            MINIMAL.replace("commands", "comands"),
            "Unknown key 'comands' in phases/build; did you mean 'commands'?",
        ),
        (
            MINIMAL + "artefacts:\n  files: [a]\n",
            "Unknown key 'artefacts' in buildspec; did you mean 'artifacts'?",
        ),
        (MINIMAL + "artifacts:\n  name: x\n", "artifacts need files"),
        (MINIMAL + "artifacts:\n  files: [a]\n  discard-paths: maybe\n", "to be yes or no, found 'maybe'"),
        (MINIMAL + "env:\n  secrets-manager:\n    A: b\n", "does not run env/secrets-manager"),
        (MINIMAL + "env:\n  variables:\n    a-b: c\n", "'a-b' in variables is not a name"),
        (MINIMAL + "\tkey: value\n", "found character '\\t' that cannot start any token at line 6"),
        ("version: 0.2\nphases: [1]\n", "Expected phases to be a mapping of keys, found a list"),
        (
            MINIMAL.replace("    commands", "    on-failure: RETRY-3\n    commands"),
            "gbg_sandbox does not run it",
        ),
    ],
)
def test_mistakes_are_told(text: str, message: str) -> None:
    with pytest.raises(BuildspecError) as error:
        read(text)
    assert message in str(error.value)


def test_runtime_that_the_image_lacks_is_refused() -> None:
    check_runtimes({"java": "corretto17"})
    with pytest.raises(BuildspecError, match="Unknown runtime version named 'corretto99' of java"):
        check_runtimes({"java": "corretto99"})
    with pytest.raises(BuildspecError, match="Unknown runtime named 'cobol'"):
        check_runtimes({"cobol": "85"})
