"""A skip says why, or the run fails: a test that silently did not run proves nothing."""

from __future__ import annotations

import pytest

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
