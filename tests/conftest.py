"""Tests know nothing of whoever runs them: no profile, keys, sandbox, git settings or screen of a shell.

A skip says why, or the run fails: a test that silently did not run proves nothing.
"""

from __future__ import annotations

import os

import pytest

from tests.command import CLEARED

KEPT = "GBG_CACHE"
"""where downloads are"""
SCREEN = ("COLUMNS", "LINES", "FORCE_COLOR", "NO_COLOR")
for name in list(os.environ):
    if name in SCREEN or (name.startswith(CLEARED) and name != KEPT):
        del os.environ[name]
for name in ("no_proxy", "NO_PROXY"):
    os.environ[name] = ",".join(filter(None, [os.environ.get(name), "localhost", "127.0.0.1"]))

EMPTY = ("", "unconditional skip")


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None:
        return
    skipped = reporter.stats.get("skipped", [])
    unexplained = [report.nodeid for report in skipped if _reason(report) in EMPTY]
    if unexplained:
        reporter.write_line(f"skipped without a reason: {', '.join(unexplained)}", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def _reason(report: pytest.TestReport) -> str:
    told = report.longrepr
    return (
        str(told[2]).removeprefix("Skipped: ").removeprefix("Skipped").strip()
        if isinstance(told, tuple)
        else ""
    )
