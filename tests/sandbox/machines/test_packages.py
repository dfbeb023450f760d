"""dnf and rpm as hooks, documents and user data use them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from gbg_sandbox.machines import Machines, catalogue, store

Shell = Callable[..., tuple[int, str]]
Boot = Callable[..., Any]
LOADED = "/var/log/tomcat10/classes"
OLD, NEW = catalogue.load().releases[:2]


def _needs(*names: str) -> None:
    for package in catalogue.load().with_requirements(list(names)):
        absent = store.missing(package)
        if absent:
            pytest.skip(f"this host lacks {', '.join(absent)} for {package.name}")


def test_an_unknown_package_gives_the_words_of_dnf_and_status_1(boot: Boot, shell: Shell) -> None:
    status, told = shell(boot(), "dnf install -y wget no-such-package")
    assert status == 1
    assert "No match for argument: no-such-package" in told
    assert "Error: Unable to find a match: no-such-package" in told


def test_the_source_image_has_an_inventory_of_its_release(boot: Boot, shell: Shell) -> None:
    kernel = catalogue.load().package("kernel").version(OLD)
    machine = boot()
    assert shell(machine, "rpm -q kernel tomcat10") == (
        1,
        f"kernel-{kernel}.x86_64\npackage tomcat10 is not installed\n",
    )
    assert int(shell(machine, "rpm -qa | wc -l")[1]) > 40
    assert (
        shell(machine, "rpm -q --qf '%{NAME} %{VERSION}\\n' system-release")[1] == f"system-release {OLD}\n"
    )
    assert shell(machine, ". /etc/os-release; echo $ID $VERSION_ID; cat /etc/system-release")[1] == (
        f"amzn 2023\nAmazon Linux release {OLD} (Amazon Linux)\n"
    )


def test_only_a_named_release_brings_newer_versions(boot: Boot, shell: Shell) -> None:
    machine = boot()
    before = shell(machine, "rpm -qa | sort")[1]
    assert "Nothing to do." in shell(machine, "dnf -y upgrade")[1]
    assert shell(machine, "rpm -qa | sort")[1] == before
    assert f"dnf upgrade --releasever={NEW}" in shell(machine, "dnf check-release-update")[1]
    assert shell(machine, f"dnf -y upgrade --releasever={NEW}")[0] == 0
    changed = set(shell(machine, "rpm -qa | sort")[1].split()) - set(before.split())
    assert {name.partition("-")[0] for name in changed} >= {"kernel", "openssl", "systemd", "system"}
    assert shell(machine, "cat /etc/system-release")[1] == f"Amazon Linux release {NEW} (Amazon Linux)\n"
    assert "Nothing to do." in shell(machine, "dnf -y upgrade")[1]


def test_a_release_that_does_not_exist_is_refused_as_by_the_mirrors(boot: Boot, shell: Shell) -> None:
    status, told = shell(boot(), "dnf -y upgrade --releasever=2023.1.20200101")
    assert status == 1 and "Failed to download metadata for repo 'amazonlinux'" in told and "404" in told


def test_an_installed_program_runs_travels_with_the_image_and_can_go(
    boot: Boot, shell: Shell, folder: Path
) -> None:
    _needs("jq")
    builder = boot("10.0.1.5")
    assert shell(builder, "type -P jq")[0] == 1
    assert shell(builder, "dnf -q -y install jq")[0] == 0
    builder.stop()
    machine = boot("10.0.1.6", layers=(builder.snapshot(folder / "layer"),))
    assert shell(machine, "echo '{\"a\": 5}' | jq .a; rpm -qf /usr/bin/jq") == (
        0,
        f"5\njq-{catalogue.load().package('jq').version(OLD)}.x86_64\n",
    )
    assert "already installed" in shell(machine, "dnf -y install jq")[1]
    assert shell(machine, "dnf -y remove jq; type -P jq")[0] == 1


def test_without_an_assumed_yes_nothing_is_done(boot: Boot, shell: Shell) -> None:
    _needs("jq")
    status, told = shell(boot(), "dnf install jq; type -P jq")
    assert status == 1 and "Operation aborted." in told


def test_a_package_file_from_the_web_is_refused_unless_the_catalogue_knows_it(
    boot: Boot, shell: Shell
) -> None:
    machine = boot()
    status, told = shell(machine, "dnf install -y https://example.com/strange.rpm")
    assert status == 1 and "no package file https://example.com/strange.rpm" in told
    assert (
        shell(machine, "dnf install -y https://example.com/linux/amd64/latest/amazon-cloudwatch-agent.rpm")[0]
        == 0
    )
    assert shell(machine, "rpm -q amazon-cloudwatch-agent")[0] == 0


def test_an_ordinary_account_may_not_install(machines: Machines, boot: Boot, shell: Shell) -> None:
    status, told = shell(boot(), "dnf install -y wget", user="ec2-user")
    assert (status, told) == (1, "Error: This command has to be run with superuser privileges.\n")


def test_ready_made_layers_let_a_build_container_compile(
    machines: Machines, boot: Boot, shell: Shell, folder: Path
) -> None:
    names: Sequence[str] = ["maven", "java-17-amazon-corretto-devel"]
    _needs(*names)
    machine = boot(layers=machines.package_layers(names))
    machine.write(
        "/src/Hello.java", b'class Hello { public static void main(String[] a) { System.out.print("hi"); } }'
    )
    status, told = shell(machine, "cd /src && javac Hello.java && java Hello && mvn -v")
    assert status == 0 and told.startswith("hi") and "Apache Maven 3." in told


def test_tomcat_answers_after_installation_and_start(machines: Machines, boot: Boot, shell: Shell) -> None:
    _needs("tomcat10")
    machine = boot()
    assert shell(machine, "dnf -q -y install tomcat10")[0] == 0
    machine.write(
        "/etc/sysconfig/tomcat10", f'CATALINA_OPTS="-Dcolour=blue -Xlog:class+load:file={LOADED}"\n'.encode()
    )
    machine.write("/var/lib/tomcat10/webapps/ROOT/index.jsp", b'<%= System.getProperty("colour") %>')
    assert shell(machine, "systemctl enable --now tomcat10")[0] == 0
    asking = (
        "until curl -sf http://localhost:8080/; do systemctl -q is-active tomcat10 || exit 1; sleep 0.1; done"
    )
    assert shell(machine, asking) == (0, "blue")
    with machines.connect("vpc-1", "10.0.1.5", 8080, 5) as call:
        call.sendall(b"GET / HTTP/1.0\r\n\r\n")
        assert call.recv(12) == b"HTTP/1.1 200"
    mapped = shell(machine, f"grep -c 'org.apache.catalina.*shared objects file (top)' {LOADED}")[1]
    assert int(mapped) > 100, "Tomcat's classes come from the archive that the package brings"
    assert shell(machine, "systemctl stop tomcat10; systemctl is-active tomcat10")[1] == "inactive\n"
