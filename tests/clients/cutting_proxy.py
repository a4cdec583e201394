"""A TCP proxy that cuts connections when it is told to, and remembers what was asked through it."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

_CHUNK = 65536


@dataclass(slots=True)
class CuttingProxy:
    """Forwards to a port. `cut_when(data)` is asked about each piece of an answer, before it goes on."""

    port: int
    target: int
    cut_when: Callable[[bytes], bool] = lambda data: False
    cuts: int = 0
    requests: list[bytes] = field(default_factory=list)
    """The first bytes of every connection's requests: request line and headers."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def cut_after(self, *marks: bytes) -> None:
        """Cut the connection on which each of these marks passes by; each works once, in turn."""
        left = list(marks)

        def has_mark(data: bytes) -> bool:
            if left and left[0] in data:
                left.pop(0)
                return True
            return False

        self.cut_when = has_mark

    def serve(self, client: socket.socket) -> None:
        """Both directions of one connection, to its end."""
        with client, socket.create_connection(("127.0.0.1", self.target)) as server:
            asking = threading.Thread(target=self._ask, args=(client, server))
            asking.start()
            self._answer(server, client)
            for end in (client, server):
                with suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
            asking.join(10)

    def _ask(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            while data := client.recv(_CHUNK):
                self.requests.append(data)
                server.sendall(data)
        with suppress(OSError):
            server.shutdown(socket.SHUT_RDWR)

    def _answer(self, server: socket.socket, client: socket.socket) -> None:
        with suppress(OSError):
            while data := server.recv(_CHUNK):
                client.sendall(data)
                if self.cut_when(data):
                    self.cuts += 1
                    return


@contextmanager
def cutting_proxy(target: int) -> Iterator[CuttingProxy]:
    """A proxy on a free port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        proxy = CuttingProxy(port=listener.getsockname()[1], target=target)
        threads: list[threading.Thread] = []

        def accept() -> None:
            with suppress(OSError):
                while True:
                    thread = threading.Thread(target=proxy.serve, args=(listener.accept()[0],), daemon=True)
                    threads.append(thread)
                    thread.start()

        accepting = threading.Thread(target=accept)
        accepting.start()
        try:
            yield proxy
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            accepting.join(10)
            for thread in threads:
                thread.join(10)
