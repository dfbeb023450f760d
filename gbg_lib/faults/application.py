"""Faults of the application: a commit on the branch. Taking one away is a commit with the former files."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from gbg_lib.errors import RepositoryError
from gbg_lib.faults.fault import Act, Fault, Former
from gbg_lib.steps import ReleaseRun

Edit = Callable[[Path], None]
JAVA = "src/main/java/release"

UNHEALTHY = """\
        if (String.valueOf(request.getHeader("User-Agent")).startsWith("ELB-HealthChecker")%s) {
            response.sendError(503);
            return;
        }
"""
CONNECTIONS = 20
OUT_OF_CONNECTIONS = """\
        if (free.getAndDecrement() <= 0) {
            response.sendError(500, "no connection is free");
            return;
        }
"""
FLAPS = " && looks.getAndIncrement() % 14 >= 4"


def head(step: ReleaseRun) -> dict[str, str]:
    found = step.repository.head()
    if found is None:
        raise RepositoryError(step.repository.name, "it has no commit", "run runbook 02 first")
    return {"commit": found.id}


def push(edit: Edit, message: str) -> Act:
    def act(step: ReleaseRun, former: Former) -> None:
        step.repository.change(edit, message)

    return act


def restore(step: ReleaseRun, former: Former) -> None:
    """The files of the former commit on top of whatever is there; nothing when they are there already."""
    repository = step.repository
    with repository.clone() as work:
        if repository.git(work, "diff", "--name-only", former["commit"], "HEAD") == "":
            return

    def take_back(work: Path) -> None:
        repository.git(work, "rm", "-rq", ".")
        repository.git(work, "checkout", "-q", former["commit"], "--", ".")

    repository.change(take_back, f"Back to the files of {former['commit'][:8]}")


def replaced(path: str, old: str, new: str) -> Edit:
    """Raises RepositoryError when the application isn't the sample one any more."""

    def edit(work: Path) -> None:
        file = work / path
        text = file.read_text() if file.exists() else ""
        if old not in text:
            raise RepositoryError(
                path, f"it has no {old.strip()!r}", "this fault needs the sample application"
            )
        file.write_text(text.replace(old, new, 1))

    return edit


def unhealthy(condition: str) -> Edit:
    """The load balancer, and nobody else, is told 503; with FLAPS ten times of fourteen."""
    begin = "HttpServletResponse response) throws IOException {\n"

    def edit(work: Path) -> None:
        path = f"{JAVA}/HealthServlet.java"
        replaced(path, begin, begin + UNHEALTHY % condition)(work)
        counter = "java.util.concurrent.atomic.AtomicLong"
        field = f"    private final {counter} looks = new {counter}();\n"
        replaced(path, "    private String json;\n", f"    private String json;\n{field}")(work)

    return edit


def leak(work: Path) -> None:
    """Each page takes a connection and gives none back; nothing but visitors' pages needs one."""
    path = f"{JAVA}/HomeServlet.java"
    counter = "java.util.concurrent.atomic.AtomicInteger"
    field = f"    private final {counter} free = new {counter}({CONNECTIONS});\n"
    replaced(path, "    private HomePage page;\n", f"    private HomePage page;\n{field}")(work)
    begin = "        response.setContentType("
    replaced(path, begin, OUT_OF_CONNECTIONS + begin)(work)


def hook(script: str, line: str) -> Edit:
    """A line before anything else that a hook's script does."""

    def edit(work: Path) -> None:
        file = work / "scripts" / script
        file.write_text(re.sub(r"^(#!.*\n)", lambda first: first[1] + line + "\n", file.read_text()))

    return edit


def note(work: Path) -> None:
    """A change that changes nothing but the commit."""
    (work / "NOTES").write_text("Nothing to see here.\n")


def together(*edits: Edit) -> Edit:
    def edit(work: Path) -> None:
        for one in edits:
            one(work)

    return edit


ZONE = (
    'token=$(curl -fsS -X PUT -H "X-aws-ec2-metadata-token-ttl-seconds: 60" http://169.254.169.254/latest/api/token)\n'
    'zone=$(curl -fsS -H "X-aws-ec2-metadata-token: $token" '
    "http://169.254.169.254/latest/meta-data/placement/availability-zone)\n"
    'case $zone in *b) echo "FAILED: no licence for zone $zone"; exit 4 ;; esac'
)


def _fault(name: str, what: str, edit: Edit, message: str) -> Fault:
    return Fault(name, what, look=head, plant=push(edit, message), remove=restore, pushes=True)


FAULTS = (
    _fault(
        "does-not-compile",
        "A commit breaks the application's Java code.",
        replaced(f"{JAVA}/Health.java", "static String json(", "static Strnig json("),
        "Tidy the health page",
    ),
    _fault(
        "unit-test-fails",
        "A commit changes what the health page says, and a unit test knows better.",
        replaced(f"{JAVA}/Health.java", '\\"status\\": \\"UP\\"', '\\"status\\": \\"FINE\\"'),
        "A friendlier health page",
    ),
    _fault(
        "no-war-in-artifact",
        "The build succeeds and hands over an artifact without the application.",
        together(replaced("buildspec.yml", "    - ROOT.war\n", "")),
        "Tidy the buildspec",
    ),
    _fault(
        "hook-fails-everywhere",
        "A hook's script fails on every machine.",
        hook("prepare.sh", "echo 'Looking for the licence'; echo 'FAILED: no licence' >&2; exit 3"),
        "Look for a licence",
    ),
    _fault(
        "hook-fails-on-one",
        "A hook's script fails on one machine of two.",
        hook("prepare.sh", ZONE),
        "Licences",
    ),
    _fault(
        "hook-hangs",
        "A hook's script never ends, and its time is up.",
        together(
            hook("validate.sh", "echo 'Waiting for the other team'; sleep 3600"),
            replaced("appspec.yml", "scripts/validate.sh, timeout: 180", "scripts/validate.sh, timeout: 5"),
        ),
        "Wait for the other team",
    ),
    _fault(
        "health-check-never-passes",
        "The application answers everyone but the load balancer.",
        unhealthy(""),
        "A health check of our own",
    ),
    _fault(
        "health-check-flaps",
        "The application tells the load balancer by turns that it is well and that it is not.",
        unhealthy(FLAPS),
        "A health check with moods",
    ),
    _fault(
        "connections-run-out",
        f"Each page takes a connection and gives none back: after {CONNECTIONS} visitors come errors.",
        leak,
        "Take a connection for each page",
    ),
)
