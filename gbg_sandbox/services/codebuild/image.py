"""What the build image holds: Maven and a JDK from the package catalogue, Maven's settings for the mirror."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from gbg_sandbox.maven.repository import DebianRepository, Repository
from gbg_sandbox.services.codebuild.network import ADDRESS, MIRROR_PORT

if TYPE_CHECKING:
    from gbg_sandbox.cloud import Cloud

PACKAGES = ("maven", "java-17-amazon-corretto-devel", "git", "tar")

SETTINGS = """\
<?xml version="1.0" encoding="UTF-8"?>
<settings>
  <mirrors>
    <mirror>
      <id>mirror</id>
      <mirrorOf>*</mirrorOf>
      <url>http://{address}:{port}/{build}/</url>
    </mirror>
  </mirrors>{profiles}
</settings>
"""
# Debian's surefire waits eight seconds for a forked process that has ended
IN_PROCESS_TESTS = """
  <profiles>
    <profile>
      <id>in-process-tests</id>
      <properties><forkCount>0</forkCount></properties>
    </profile>
  </profiles>
  <activeProfiles><activeProfile>in-process-tests</activeProfile></activeProfiles>"""


def layers(cloud: Cloud) -> tuple[Path, ...]:
    """The image's layers above the base system, topmost first."""
    return cloud.machines.package_layers(PACKAGES)


def files(repository: Repository, build: str) -> dict[str, bytes]:
    """Path → content of what is particular to a build."""
    profiles = IN_PROCESS_TESTS if isinstance(repository, DebianRepository) else ""
    settings = SETTINGS.format(address=ADDRESS, port=MIRROR_PORT, build=build, profiles=profiles)
    return {"/etc/maven/settings.xml": settings.encode()}
