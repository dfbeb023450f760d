"""Trees in the cache: made once, whole or not at all, forgotten when nobody wants them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gbg_sandbox.machines import cache


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GBG_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def _build(root: Path) -> None:
    (root / "file").write_text("built")


def test_a_tree_is_built_once_for_its_key() -> None:
    first = cache.tree("base", "0" * 16, _build)
    (first / "file").write_text("kept")
    again = cache.tree("base", "0" * 16, _build)
    assert again == first and (again / "file").read_text() == "kept"
    assert cache.tree("base", "1" * 16, _build) != first


def test_a_failed_build_leaves_nothing(own_cache: Path) -> None:
    def fail(root: Path) -> None:
        _build(root)
        raise OSError("no space")

    with pytest.raises(OSError, match="no space"):
        cache.tree("base", "0" * 16, fail)
    assert [entry.name for entry in own_cache.iterdir()] == [".base.lock"]


def test_only_trees_of_the_same_name_that_are_long_unused_are_forgotten() -> None:
    old, other = cache.tree("base", "0" * 16, _build), cache.tree("base-tools", "0" * 16, _build)
    recent = cache.tree("base", "1" * 16, _build)
    for tree in (old, other):
        os.utime(tree, (0, 0))
    cache.tree("base", "2" * 16, _build)
    assert (old.exists(), recent.exists(), other.exists()) == (False, True, True)


def test_a_fingerprint_changes_with_a_file_and_not_with_compiled_python(tmp_path: Path) -> None:
    (tmp_path / "tree" / "__pycache__").mkdir(parents=True)
    (tmp_path / "tree" / "file").write_text("a")
    before = cache.tree_fingerprint([tmp_path / "tree"])
    (tmp_path / "tree" / "__pycache__" / "x.pyc").write_text("compiled")
    assert cache.tree_fingerprint([tmp_path / "tree"]) == before
    (tmp_path / "tree" / "file").write_text("ab")
    assert cache.tree_fingerprint([tmp_path / "tree"]) != before
