"""What a gate can't tell waits below the cell for a person; where nobody can be asked it is a refusal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager

ASK = """
from gbg_lib.gates.gate import Judgement, require_open
from gbg_lib.views import person

found = "gbg-elb-5xx is INSUFFICIENT_DATA"
unsure = Judgement("alarms", "no alarm is firing", "can't tell", found, "wait", 300)
[decided] = require_open([unsure], person(""))
print(decided.verdict, "by", decided.decided_by)
"""
SECONDS = 120


@pytest.fixture(scope="module")
def kernel() -> Iterator[BlockingKernelClient]:
    manager = KernelManager(kernel_name="python3")
    manager.start_kernel()
    client = manager.blocking_client()
    client.start_channels()
    client.wait_for_ready(timeout=SECONDS)
    yield client
    client.stop_channels()
    manager.shutdown_kernel(now=True)


class Somebody:
    """Answers in turn what the cell asks, and keeps what was asked and what was shown."""

    def __init__(self, kernel: BlockingKernelClient, *answers: str) -> None:
        self.kernel = kernel
        self.answers = list(answers)
        self.asked: list[str] = []
        self.shown = ""

    def run(self, code: str, *, there: bool = True) -> dict[str, Any]:
        """The reply to the cell; nobody is `there` in a scheduled run."""
        reply: dict[str, Any] = self.kernel.execute_interactive(
            code, allow_stdin=there, stdin_hook=self._answer, output_hook=self._see, timeout=SECONDS
        )
        return dict(reply["content"])

    def _answer(self, message: dict[str, Any]) -> None:
        self.asked.append(message["content"]["prompt"])
        self.kernel.input(self.answers.pop(0))

    def _see(self, message: dict[str, Any]) -> None:
        self.shown += message["content"].get("text", "")


def test_the_question_waits_for_one_of_its_answers(kernel: BlockingKernelClient) -> None:
    somebody = Somebody(kernel, "maybe", " Go ")
    assert somebody.run(ASK)["status"] == "ok"
    assert somebody.shown.endswith("pass by a person\n")
    question = "alarms: can't tell; gbg-elb-5xx is INSUFFICIENT_DATA. Type go or stop: "
    assert somebody.asked == [question] * 2


def test_a_persons_stop_keeps_the_gate_shut(kernel: BlockingKernelClient) -> None:
    reply = Somebody(kernel, "stop").run(ASK)
    assert reply["ename"] == "GateRefused"
    assert "stays shut: it can't tell" in reply["evalue"]


def test_where_nobody_can_be_asked_the_gate_refuses_and_names_the_parameter(
    kernel: BlockingKernelClient,
) -> None:
    reply = Somebody(kernel).run(ASK, there=False)
    assert reply["ename"] == "GateRefused"
    assert "it can't tell whether no alarm is firing" in reply["evalue"]
    assert "-p decision=go" in reply["evalue"]
