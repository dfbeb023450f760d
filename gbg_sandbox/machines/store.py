"""Package trees: what `dnf install` brings, made once from this machine's packages and kept in the cache."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from gbg_sandbox.machines import cache, catalogue, closure, tomcat
from gbg_sandbox.machines.base import base_tree
from gbg_sandbox.machines.catalogue import PACKAGES, Copy, Package
from gbg_sandbox.machines.interface import MachineError

TOMCAT, JAVA = "tomcat10", "java-17-amazon-corretto-headless"


def _sources(copy: Copy) -> list[Path]:
    return sorted(Path("/").glob(copy.source.lstrip("/")))


def missing(package: Package) -> list[str]:
    """Host files or programs that this package is made from and that are not on this machine."""
    absent = [copy.source for copy in package.copies if not _sources(copy)]
    return absent + [name for name in package.programs if closure.find_program(name) is None]


def package_tree(package: Package) -> Path:
    """The files of a package as a tree from the root directory on. Raises MachineError."""
    absent = missing(package)
    if absent:
        raise MachineError(
            f"package {package.name}: this host lacks {', '.join(absent)}. "
            f"Try: apt-get install {' '.join(package.debian) or package.name}"
        )
    roots = [path for copy in package.copies for path in _sources(copy)]
    if package.tree:
        roots.append(PACKAGES / package.tree)
    programs = [closure.find_program(name) for name in package.programs]
    if package.name == TOMCAT:
        programs.append(_java())
    states = [f"{path}:{path.stat().st_mtime_ns}" for path in programs if path is not None]
    makers = (__file__, closure.__file__, tomcat.__file__)
    recipe = "".join(Path(maker).read_text(encoding="utf-8") for maker in makers)
    key = cache.fingerprint(recipe, package, base_tree().name, cache.tree_fingerprint(roots), *states)
    return cache.tree(f"package-{package.name}", key, lambda root: _build(package, root))


def _build(package: Package, root: Path) -> None:
    for copy in package.copies:
        for source in _sources(copy):
            target = root / copy.target.lstrip("/")
            if copy.target.endswith("/"):
                target = target / source.name
            if source.is_dir():
                closure.copy_tree(source, target, copy.exclude)
            else:
                closure.copy_file(source.resolve(), target)
    closure.add_programs(root, package.programs)
    if package.tree:
        shutil.copytree(PACKAGES / package.tree, root, symlinks=True, dirs_exist_ok=True)
    for link, target_name in package.links.items():
        path = root / link.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(target_name)
    if package.name == TOMCAT:
        tomcat.add_archive(root, _java())
    closure.add_libraries(root, present=[base_tree()])
    for path in root.rglob("*"):
        if not path.is_symlink() and path.is_dir():
            path.chmod(0o755)


def _java() -> Path:
    """This machine's java that machines get a copy of: an archive fits that build of the JVM alone."""
    package = catalogue.load().package(JAVA)
    for copy in package.copies:
        for path in _sources(copy):
            if path.name == "java":
                return path
    raise MachineError(f"this host lacks java. Try: apt-get install {' '.join(package.debian)}")


def debian_packages(package: Package) -> list[str]:
    """Which of the Debian packages behind a package are installed on this machine."""
    told = subprocess.run(
        ["dpkg-query", "-W", "-f", "${Package}\n", *package.debian],
        capture_output=True,
        text=True,
        check=False,
    )
    return told.stdout.split()


def layers(names: Sequence[str]) -> tuple[Path, ...]:
    """Ready-made image layers of packages with all that they require, topmost first. Raises MachineError."""
    packages = catalogue.load().with_requirements(list(names))
    return tuple(package_tree(package) for package in reversed(packages) if package.has_files)
