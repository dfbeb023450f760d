"""What a job inside AWS is made of, as one zip: this project, its packages, and the job's parameters.

The packages are those that run here and now: what was tested is what runs at night, and no package index
has to answer then. They fit Linux on x86_64 and this Python's version, which the job asks for.
"""

from __future__ import annotations

import hashlib
import io
import re
import sys
import zipfile
from collections.abc import Iterator, Mapping
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

import yaml
from packaging.requirements import Requirement

from gbg_lib.errors import GbgError

ROOT = Path(__file__).resolve().parents[2]
OWN = ("gbg_lib", "gbg_cli", "gbg_sandbox", "runbooks")
NEEDED = (
    *("boto3", "click", "ipykernel", "ipywidgets", "matplotlib", "nbconvert", "pandas", "papermill"),
    *("pydantic", "PyYAML", "rich", "cryptography"),
)
"""what a run needs; the sandbox's own packages stay at home"""
AT_A_SCREEN = frozenset({"debugpy", "jupyterlab-widgets", "widgetsnbextension"})
"""what kernels and widgets ask for, and only people use"""
JOB = "job.yaml"
PACKAGES = "packages"
LEFT_OUT = re.compile(r"(^|/)(tests?|__pycache__)/|\.pyc$")
COMPRESSED = (".gz", ".png", ".zip", ".woff2")
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
NEVER = (1980, 1, 1, 0, 0, 0)
"""no file's time goes into the zip: what is the same gets the same name"""


def job_parameters(values: Mapping[str, Any]) -> dict[str, Any]:
    """A job's values as they are inside AWS: no profiles there, nobody to acknowledge what was scheduled.

    Who is told stands in the job's project (`news`), beside the job's own topic.
    """
    kept = {name: value for name, value in values.items() if name != "notify"}
    return {**kept, "cloud": "aws", "profile": "", "acknowledged": True}


def made(values: Mapping[str, Any], runbook: Path) -> tuple[str, bytes]:
    """Name by content, and the zip. Raises GbgError when a package is missing here."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        _put(archive, JOB, yaml.safe_dump(job_parameters(values)).encode())
        for name, path in _files(runbook):
            _put(archive, name, path.read_bytes())
    data = content.getvalue()
    return f"jobs/{hashlib.sha256(data).hexdigest()[:20]}.zip", data


def word_of(runbook: Path) -> str:
    """How the runbook is named inside the zip."""
    within = runbook.resolve().is_relative_to(ROOT / "runbooks")
    return str(runbook.resolve().relative_to(ROOT)) if within else f"runbooks/{runbook.name}"


def packages() -> list[Distribution]:
    """What the needed packages need, each once. Raises GbgError."""
    found: dict[str, Distribution] = {}
    seen: set[tuple[str, str]] = set()
    wanted = [(name, "") for name in NEEDED]
    while wanted:
        name, extra = wanted.pop()
        key = re.sub(r"[-_.]+", "-", name).lower()
        if (key, extra) in seen or key in AT_A_SCREEN:
            continue
        seen.add((key, extra))
        try:
            found[key] = distribution(name)
        except PackageNotFoundError as error:
            raise GbgError("schedule", f"package {name} is not installed here", "`./gbg doctor`") from error
        wanted += _requirements(found[key], extra)
    return [found[key] for key in sorted(found)]


def _requirements(package: Distribution, extra: str) -> Iterator[tuple[str, str]]:
    """What it needs here, with this extra of it: a name, alone and with each extra that is asked for."""
    for text in package.requires or []:
        wanted = Requirement(text)
        if wanted.marker is None or wanted.marker.evaluate({"extra": extra}):
            yield from ((wanted.name, one) for one in ("", *sorted(wanted.extras)))


def _files(runbook: Path) -> Iterator[tuple[str, Path]]:
    for folder in OWN:
        for path in sorted((ROOT / folder).rglob("*")):
            name = path.relative_to(ROOT).as_posix()
            if path.is_file() and not LEFT_OUT.search(name):
                yield name, path
    if not runbook.resolve().is_relative_to(ROOT / "runbooks"):
        yield word_of(runbook), runbook
    for package in packages():
        yield from _installed(package)


def _installed(package: Distribution) -> Iterator[tuple[str, Path]]:
    """Its files, where `pip install --target` would put them; programs are left out."""
    for file in sorted(package.files or [], key=str):
        name, path = file.as_posix(), Path(str(package.locate_file(file)))
        shared = re.fullmatch(r"(\.\./)+(share/.+)", name)
        inside = not name.startswith("..")
        if (inside or shared) and path.is_file() and not LEFT_OUT.search(name):
            yield f"{PACKAGES}/{shared[2] if shared else name}", path


def _put(archive: zipfile.ZipFile, name: str, data: bytes) -> None:
    info = zipfile.ZipInfo(name, NEVER)
    info.compress_type = zipfile.ZIP_STORED if name.endswith(COMPRESSED) else zipfile.ZIP_DEFLATED
    info.external_attr = 0o644 << 16
    archive.writestr(info, data)
