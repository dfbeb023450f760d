"""A web site on 127.0.0.1 with given answers."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any


@contextmanager
def serving(answers: Mapping[str, str], otherwise: int = 503) -> Iterator[str]:
    """The site's address; a path that isn't in `answers` has the status `otherwise`."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path in answers else otherwise)
            self.end_headers()
            self.wfile.write(answers.get(self.path, "nobody serves").encode())

        def log_message(self, format: str, *args: Any) -> None:
            """Tests read answers, not logs."""

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()
