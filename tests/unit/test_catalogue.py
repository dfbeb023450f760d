"""The package catalogue is complete and consistent."""

from __future__ import annotations

import json

import pytest

from gbg_sandbox.machines import catalogue
from gbg_sandbox.machines.catalogue import Package, UnknownPackageError

KNOWN = catalogue.load()


def test_there_are_at_least_two_releases_in_order() -> None:
    assert len(KNOWN.releases) >= 2 and list(KNOWN.releases) == sorted(KNOWN.releases)


@pytest.mark.parametrize("package", KNOWN.packages.values(), ids=str)
def test_every_package_has_a_version_in_the_oldest_release_and_known_requirements(package: Package) -> None:
    assert KNOWN.source_release in package.versions
    assert set(package.versions) <= set(KNOWN.releases)
    assert set(package.requires) <= set(KNOWN.packages)
    assert not package.tree or (catalogue.PACKAGES / package.tree).is_dir()


def test_an_update_changes_what_a_security_team_looks_at() -> None:
    old, new = KNOWN.releases[0], KNOWN.releases[-1]
    for name in ("kernel", "openssl", "glibc", "curl-minimal", "systemd", "system-release"):
        assert KNOWN.package(name).version(old) != KNOWN.package(name).version(new)


def test_a_release_without_an_entry_keeps_the_version_before() -> None:
    package = Package("x", {"2023.1": "1-1", "2023.3": "3-1"})
    assert [package.version(release) for release in ("2023.1", "2023.2", "2023.3", "2023.4")] == [
        "1-1", "1-1", "3-1", "3-1",
    ]  # fmt: skip


def test_requirements_come_first_and_once() -> None:
    names = [package.name for package in KNOWN.with_requirements(["tomcat10", "maven"])]
    assert names == ["java-17-amazon-corretto-headless", "tomcat10", "maven"]


def test_what_is_not_installed_is_not_in_the_source_inventory() -> None:
    inventory = json.loads(KNOWN.source_inventory())
    assert "amazon-ssm-agent" in inventory and "aws-cfn-bootstrap" in inventory
    assert not {"tomcat10", "maven", "amazon-cloudwatch-agent", "ruby", "wget"} & set(inventory)


def test_an_unknown_name_is_an_error() -> None:
    with pytest.raises(UnknownPackageError, match="no package frob"):
        KNOWN.package("frob")
