"""What stops a host from starting, each in a sentence that says what to do."""

import sys

from longline.errors import LonglineError


def print_error(error: LonglineError) -> None:
    """Show a user error on stderr: its sentences, nothing else."""
    for line in str(error).splitlines():
        print(f"longline: {line}", file=sys.stderr)  # noqa: T201  # a command talks to a person


class HostError(LonglineError):
    """The server cannot be hosted as asked."""

    code = "host_error"


class PortBusyError(HostError):
    """Something listens there already. Another port is never taken instead."""

    code = "port_busy"

    def __init__(self, host: str, port: int) -> None:
        super().__init__(f"port {port} on {host} is in use by another program; stop that, or choose a --port")
        self.host = host
        self.port = port


class CannotListenError(HostError):
    """The system refuses the address for another reason."""

    def __init__(self, host: str, port: int, reason: str) -> None:
        super().__init__(f"cannot listen on {host} port {port}: {reason}")
        self.host = host
        self.port = port


class OpenToEveryoneError(HostError):
    """Without an authenticator every caller is the one local user: fit for this machine only."""

    code = "open_to_everyone"

    def __init__(self, host: str) -> None:
        super().__init__(
            f"{host} can be reached from other machines, and nobody would have to say who they are; "
            f"configure an authenticator (e.g. [static_tokens] in longline.toml), or listen on 127.0.0.1"
        )
        self.host = host


class NoAuthenticatorError(HostError):
    """`serve` lets nobody in without credentials, unless it is told to by name."""

    code = "no_authenticator"

    def __init__(self) -> None:
        super().__init__(
            "no authenticator is configured, so everyone could do everything; configure one (e.g. [static_tokens] in "
            "longline.toml), or start with --insecure-no-auth if something in front of this server lets people in"
        )


class OneOwnerError(HostError):
    """A database with one owner cannot be served by several processes."""

    code = "one_owner"

    def __init__(self, workers: int, scheme: str) -> None:
        super().__init__(
            f"--workers {workers}: a {scheme}:// database is served by one process (an SQLite file has one owner); "
            f"leave --workers out and raise --runs for more runs at once, or give --database postgresql://…"
        )
        self.workers = workers


class CannotTellError(HostError):
    """The plugin of this kind of database does not say which migrations have not run."""

    code = "cannot_tell"

    def __init__(self, scheme: str) -> None:
        super().__init__(f"the plugin for {scheme}:// cannot say which migrations have not run; run `longline migrate`")


class BadVariableError(HostError):
    """An environment variable of the host has a value that it cannot use."""

    code = "bad_variable"

    def __init__(self, name: str, value: str, wanted: str) -> None:
        super().__init__(f"bad value for {name}: {wanted} is expected, got {value!r}")
        self.name = name


class UnknownVariableError(HostError):
    """A LONGLINE_* variable that nobody reads: probably a slip of the pen."""

    code = "unknown_variable"

    def __init__(self, name: str, known: str) -> None:
        super().__init__(f"unknown environment variable {name}; there are: {known}, and LONGLINE_<SECTION>__<KEY>")
        self.name = name


class NoSuchFileError(HostError):
    """A file that was named is not there, or is of the wrong kind."""

    code = "no_such_file"

    def __init__(self, path: str, wanted: str) -> None:
        super().__init__(f"{path}: {wanted}")
        self.path = path


class BadThreadError(HostError):
    """--thread names no thread that could exist."""

    code = "bad_thread"

    def __init__(self, text: str) -> None:
        super().__init__(f"--thread {text}: the id of a thread is a UUID")


class OwnerUnknownError(HostError):
    """A server has the database, and it did not say in this folder where it listens."""

    code = "owner_unknown"

    def __init__(self, place: str, owner: str) -> None:
        super().__init__(f"{place} is in use by another Longline server ({owner}); name that server with --url")
        self.place = place


class HeldByServerError(HostError):
    """A server has the database for itself, and a command needs it."""

    code = "held_by_server"

    def __init__(self, place: str, owner: str, instead: str) -> None:
        more = f", {instead}" if instead else ""
        super().__init__(f"{place} is in use by a running server ({owner}): stop that{more}")
        self.place = place


class ServerUnreachableError(HostError):
    """No server answers at a URL, or it went away in the middle."""

    code = "server_unreachable"

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(f"the server at {url} does not answer: {reason}; is it running?")
        self.url = url


class ServerRefusedError(HostError):
    """The server answers with an error."""

    code = "server_refused"

    def __init__(self, url: str, status: int, detail: str) -> None:
        super().__init__(f"{url} answers {status}: {detail}")
        self.status = status
