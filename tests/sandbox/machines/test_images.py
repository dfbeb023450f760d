"""Image layers: what one machine leaves, another finds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gbg_sandbox.machines import MachineError, Machines

Shell = Callable[..., tuple[int, str]]
Boot = Callable[..., Any]


@pytest.mark.parametrize("running", [False, True])
def test_an_image_carries_additions_changes_and_removals(
    boot: Boot, shell: Shell, folder: Path, running: bool
) -> None:
    builder = boot("10.0.1.5")
    changes = (
        "echo new > /opt/new; echo changed > /etc/hosts; rm /etc/services; rm -r /etc/skel; "
        "mkdir /etc/skel; touch /etc/skel/.fresh; ln -s /opt/new /opt/link; "
        "chmod 600 /opt/new"
    )
    assert shell(builder, changes)[0] == 0
    if not running:
        builder.stop()
    layer = builder.snapshot(folder / "layer")
    machine = boot("10.0.1.6", layers=(layer,))
    look = "cat /opt/link /etc/hosts; ls /etc/services 2>/dev/null; ls -A /etc/skel; stat -c %a /opt/new"
    assert shell(machine, look)[1] == "new\nchanged\n.fresh\n600\n"


def test_an_image_and_the_machine_it_came_from_go_their_own_ways(
    boot: Boot, shell: Shell, folder: Path
) -> None:
    builder = boot("10.0.1.5")
    shell(builder, "echo first > /opt/file; echo first > /usr/lib/shared-library")
    builder.stop()
    layer = builder.snapshot(folder / "layer")
    builder.start()
    clone = boot("10.0.1.6", layers=(layer,))
    shell(builder, "echo builder > /opt/file")
    shell(clone, "echo clone >> /opt/file; rm /usr/lib/shared-library")
    later = boot("10.0.1.7", layers=(layer,))
    assert shell(later, "cat /opt/file /usr/lib/shared-library")[1] == "first\nfirst\n"
    assert shell(builder, "cat /opt/file")[1] == "builder\n"


def test_an_image_of_an_image_has_both(boot: Boot, shell: Shell, folder: Path) -> None:
    layers: tuple[Path, ...] = ()
    for number in range(3):
        builder = boot(f"10.0.2.{number + 1}", layers=layers)
        shell(
            builder, f"echo {number} >> /opt/history; rm -f /opt/only-{number - 1}; touch /opt/only-{number}"
        )
        builder.stop()
        layers = (builder.snapshot(folder / f"layer-{number}"), *layers)
    machine = boot("10.0.2.9", layers=layers)
    assert shell(machine, "cat /opt/history; ls /opt")[1] == "0\n1\n2\naws\nhistory\nonly-2\n"


def test_sixty_layers_are_not_too_many(boot: Boot, shell: Shell, folder: Path) -> None:
    layers = []
    for number in range(60):
        layer = folder / f"a-layer-with-quite-a-long-name-{number}"
        (layer / "opt").mkdir(parents=True)
        (layer / "opt" / f"{number}").write_text(str(number))
        (layer / "opt" / "top").write_text(str(number))
        layers.append(layer)
    machine = boot(layers=tuple(layers))
    assert shell(machine, "ls /opt | wc -l; cat /opt/top") == (0, "62\n0")


def test_a_snapshot_needs_a_disk_and_a_free_place(boot: Boot, folder: Path) -> None:
    machine = boot()
    (folder / "taken").mkdir()
    with pytest.raises(FileExistsError):
        machine.snapshot(folder / "taken")
    machine.terminate()
    with pytest.raises(MachineError, match="no disk"):
        machine.snapshot(folder / "free")


def test_a_layer_that_is_gone_is_named(boot: Boot, folder: Path) -> None:
    with pytest.raises(MachineError, match=r"the image layer .*lost is gone"):
        boot(layers=(folder / "lost",))


def test_site_files_lie_between_system_and_image(
    machines: Machines, boot: Boot, shell: Shell, folder: Path
) -> None:
    layer = folder / "image" / "etc"
    layer.mkdir(parents=True)
    (layer / "hosts").write_text("from the image\n")
    assert shell(boot(layers=(folder / "image",)), "cat /etc/hosts")[1] == "from the image\n"
