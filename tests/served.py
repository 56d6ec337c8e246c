"""A web server on this machine that answers as it is told, for tests of what asks the network."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Seen(list[tuple[str, str, str]]):
    """(method, path, user agent) of each request, and the server's address."""

    address: str = ""


@contextmanager
def served(answers: dict[str, tuple[int, str]]) -> Iterator[Seen]:
    """`answers` is {path without query: (status, text)}; any other path is 404."""
    seen = Seen()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append((self.command, self.path, self.headers["User-Agent"]))
            status, text = answers.get(self.path.partition("?")[0], (404, ""))
            if self.command == "HEAD" and status == 405:
                text = ""
            elif status == 405:
                status = 200
            self.send_response(status)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(text.encode())

        do_HEAD = do_GET

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    seen.address = f"http://127.0.0.1:{server.server_port}"
    try:
        yield seen
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
