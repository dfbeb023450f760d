"""The Maven mirror: Debian's artifacts under the versions that a build asks for."""

from __future__ import annotations

import hashlib
import io
import socket
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from gbg_sandbox.maven.mirror import Mirror
from gbg_sandbox.maven.repository import DebianRepository
from gbg_sandbox.maven.upstream import central_url

PLUGIN = "org/apache/maven/plugins/maven-war-plugin"
DESCRIPTOR = (
    "<plugin><artifactId>maven-war-plugin</artifactId><version>3.3.2</version><goalPrefix>war</goalPrefix>"
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A Debian-like repository with one plugin."""
    folder = tmp_path / "repository" / PLUGIN / "3.3.2"
    folder.mkdir(parents=True)
    (folder / "maven-war-plugin-3.3.2.pom").write_text("<project/>")
    with zipfile.ZipFile(folder / "maven-war-plugin-3.3.2.jar", "w") as jar:
        jar.writestr("META-INF/maven/plugin.xml", DESCRIPTOR)
        jar.writestr("War.class", "bytes")
    return tmp_path / "repository"


@pytest.fixture
def mirror(root: Path) -> Iterator[tuple[Mirror, str]]:
    listening = socket.create_server(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    made = Mirror(DebianRepository(root), listening)
    yield made, f"http://127.0.0.1:{port}"
    made.stop()


def get(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=10) as answer:
        content: bytes = answer.read()
        return content


def test_the_nearest_version_stands_in_and_is_told(mirror: tuple[Mirror, str]) -> None:
    server, url = mirror
    told: list[str] = []
    server.open("b1", told.append)
    path = f"{url}/b1/{PLUGIN}/3.4.0/maven-war-plugin-3.4.0"
    assert get(f"{path}.pom") == b"<project/>"
    jar = get(f"{path}.jar")
    with zipfile.ZipFile(io.BytesIO(jar)) as archive:
        assert b"<version>3.4.0</version>" in archive.read("META-INF/maven/plugin.xml")
        assert archive.read("War.class") == b"bytes"
    assert get(f"{path}.jar.sha1").decode() == hashlib.sha1(jar, usedforsecurity=False).hexdigest()
    assert told == ["org.apache.maven.plugins:maven-war-plugin:3.4.0 is not at hand; Debian's 3.3.2 is used"]


def test_metadata_is_made_from_what_is_there(mirror: tuple[Mirror, str]) -> None:
    server, url = mirror
    server.open("b1", lambda _: None)
    assert b"<version>3.3.2</version>" in get(f"{url}/b1/{PLUGIN}/maven-metadata.xml")
    assert b"<prefix>war</prefix>" in get(f"{url}/b1/org/apache/maven/plugins/maven-metadata.xml")


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("b1/org/example/nothing/1.0/nothing-1.0.pom", 404),
        ("b1/../../etc/passwd", 400),
        (f"b2/{PLUGIN}/maven-metadata.xml", 403),
    ],
)
def test_what_is_not_there_is_refused(mirror: tuple[Mirror, str], path: str, status: int) -> None:
    server, url = mirror
    server.open("b1", lambda _: None)
    with pytest.raises(urllib.error.HTTPError) as error:
        get(f"{url}/{path}")
    assert error.value.code == status


def test_a_mirror_of_the_persons_settings_is_taken_for_central(tmp_path: Path) -> None:
    settings = tmp_path / ".m2" / "settings.xml"
    settings.parent.mkdir()
    settings.write_text(
        "<settings><mirrors><!-- <mirror><mirrorOf>*</mirrorOf><url>http://old</url></mirror> -->"
        "<mirror><mirrorOf>central</mirrorOf><url> http://127.0.0.1:9/m </url></mirror></mirrors></settings>"
    )
    assert central_url(tmp_path) == "http://127.0.0.1:9/m"
