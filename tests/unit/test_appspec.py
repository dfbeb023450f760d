"""What an AppSpec file may say, and how each mistake is told."""

from __future__ import annotations

import pytest

from gbg_sandbox.services.codedeploy.agent.codedeploy_agent.appspec import (
    SCRIPTED,
    AppSpecError,
    Permission,
    parse,
)

HEAD = "version: 0.0\nos: linux\n"
WHOLE = (
    HEAD
    + """
file_exists_behavior: overwrite
files:
  - source: ROOT.war
    destination: /var/lib/tomcat10/webapps
permissions:
  - {object: /var/lib/tomcat10/webapps, pattern: ROOT.war, group: tomcat, mode: "0640", type: [file]}
hooks:
  BeforeInstall:
    - {location: scripts/prepare.sh, timeout: 60, runas: root}
  ValidateService:
    - location: scripts/validate.sh
"""
)


def test_a_whole_file_is_read() -> None:
    spec = parse(WHOLE)
    assert spec.file_exists == "OVERWRITE"
    assert (spec.files[0].source, spec.files[0].destination) == ("ROOT.war", "/var/lib/tomcat10/webapps")
    assert spec.permissions[0].mode == "0640"
    assert spec.hooks["BeforeInstall"][0].runas == "root"
    assert spec.hooks["ValidateService"][0].timeout == 3600
    spec.check_events(SCRIPTED)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "was empty"),
        ("version: 0.0\nos: [", "not valid YAML at line 2"),
        ("version: 1.0\nos: linux\n", "invalid version value (1.0)"),
        ("os: linux\n", "invalid version value (None)"),
        ("version: 0.0\nos: macos\n", "unsupported operating system (macos)"),
        (HEAD + "files:\n  - source: a\n", "specifies a source file, but no destination file"),
        (HEAD + "files:\n  - destination: /a\n", "specifies a destination file, but no source file"),
        (HEAD + "files: a\n", "files section"),
        (HEAD + "hooks: [a]\n", "hooks section"),
        (HEAD + "hooks:\n  BeforeInstall: run.sh\n", "hooks of BeforeInstall"),
        (HEAD + "hooks:\n  BeforeInstall:\n    - timeout: 5\n", "script with no location"),
        (HEAD + "hooks:\n  BeforeInstall:\n    - {location: a, timeout: -1}\n", "invalid timeout"),
        (HEAD + "hooks:\n  BeforeInstall:\n    - {location: a, timeout: soon}\n", "invalid timeout"),
        (
            HEAD
            + "hooks:\n  Install:\n    - {location: a, timeout: 3000}\n    - {location: b, timeout: 900}\n",
            "sum up to 3900 seconds",
        ),
        (HEAD + "permissions:\n  - {owner: root}\n", "no object"),
        (HEAD + "permissions:\n  - {object: /a, type: [link]}\n", "type link not supported"),
        (HEAD + 'permissions:\n  - {object: /a, mode: "00755"}\n', "length of a permission mode"),
        (HEAD + "permissions:\n  - {object: /a, mode: 0755}\n", "invalid character (9)"),
        (HEAD + "file_exists_behavior: REPLACE\n", "fileExistsBehavior: REPLACE"),
    ],
)
def test_a_mistake_is_told(text: str, said: str) -> None:
    with pytest.raises(AppSpecError) as caught:
        parse(text)
    assert said in str(caught.value)


@pytest.mark.parametrize("event", ["BeforeInstal", "Install", "AllowTraffic", "DownloadBundle"])
def test_hooks_on_events_that_run_no_script_are_refused(event: str) -> None:
    spec = parse(HEAD + f"hooks:\n  {event}:\n    - location: run.sh\n")
    with pytest.raises(AppSpecError, match=f"unknown lifecycle events: \\['{event}'\\]"):
        spec.check_events(SCRIPTED | {"Install", "AllowTraffic", "DownloadBundle"})


@pytest.mark.parametrize(
    ("pattern", "exceptions", "path", "covered"),
    [
        ("**", (), "/app/a/b.txt", True),
        ("**", (), "/other/b.txt", False),
        ("*.txt", (), "/app/b.txt", True),
        ("*.txt", (), "/app/a/b.txt", False),
        ("*.txt", (), "/app/b.sh", False),
        ("**", ("b.txt",), "/app/b.txt", False),
    ],
)
def test_patterns_match_direct_children(
    pattern: str, exceptions: tuple[str, ...], path: str, covered: bool
) -> None:
    permission = Permission("/app", pattern=pattern, exceptions=exceptions)
    assert permission.covers(path) is covered
