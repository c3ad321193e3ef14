"""A real HTTP target for pages, on a free port of this machine. It can refuse, and it can be slow."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Target:
    """What arrived, in order: (seconds of time.monotonic, headers, page)."""

    def __init__(self) -> None:
        self.arrived: list[tuple[float, dict[str, str], dict[str, Any]]] = []
        self.refuse = 0  # so many requests from now on get a 503
        self.slow_s = 0.0
        self.url = ""

    def pages(self, stage: str = "") -> list[dict[str, Any]]:
        """The pages that were taken, of one stage or all."""
        return [page for _, _, page in self.arrived if not stage or page["stage"] == stage]


@contextlib.contextmanager
def a_target() -> Iterator[Target]:
    """Listening; gone afterwards."""
    target = Target()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            time.sleep(target.slow_s)
            status = 204
            if target.refuse:
                target.refuse -= 1
                status = 503
            else:
                target.arrived.append((time.monotonic(), dict(self.headers), json.loads(body)))
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    target.url = f"http://127.0.0.1:{server.server_address[1]}/hook/a-secret-path?to=me"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield target
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
