"""An execution environment that can't be started leaves nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest

from gbg_sandbox.credentials import Credentials
from gbg_sandbox.service import Principal
from gbg_sandbox.services.lambda_.environment import Environment
from gbg_sandbox.services.lambda_.nursery import Nursery
from gbg_sandbox.services.lambda_.state import Code, Function

ROLE = Principal("role", "arn:aws:sts::123456789012:assumed-role/r/s", "123456789012", role_name="r")
OPEN_FILES = Path("/proc/self/fd")


class Barren:
    """A nursery whose process has ended."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def fork(self, *_: Any) -> int:
        raise OSError("the process that runs functions ended")


def open_files() -> set[tuple[str, Path]]:
    """Numbers, and what each leads to."""
    return {(one.name, one.readlink()) for one in OPEN_FILES.iterdir() if one.is_symlink()}


def test_a_start_that_fails_leaves_no_folder_and_no_open_file(tmp_path: Path) -> None:
    nursery = cast(Nursery, Barren(tmp_path))
    code = Code(tmp_path / "root", tmp_path / "archive", "", 0)
    function = Function("f", "arn", code, "role", "python3.12", "a.b")
    before = open_files()
    for _ in range(5):
        with pytest.raises(OSError, match="runs functions ended"):
            Environment(function, Credentials().issue(ROLE), nursery, {})
    assert open_files() <= before, "those of earlier tests may be closed now"
    assert list(tmp_path.iterdir()) == []
