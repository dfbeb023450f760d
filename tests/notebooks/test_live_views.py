"""A live view in a real kernel that is interrupted: the last state stays in the output, nothing goes on."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager

from gbg_lib.views.live.following import INTERRUPTED
from tests.notebooks.compared import settled

SECONDS = 180
WATCH = """
import itertools, threading, time
from datetime import UTC, datetime
from gbg_lib.stacks import StackEvent
from gbg_lib.views import show_stack

def news():
    for number in itertools.count():
        kind, now = "AWS::EC2::VPC", datetime.now(UTC)
        yield StackEvent(str(number), now, f"Part{number % 3}", kind, "CREATE_COMPLETE", "")
        time.sleep(0.05)

threads = threading.active_count()
show_stack(news())
"""


@pytest.fixture
def kernel() -> Iterator[tuple[KernelManager, BlockingKernelClient]]:
    manager = KernelManager(kernel_name="python3")
    manager.start_kernel()
    client = manager.blocking_client()
    client.start_channels()
    client.wait_for_ready(timeout=SECONDS)
    yield manager, client
    client.stop_channels()
    manager.shutdown_kernel(now=True)


def heard(client: BlockingKernelClient, until: Any) -> list[dict[str, Any]]:
    """Messages up to the first that is waited for."""
    messages: list[dict[str, Any]] = []
    deadline = time.monotonic() + SECONDS
    while not messages or not until(messages[-1]):
        messages.append(client.get_iopub_msg(timeout=max(deadline - time.monotonic(), 0.1)))
    return messages


def idle(message: dict[str, Any]) -> bool:
    return bool(message["content"].get("execution_state") == "idle")


def test_an_interrupt_leaves_the_last_state_as_an_output_and_no_thread(
    kernel: tuple[KernelManager, BlockingKernelClient],
) -> None:
    manager, client = kernel
    client.execute(WATCH)
    first = heard(client, lambda message: message["msg_type"] == "update_display_data")
    manager.interrupt_kernel()
    messages = [*first, *heard(client, idle)]
    shown = [
        message["content"]["data"] for message in settled(messages) if message["msg_type"] == "display_data"
    ]
    picture, words = shown
    assert "image/svg+xml" in picture and INTERRUPTED in picture["text/plain"]
    assert INTERRUPTED in words["text/plain"] and INTERRUPTED in words["text/html"]
    [error] = [message["content"] for message in messages if message["msg_type"] == "error"]
    said = "\n".join(error["traceback"])
    assert said.startswith(INTERRUPTED.capitalize()) and "CloudFormation goes on" in said
    assert "Traceback" not in said and "following.py" not in said
    client.execute("print(threading.active_count() - threads)")
    told = [message["content"]["text"] for message in heard(client, idle) if message["msg_type"] == "stream"]
    assert told == ["0\n"]
