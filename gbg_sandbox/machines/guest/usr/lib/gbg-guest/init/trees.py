"""Folders with all that is in them."""

from __future__ import annotations

import os


def remove_tree(path: str) -> None:
    for directory, folders, files in os.walk(path, topdown=False):
        for name in files:
            os.unlink(f"{directory}/{name}")
        for name in folders:
            entry = f"{directory}/{name}"
            if os.path.islink(entry):
                os.unlink(entry)
            else:
                os.rmdir(entry)
    if os.path.isdir(path):
        os.rmdir(path)
