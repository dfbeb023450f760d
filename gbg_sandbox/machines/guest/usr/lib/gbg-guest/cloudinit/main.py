"""The stages `init` and `modules --mode=final`, and the verbs status, clean and query."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time

from cloudinit import modules, paths, userdata

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

VERSION = "22.2.2"
METADATA_PATIENCE = 10.0
SEMAPHORE_OF_SCRIPTS = "scripts_user"


def main(arguments: Sequence[str]) -> int:
    words = [word for word in arguments if not word.startswith("-")]
    flags = {word for word in arguments if word.startswith("-")}
    if flags & {"--version", "-v"}:
        print(f"/usr/bin/cloud-init {VERSION}")
        return 0
    verb = words[0] if words else ""
    if verb == "init":
        return _stage("init", _init) if "--local" not in flags else 0
    if verb == "modules":
        return _stage("modules-final", _final) if "--mode=final" in flags or "final" in words else 0
    if verb == "status":
        return _status(wait="--wait" in flags or "-w" in flags, long="--long" in flags or "-l" in flags)
    if verb == "clean":
        return _clean(flags)
    if verb == "query":
        return _query(words[1:])
    print(
        f"cloud-init: '{verb}' is not supported in this machine (init, modules, status, clean, query)",
        file=sys.stderr,
    )
    return 2


def _stage(name: str, action: Any) -> int:
    paths.note_stage(name, start=time.time())
    errors = action()
    paths.note_stage(name, finished=time.time(), errors=errors)
    for error in errors:
        paths.warn(error)
    return 1 if errors else 0


# init


def _identity() -> tuple[str, Any] | None:
    """The instance's id, when a metadata service answers within the patience."""
    import instance_aws

    deadline = time.monotonic() + METADATA_PATIENCE
    while True:
        try:
            return instance_aws.metadata("instance-id"), instance_aws
        except instance_aws.InstanceError as error:
            if time.monotonic() > deadline:
                paths.warn(f"no datasource found: {error}")
                return None
            time.sleep(0.1)


def _init() -> list[str]:
    found = _identity()
    if found is None:
        return []
    instance_id, aws = found
    is_new = _remember(instance_id)
    paths.log(f"datasource Ec2, instance {instance_id}, {'first boot' if is_new else 'known instance'}")
    errors: list[str] = []
    try:
        content = aws.latest("user-data")
    except aws.MetadataMissingError:
        content = b""
    _keep("user-data.txt", content)
    if is_new:
        _set_hostname(aws.metadata("local-hostname"))
        _fresh_host_keys()
        _authorized_keys(aws)
        errors += _configure(content)
    return errors


def _remember(instance_id: str) -> bool:
    folder = f"{paths.LIB}/instances/{instance_id}"
    os.makedirs(folder, exist_ok=True)
    os.makedirs(os.path.dirname(paths.LAST_INSTANCE), exist_ok=True)
    if os.path.islink(paths.INSTANCE_LINK):
        os.unlink(paths.INSTANCE_LINK)
    os.symlink(folder, paths.INSTANCE_LINK)
    with open(paths.LAST_INSTANCE, "w", encoding="ascii") as file:
        file.write(f"{instance_id}\n")
    return paths.once("init")


def _keep(name: str, content: bytes) -> None:
    path = f"{paths.instance_folder()}/{name}"
    with open(path, "wb") as file:
        file.write(content)
    os.chmod(path, 0o600)


def _set_hostname(name: str) -> None:
    with open("/etc/hostname", "w", encoding="ascii") as file:
        file.write(f"{name}\n")
    subprocess.run(["hostname", name], check=False)


def _fresh_host_keys() -> None:
    """An image's host keys would be the same on every instance; sshd-keygen.service makes new ones."""
    for entry in os.listdir("/etc/ssh"):
        if entry.startswith("ssh_host_"):
            os.unlink(f"/etc/ssh/{entry}")


def _authorized_keys(aws: Any) -> None:
    try:
        index = aws.metadata("public-keys/").splitlines()[0].partition("=")[0]
        key = aws.metadata(f"public-keys/{index}/openssh-key")
    except (aws.MetadataMissingError, IndexError):
        return
    folder = "/home/ec2-user/.ssh"
    os.makedirs(folder, mode=0o700, exist_ok=True)
    with open(f"{folder}/authorized_keys", "a", encoding="utf-8") as file:
        file.write(key.rstrip("\n") + "\n")
    os.chmod(f"{folder}/authorized_keys", 0o600)
    subprocess.run(["chown", "-R", "ec2-user:ec2-user", folder], check=False)


def _configure(content: bytes) -> list[str]:
    """Put the scripts in place and run what cloud-config wants early."""
    try:
        found = userdata.parts(content)
        config = userdata.merged_config(found)
    except userdata.UserDataError as error:
        return [str(error)]
    folder = paths.instance_folder()
    for number, (kind, _name, body) in enumerate(found, 1):
        if kind == userdata.SCRIPT:
            modules.write_script(f"{folder}/scripts/part-{number:03}", body)
    _keep("cloud-config.json", json.dumps(config).encode())
    unknown = modules.unknown_keys(config)
    if unknown:
        paths.warn(f"cloud-config keys that have no effect in this machine: {', '.join(unknown)}")
    if config.get("fqdn") or config.get("hostname"):
        _set_hostname(str(config.get("fqdn") or config["hostname"]))
    if config.get("bootcmd"):
        modules.write_script(f"{folder}/bootcmd", modules.shell_script(config["bootcmd"]).encode())
        modules.run([f"{folder}/bootcmd"])
    modules.write_files(config)
    if config.get("runcmd"):
        modules.write_script(f"{folder}/scripts/runcmd", modules.shell_script(config["runcmd"]).encode())
    return []


# final


def _final() -> list[str]:
    if not os.path.islink(paths.INSTANCE_LINK):
        _finish([])
        return []
    errors = []
    folder = paths.instance_folder()
    if paths.once(SEMAPHORE_OF_SCRIPTS):
        _announce()
        config_path = f"{folder}/cloud-config.json"
        if os.path.exists(config_path):
            with open(config_path, encoding="utf-8") as file:
                if modules.packages(json.load(file)):
                    errors.append("Failed to install packages")
        errors += _run_scripts(f"{folder}/scripts")
    _finish(errors)
    return errors


def _announce() -> None:
    with open("/proc/uptime" if os.path.exists("/proc/uptime") else "/dev/null", encoding="ascii") as file:
        uptime = file.read().split()[:1] or ["0"]
    stamp = time.strftime("%a, %d %b %Y %H:%M:%S +0000", time.gmtime())
    with open(paths.OUTPUT_LOG, "a", encoding="utf-8") as file:
        file.write(f"Cloud-init v. {VERSION} running 'modules:final' at {stamp}. Up {uptime[0]} seconds.\n")


def _run_scripts(folder: str) -> list[str]:
    errors = []
    for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else ():
        status = modules.run([f"{folder}/{name}"])
        if status:
            errors.append(f"Failed to run module scripts-user: {folder}/{name} ended with status {status}")
    return errors


def _finish(errors: list[str]) -> None:
    with open(paths.OUTPUT_LOG, "a", encoding="utf-8") as file:
        stamp = time.strftime("%a, %d %b %Y %H:%M:%S +0000", time.gmtime())
        file.write(f"Cloud-init v. {VERSION} finished at {stamp}. Datasource DataSourceEc2.\n")
    os.makedirs(f"{paths.LIB}/instance" if os.path.islink(paths.INSTANCE_LINK) else paths.LIB, exist_ok=True)
    if os.path.islink(paths.INSTANCE_LINK):
        _keep("boot-finished", f"{time.time()}\n".encode())
    early = paths.read_status().get("init", {}).get("errors", [])
    with open(paths.RESULT, "w", encoding="utf-8") as file:
        json.dump({"v1": {"datasource": "DataSourceEc2", "errors": early + errors}}, file)


# verbs


def _state() -> tuple[str, list[str]]:
    """not run, running, done, error; and the errors."""
    status = paths.read_status()
    errors = [error for stage in status.values() for error in stage["errors"]]
    if not status:
        return "not run", []
    final = status.get("modules-final", {})
    if not final.get("finished"):
        return "running", errors
    return ("error" if errors else "done"), errors


def _status(*, wait: bool, long: bool) -> int:
    state, errors = _state()
    while wait and state in ("not run", "running"):
        print(".", end="", flush=True)
        time.sleep(0.1)
        state, errors = _state()
    if wait:
        print()
    print(f"status: {state}")
    if long:
        print("detail:\n" + ("\n".join(errors) or "DataSourceEc2"))
    return 1 if state == "error" else 0


def _clean(flags: set[str]) -> int:
    for name in os.listdir(paths.LIB) if os.path.isdir(paths.LIB) else ():
        if name != "seed" or "--seed" in flags or "-s" in flags:
            subprocess.run(["rm", "-rf", f"{paths.LIB}/{name}"], check=True)
    if flags & {"--logs", "-l"}:
        for path in (paths.LOG, paths.OUTPUT_LOG):
            if os.path.exists(path):
                os.unlink(path)
    if "--machine-id" in flags:
        with open("/etc/machine-id", "w", encoding="ascii") as file:
            file.write("uninitialized\n")
    if flags & {"--reboot", "-r"}:
        subprocess.run(["systemctl", "reboot"], check=True)
    return 0


def _query(words: Sequence[str]) -> int:
    import instance_aws

    paths_of = {
        "instance_id": "instance-id",
        "region": "placement/region",
        "local_hostname": "local-hostname",
    }
    for word in words:
        if word == "userdata":
            sys.stdout.write(instance_aws.latest("user-data").decode(errors="replace"))
        elif word in paths_of:
            print(instance_aws.metadata(paths_of[word]))
        else:
            print(f"ERROR: undefined variable '{word}'", file=sys.stderr)
            return 1
    return 0
