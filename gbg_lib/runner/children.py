"""What child processes of a kernel print: in the notebook, in the cell that waited for them, and only there.

ipykernel reads it in a thread that no cell waits for: on a busy machine a child's last words came after the
end of its cell, and were lost. It also repeats them as they are where the kernel was started, which is where
the runner tells its one line.
"""

from __future__ import annotations

import codecs
import os
import select
import threading
from pathlib import Path
from typing import Any

PIPE_BYTES = 1 << 20
"""at least what a pipe holds: one look takes all that is in it (pipe(7))"""


class Heard:
    """Reads in ipykernel's place what comes on one of its streams' descriptors."""

    def __init__(self, stream: Any) -> None:
        _leave(stream)
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._one_reads = threading.Lock()
        threading.Thread(target=self._listen, name="children", daemon=True).start()

    def catch_up(self, _: object = None) -> None:
        """Returns when all that was printed until now is in the stream; called after each cell."""
        with self._one_reads:
            if _events(self._stream._fid, 0):
                self._stream.write(self._decoder.decode(os.read(self._stream._fid, PIPE_BYTES)))

    def _listen(self) -> None:
        while _events(self._stream._fid) & select.POLLIN:
            self.catch_up()


def _events(descriptor: int, milliseconds: int | None = None) -> int:
    """What poll(2) tells of it; 0 when nothing came in time."""
    asked = select.poll()
    asked.register(descriptor, select.POLLIN)
    return sum(events for _, events in asked.poll(milliseconds))


def heard(stream: Any) -> Heard | None:
    """None where ipykernel leaves child processes to themselves."""
    return Heard(stream) if getattr(stream, "_should_watch", False) else None


def _leave(stream: Any) -> None:
    """Ends ipykernel's own thread as its `OutStream.close` does; what it repeats until then goes nowhere."""
    with Path(os.devnull).open("wb") as nowhere:
        os.dup2(nowhere.fileno(), stream._original_stdstream_copy)
    stream._should_watch = False
    os.write(stream._original_stdstream_fd, b"\0")
    stream.watch_fd_thread.join()
