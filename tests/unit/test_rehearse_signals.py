"""A signal during `gbg rehearse`: not lost before the sandbox is up, nor taken for an error of a step."""

from __future__ import annotations

import signal

import pytest

from gbg_cli.rehearse import Signals
from gbg_lib.errors import GbgError, Interrupted
from gbg_lib.record.gathering import Gathering


def test_one_that_comes_while_the_sandbox_starts_is_obeyed_when_it_is_up() -> None:
    heard = Signals()
    heard(signal.SIGTERM, None)
    with pytest.raises(Interrupted, match="interrupted by SIGTERM"):
        heard.obey()


def test_one_that_somebody_took_for_an_error_of_a_step_is_obeyed_at_the_next() -> None:
    heard = Signals()
    heard.obey()
    with pytest.raises(GbgError):
        heard(signal.SIGINT, None)
    with pytest.raises(Interrupted, match="interrupted by SIGINT"):
        heard.check()


def test_one_that_comes_while_the_sandbox_goes_changes_nothing() -> None:
    heard = Signals()
    heard.obey()
    heard.ignore()
    heard(signal.SIGTERM, None)
    heard.check()


def test_it_is_no_evidence_that_is_missing() -> None:
    found = Gathering()
    with pytest.raises(Interrupted), found.source("fleet"):
        raise Interrupted("rehearse", "interrupted by SIGTERM", "start it again")
    assert found.evidence == {}
