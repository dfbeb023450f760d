"""The bare Amazon Linux 2023 look-alike that every machine stands on.

Two trees: `base` is copied from this host's own programs, `guest` is ours (pid 1, systemctl, dnf, agents).
Neither holds Java, Maven or Tomcat: what an image did not install is not there.
"""

from __future__ import annotations

import compileall
import os
import platform
import py_compile
import shutil
import ssl
import sys
import sysconfig
from collections.abc import Mapping
from pathlib import Path

import yaml

from gbg_sandbox.machines import cache, catalogue, closure
from gbg_sandbox.machines.interface import MachineError

GUEST = Path(__file__).parent / "guest"
PROGRAMS = Path(__file__).parent / "base_programs.txt"
FORMAT = 1
"""raise when a base tree made by an older version of this module must not be used any more"""
PYTHON = "usr/lib/python"
TRUST_STORE = "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem"
TRUST_LINKS = (
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/pki/tls/cert.pem",
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/ssl/certs/ca-bundle.crt",
    "/usr/lib/ssl/cert.pem",
)
ENABLED = ("amazon-ssm-agent.service", "cloud-init.service", "cloud-final.service", "sshd-keygen.service")
DIRECTORIES = """
    boot dev etc/alternatives etc/profile.d etc/ssh/sshd_config.d etc/sysconfig etc/systemd/system
    home/ec2-user media mnt opt/aws/bin proc root run srv sys tmp usr/bin usr/lib usr/lib64 usr/libexec
    usr/local/bin usr/local/lib usr/local/sbin usr/sbin usr/share usr/src var/cache var/lib/amazon
    var/lib/cloud var/lib/rpm var/log/journal var/spool var/tmp
"""
SECRET = ("etc/shadow", "etc/gshadow", "etc/sudoers")
NOT_IN_PYTHON = (
    "test", "tests", "*/test", "*/tests", "idlelib", "tkinter", "turtledemo", "lib2to3", "ensurepip",
    "site-packages", "dist-packages", "config-*", "pydoc_data", "lib-dynload/_test*", "lib-dynload/_tkinter*",
)  # fmt: skip
SYSTEM_LIBRARIES = (
    *("libnss_files.so.2", "libnss_dns.so.2", "libresolv.so.2"),
    *("librt.so.1", "libpthread.so.0", "libdl.so.2", "libutil.so.1", "libm.so.6"),
    *("libgcc_s.so.1", "libstdc++.so.6"),
)
HOST_TRUST = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
)


def program_names() -> tuple[list[str], set[str]]:
    """All programs of the base, and those it can't do without."""
    words = [
        word
        for line in PROGRAMS.read_text(encoding="utf-8").splitlines()
        if not line.startswith("#")
        for word in line.split()
    ]
    return [word.lstrip("!") for word in words], {word[1:] for word in words if word.startswith("!")}


def missing_programs() -> list[str]:
    """What this machine lacks to make the base tree."""
    return sorted(name for name in program_names()[1] if closure.find_program(name) is None)


def host_authorities() -> bytes:
    """The certificate authorities that this machine trusts, as PEM; empty when it has none."""
    for path in HOST_TRUST:
        if Path(path).exists():
            return Path(path).read_bytes()
    return b""


def trust(*more: bytes) -> dict[str, bytes]:
    """Site files that make a machine trust this machine's authorities and the ones in `more` (PEM)."""
    return {TRUST_STORE: b"\n".join((host_authorities(), *more))}


def base_tree() -> Path:
    """The tree of host programs, from the cache or copied now (2-4 seconds)."""
    names, _needed = program_names()
    missing = missing_programs()
    if missing:
        raise MachineError(
            f"machines: this host lacks {', '.join(missing)}. "
            "Try: apt-get install coreutils procps curl openssl hostname diffutils util-linux"
        )
    sources = [path.resolve() for name in names if (path := closure.find_program(name)) is not None]
    states = [f"{path}:{path.stat().st_size}:{path.stat().st_mtime_ns}" for path in sources]
    recipe = Path(__file__).read_text(encoding="utf-8") + PROGRAMS.read_text(encoding="utf-8")
    key = cache.fingerprint(FORMAT, sys.version, os.path.realpath(sys.executable), recipe, *states)
    return cache.tree("base", key, _build_base)


def guest_tree() -> Path:
    """The tree of our own files, laid over the base."""
    facts = catalogue.load().for_machines() + catalogue.load().source_inventory()
    recipe = Path(__file__).read_text(encoding="utf-8")
    key = cache.fingerprint(FORMAT, sys.version, recipe, facts, cache.tree_fingerprint([GUEST]))
    return cache.tree("guest", key, _build_guest)


def site_tree(state: Path, files: Mapping[str, bytes]) -> Path:
    """One sandbox's own files, such as its certificate authority."""
    root = state / "site"
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir(parents=True)
    for name, content in files.items():
        target = root / name.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    return root


def _build_base(root: Path) -> None:
    for name in DIRECTORIES.split():
        (root / name).mkdir(parents=True, exist_ok=True)
    for name in ("bin", "sbin", "lib", "lib64"):
        (root / name).symlink_to(f"usr/{name}")
    (root / "tmp").chmod(0o1777)
    (root / "var/tmp").chmod(0o1777)
    (root / "root").chmod(0o700)
    (root / "home/ec2-user").chmod(0o700)
    if os.geteuid() == 0:
        os.chown(root / "home/ec2-user", 1000, 1000)
    (root / "var/run").symlink_to("../run")
    closure.add_programs(root, program_names()[0])
    (root / "usr/bin/sh").symlink_to("bash")
    _add_python(root)
    _add_system_libraries(root)
    closure.add_libraries(root)
    _add_data(root)
    _add_trust(root)


def _add_python(root: Path) -> None:
    """The interpreter that runs the sandbox, with its standard library, as /usr/bin/python3."""
    interpreter = Path(os.path.realpath(getattr(sys, "_base_executable", sys.executable)))
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    closure.copy_file(interpreter, root / PYTHON / "bin" / version)
    for kind in ("stdlib", "platstdlib"):
        library = sysconfig.get_path(
            kind, vars={"installed_base": sys.base_prefix, "platbase": sys.base_exec_prefix}
        )
        closure.copy_tree(Path(library), root / PYTHON / "lib" / version, NOT_IN_PYTHON)
    for name in ("python3", version, "python"):
        (root / "usr/bin" / name).symlink_to(f"../lib/python/bin/{version}")


def _add_system_libraries(root: Path) -> None:
    """Those of glibc, libgcc and libstdc++ that only what is brought in asks for."""
    for directory in (
        f"/lib/{platform.machine()}-linux-gnu",
        "/lib64",
        f"/usr/lib/{platform.machine()}-linux-gnu",
    ):
        for name in SYSTEM_LIBRARIES:
            source = Path(directory, name)
            target = root / "usr" / directory.removeprefix("/usr").lstrip("/") / name
            if source.exists() and not target.exists():
                closure.copy_file(source.resolve(), target)


def _add_data(root: Path) -> None:
    for name in (
        "/usr/lib/locale/C.utf8",
        "/usr/share/zoneinfo/UTC",
        "/usr/lib/terminfo",
        "/etc/ssl/openssl.cnf",
    ):
        source = Path(name)
        if source.is_dir():
            closure.copy_tree(source, root / name[1:])
        elif source.exists():
            closure.copy_file(source, root / name[1:])
    (root / "etc/localtime").symlink_to("../usr/share/zoneinfo/UTC")
    settings = root / "usr/lib/ssl/openssl.cnf"
    settings.parent.mkdir(parents=True, exist_ok=True)
    settings.symlink_to("/etc/ssl/openssl.cnf")


def _add_trust(root: Path) -> None:
    store = root / TRUST_STORE[1:]
    store.parent.mkdir(parents=True, exist_ok=True)
    store.write_bytes(host_authorities())
    looked_up = ssl.get_default_verify_paths().openssl_cafile
    for link in {*TRUST_LINKS, looked_up}:
        path = root / link.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            path.symlink_to(TRUST_STORE)


def _build_guest(root: Path) -> None:
    shutil.copytree(
        GUEST, root, symlinks=True, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__")
    )
    for path in root.rglob("*"):
        if not path.is_symlink() and path.is_dir():
            path.chmod(0o755)
    known = catalogue.load()
    facts = {
        "/usr/lib/gbg-guest/catalogue.json": known.for_machines(),
        catalogue.INVENTORY: known.source_inventory(),
        **{name: text.encode() for name, text in catalogue.release_files(known.source_release).items()},
    }
    for name, content in facts.items():
        target = root / name[1:]
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    for name in SECRET:
        (root / name).chmod(0o600)
    (root / "etc/resolv.conf").symlink_to("../run/systemd/resolve/resolv.conf")
    wanted = root / "etc/systemd/system/multi-user.target.wants"
    wanted.mkdir(parents=True)
    for unit in ENABLED:
        (wanted / unit).symlink_to(f"/usr/lib/systemd/system/{unit}")
    shutil.copytree(
        Path(yaml.__file__).parent,
        root / "usr/lib/gbg-guest/yaml",
        ignore=shutil.ignore_patterns("__pycache__", "*.so"),
    )
    compileall.compile_dir(
        root / "usr/lib/gbg-guest",
        stripdir=root,
        quiet=2,
        invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
    )
