"""A server that takes the traces that LangChain sends where `LANGSMITH_TRACING` is on, and keeps every byte."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Traces:
    """What was sent. `env` makes a server send it here."""

    url: str
    bodies: list[bytes] = field(default_factory=list)

    @property
    def env(self) -> dict[str, str]:
        return {
            "LANGSMITH_TRACING": "true",
            "LANGSMITH_ENDPOINT": self.url,
            "LANGSMITH_API_KEY": "lsv2-test",
            "LANGSMITH_DISABLE_RUN_COMPRESSION": "true",
        }

    @property
    def everything(self) -> bytes:
        return b"".join(self.bodies)


@contextmanager
def taking_traces() -> Iterator[Traces]:
    """The server, in a thread of its own."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            limits = {"size_limit": 10, "size_limit_bytes": 20_000_000, "scale_up_qsize_trigger": 1000,
                      "scale_up_nthreads_limit": 1, "scale_down_nempty_trigger": 4}  # fmt: skip
            self._answer({"version": "0.13.0", "batch_ingest_config": {"use_multipart_endpoint": True, **limits}})

        def do_POST(self) -> None:
            traces.bodies.append(self._body())
            self._answer({})

        do_PATCH = do_POST  # noqa: N815  # a name of the standard library

        def _body(self) -> bytes:
            if self.headers.get("transfer-encoding", "").lower() != "chunked":
                return self.rfile.read(int(self.headers.get("content-length", 0)))
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return body

        def _answer(self, value: object) -> None:
            content = json.dumps(value).encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the standard library's name
            pass

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    traces = Traces(f"http://127.0.0.1:{httpd.server_address[1]}")
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield traces
    finally:
        httpd.shutdown()
        thread.join()
        httpd.server_close()
