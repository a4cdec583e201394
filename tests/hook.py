"""A receiver of calls in threads of its own: for servers in other processes."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Hook:
    """Takes calls, each as its headers and its `body`; while `is_stuck` it never answers them."""

    def __init__(self) -> None:
        self.calls: list[dict[str, str]] = []
        self.is_stuck = threading.Event()
        self._over = threading.Event()
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                hook.calls.append({**headers, "body": body.decode()})
                if hook.is_stuck.is_set():
                    hook._over.wait()
                    return
                self.send_response(204)
                self.end_headers()

            def log_message(self, *facts: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def close(self) -> None:
        self._over.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
