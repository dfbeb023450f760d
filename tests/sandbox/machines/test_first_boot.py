"""cloud-init: once an instance, from the metadata service."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.sandbox.machines.conftest import Metadata

Shell = Callable[..., tuple[int, str]]
Boot = Callable[..., Any]
WAIT = "cloud-init status --wait >/dev/null; "
MIME = """Content-Type: multipart/mixed; boundary="XX"
MIME-Version: 1.0

--XX
Content-Type: text/cloud-config

#cloud-config
write_files:
  - path: /opt/written
    content: "from cloud-config"
    permissions: "0600"
runcmd:
  - [sh, -c, "echo ran >> /opt/ran"]
--XX
Content-Type: text/x-shellscript

#!/bin/bash
echo script >> /opt/ran
--XX--
"""


def test_a_script_runs_once_as_root_and_its_output_is_kept(
    metadata: Metadata, boot: Boot, shell: Shell
) -> None:
    metadata.documents["user-data"] = "#!/bin/bash -xe\nid -un\necho ran >> /opt/ran\n"
    machine = boot(boot=True)
    told = shell(machine, WAIT + "cloud-init status; cat /var/log/cloud-init-output.log")[1]
    assert told.startswith("status: done\n") and "\nroot\n" in told and "+ echo ran" in told
    machine.stop()
    machine.start()
    assert shell(machine, WAIT + "cat /opt/ran")[1] == "ran\n"


def test_a_new_instance_of_the_image_runs_its_own_user_data(
    metadata: Metadata, boot: Boot, shell: Shell, folder: Path
) -> None:
    metadata.documents["user-data"] = "#!/bin/bash\necho ran >> /opt/ran\n"
    builder = boot("10.0.1.5", boot=True)
    first_keys = shell(builder, WAIT + "cat /etc/ssh/ssh_host_ed25519_key.pub /etc/machine-id")[1]
    shell(builder, "truncate -s 0 /etc/machine-id")
    builder.stop()
    layer = builder.snapshot(folder / "layer")
    metadata.documents["meta-data/instance-id"] = "i-0fedcba9876543210"
    clone = boot("10.0.1.6", boot=True, layers=(layer,))
    assert shell(clone, WAIT + "cat /opt/ran")[1] == "ran\nran\n"
    asking = "until [ -s /etc/ssh/ssh_host_ed25519_key.pub ]; do sleep 0.02; done; "
    second_keys = shell(clone, asking + "cat /etc/ssh/ssh_host_ed25519_key.pub /etc/machine-id")[1]
    assert len(set(first_keys.split()) & set(second_keys.split())) == 1  # "ssh-ed25519"


def test_a_multipart_archive_and_cloud_config_are_understood(
    metadata: Metadata, boot: Boot, shell: Shell
) -> None:
    metadata.documents["user-data"] = MIME
    machine = boot(boot=True)
    assert shell(machine, WAIT + "cat /opt/written; stat -c ' %a' /opt/written; sort /opt/ran")[1] == (
        "from cloud-config 600\nran\nscript\n"
    )


def test_a_failing_script_shows_in_status_and_unit(metadata: Metadata, boot: Boot, shell: Shell) -> None:
    metadata.documents["user-data"] = "#!/bin/bash\nexit 9\n"
    status, told = shell(boot(boot=True), WAIT + "systemctl is-failed cloud-final; cloud-init status --long")
    assert status == 1 and told.startswith("failed\nstatus: error") and "ended with status 9" in told


def test_user_data_of_an_unknown_kind_is_named(metadata: Metadata, boot: Boot, shell: Shell) -> None:
    metadata.documents["user-data"] = "echo no shebang"
    assert "Unhandled non-multipart" in shell(boot(boot=True), WAIT + "cloud-init status --long")[1]


def test_cleaning_makes_the_next_boot_a_first_one(metadata: Metadata, boot: Boot, shell: Shell) -> None:
    metadata.documents["user-data"] = "#!/bin/bash\necho ran >> /opt/ran\n"
    machine = boot(boot=True)
    shell(machine, WAIT + "cloud-init clean --logs; ls /var/log/cloud-init*.log && touch /opt/logs-left")
    machine.stop()
    machine.start()
    assert shell(machine, WAIT + "cat /opt/ran; ls /opt/logs-left 2>/dev/null")[1] == "ran\nran\n"


def test_the_console_shows_boot_and_user_data(metadata: Metadata, boot: Boot, shell: Shell) -> None:
    metadata.documents["user-data"] = "#!/bin/bash\necho seen on the console\n"
    machine = boot(boot=True)
    shell(machine, WAIT)
    assert "Reached target multi-user.target" in machine.console()
    assert "seen on the console" in machine.console()
