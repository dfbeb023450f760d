"""A build with Maven in a real build container, from an unmodified pom, without the internet or with it."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gbg_sandbox.cloud import Cloud
from gbg_sandbox.machines import open_machines
from tests.sandbox.builds import BUCKET, LOGS, context, log_of, project, run, service_role, zipped
from tests.sandbox.host import skip_unless_allowed

POM = """
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>demo</groupId>
  <artifactId>app</artifactId>
  <version>1.0</version>
  <packaging>war</packaging>
  <properties>
    <maven.compiler.release>17</maven.compiler.release>
    <project.build.sourceEncoding>UTF-8</project.build.sourceEncoding>
  </properties>
  <dependencies>
    <dependency>
      <groupId>jakarta.servlet</groupId>
      <artifactId>jakarta.servlet-api</artifactId>
      <version>6.0.0</version>
      <scope>provided</scope>
    </dependency>
    <dependency>
      <groupId>org.junit.jupiter</groupId>
      <artifactId>junit-jupiter</artifactId>
      <version>5.9.2</version>
      <scope>test</scope>
    </dependency>
  </dependencies>
  <build>
    <finalName>ROOT</finalName>
    <plugins>
      <plugin><artifactId>maven-resources-plugin</artifactId><version>3.3.1</version></plugin>
      <plugin><artifactId>maven-compiler-plugin</artifactId><version>3.11.0</version></plugin>
      <plugin><artifactId>maven-surefire-plugin</artifactId><version>2.22.2</version></plugin>
      <plugin><artifactId>maven-war-plugin</artifactId><version>3.4.0</version></plugin>
    </plugins>
  </build>
</project>
"""
PAGE = """
package demo;

public class Page extends jakarta.servlet.http.HttpServlet {
    public static String colour() {
        return "blue";
    }
}
"""
TEST = """
package demo;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.api.Test;

class PageTest {
    @Test
    void isBlue() {
        assertEquals("blue", Page.colour());
    }
}
"""
BUILDSPEC = """
version: 0.2
phases:
  install:
    runtime-versions: {java: corretto17}
  build:
    commands:
      - mvn -B -ntp package
      - curl -sf "http://169.254.170.2$AWS_CONTAINER_CREDENTIALS_RELATIVE_URI" | grep -c AccessKeyId
artifacts:
  files: [ROOT.war]
  base-directory: target
cache:
  paths: ['/root/.m2/**/*']
"""


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Cloud]:
    skip_unless_allowed(None, tmp_path)
    made = Cloud(
        tmp_path / "state", open_machines=lambda at, files: open_machines(at, site_files=files), scale=600
    )
    made.start()
    s3: Any = made.client("s3")
    s3.create_bucket(Bucket="artifacts")
    yield made
    made.stop()


def put_application(cloud: Cloud, page: str = PAGE) -> None:
    s3: Any = cloud.client("s3")
    files = {
        "pom.xml": POM,
        "buildspec.yml": BUILDSPEC,
        "src/main/java/demo/Page.java": page,
        "src/test/java/demo/PageTest.java": TEST,
        "src/main/webapp/WEB-INF/web.xml": "<web-app/>",
    }
    s3.put_object(Bucket="artifacts", Key="source.zip", Body=zipped(files))


def test_maven_builds_tests_and_packs(cloud: Cloud) -> None:
    put_application(cloud)
    client = project(
        cloud,
        service_role(cloud, LOGS, BUCKET),
        cache={"type": "LOCAL", "modes": ["LOCAL_CUSTOM_CACHE"]},
    )
    build = run(cloud, client)
    text = log_of(cloud, build)
    assert build["buildStatus"] == "SUCCEEDED", text
    assert "Tests run: 1, Failures: 0" in text
    assert "BUILD SUCCESS" in text
    s3: Any = cloud.client("s3")
    bundle = s3.get_object(Bucket="artifacts", Key="app.zip")["Body"].read()
    with zipfile.ZipFile(io.BytesIO(bundle)) as archive, archive.open("ROOT.war") as war:
        assert "WEB-INF/classes/demo/Page.class" in zipfile.ZipFile(io.BytesIO(war.read())).namelist()

    put_application(cloud, PAGE.replace("blue", "green"))
    build = run(cloud, client)
    text = log_of(cloud, build)
    assert build["buildStatus"] == "FAILED"
    assert context(build, "BUILD") == (
        "COMMAND_EXECUTION_ERROR",
        "Error while executing command: mvn -B -ntp package. Reason: exit status 1",
    )
    assert "expected: <blue> but was: <green>" in text
    assert "Local cache restored: /root/.m2" in text
