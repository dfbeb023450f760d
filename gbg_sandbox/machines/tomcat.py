"""A class data archive for Tomcat, made once on this machine: it halves what a start costs.

The JVM maps the archive instead of loading, parsing and verifying some 2,000 classes. It takes it only when
the jars stand at the same paths with the same size and time, and starts as ever when they do not.
https://docs.oracle.com/en/java/javase/17/vm/class-data-sharing.html
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from gbg_sandbox.machines.interface import MachineError

HOME = Path("/usr/share/tomcat10")
ARCHIVE = HOME / "bin" / "tomcat10.jsa"
COMPILER = "ecj.jar"
"""not at the same path on this host, so it ends the class path: an archive fits what begins like its own"""
STARTED = "Server startup in"
SECONDS = 60
WEB_PAGE = "<html></html>"


def add_archive(root: Path, java: Path) -> None:
    """Start the Tomcat of the tree `root` once and keep what it loaded. Raises MachineError."""
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        _lay_out(root, base)
        archive = base / ARCHIVE.name
        told = _run(_command(root, base, java, archive), base)
        if not archive.is_file():
            raise MachineError(f"Tomcat left no class data archive: {told[-1000:]}")
        shutil.copyfile(archive, root / str(ARCHIVE)[1:])


def class_path(root: Path) -> list[str]:
    """As the start script `server` of the tree puts it together, without what is not at its path here."""
    jars = sorted(path.name for path in (root / "usr/share/java/tomcat10").glob("*.jar"))
    return [
        f"{HOME}/bin/bootstrap.jar",
        f"{HOME}/bin/tomcat-juli.jar",
        *(f"{HOME}/lib/{name}" for name in jars if name != COMPILER),
    ]


def _lay_out(root: Path, base: Path) -> None:
    """A Tomcat on a free port of 127.0.0.1, with the tree's settings and a page."""
    for name in ("logs", "temp", "work", "webapps/ROOT"):
        (base / name).mkdir(parents=True)
    shutil.copytree(root / "etc/tomcat10", base / "conf")
    (base / "webapps/ROOT/index.html").write_text(WEB_PAGE)
    settings = base / "conf/server.xml"
    text = settings.read_text(encoding="utf-8")
    text = re.sub(r'<Server port="\d+"', '<Server port="-1"', text)
    text = re.sub(r'<Connector port="\d+"', '<Connector port="0" address="127.0.0.1"', text)
    settings.write_text(text, encoding="utf-8")


def _command(root: Path, base: Path, java: Path, archive: Path) -> list[str]:
    return [
        *(str(java), "-Djava.awt.headless=true", "-Xmx64m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"),
        f"-XX:ArchiveClassesAtExit={archive}",
        *("-classpath", ":".join(class_path(root))),
        *(f"-Dcatalina.base={base}", f"-Dcatalina.home={HOME}", f"-Djava.io.tmpdir={base}/temp"),
        f"-Djava.util.logging.config.file={base}/conf/logging.properties",
        "-Djava.util.logging.manager=org.apache.juli.ClassLoaderLogManager",
        *("org.apache.catalina.startup.Bootstrap", "start"),
    ]


def _run(command: list[str], base: Path) -> str:
    """Start Tomcat, stop it when it serves; what it said."""
    watched = ["timeout", "--signal=TERM", "--kill-after=10", str(SECONDS), *command]
    environment = {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LC_ALL": "C"}
    said = []
    with subprocess.Popen(
        watched, cwd=base, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            said.append(line)
            if STARTED in line:
                process.terminate()
    return "".join(said)
