"""Everything that can be wrong with an MCP server, in words that hold no URL, header or token."""

import httpx

from longline.errors import UrlRefusedError
from longline_agent_tools.errors import McpFailedError
from longline_agent_tools.pinned import AnswerEncodedError, AnswerTooLargeError


def refused_url(reason: str) -> McpFailedError:
    """The operator does not want it to be called."""
    return McpFailedError(f"its URL is refused: {reason}")


def broken_url() -> McpFailedError:
    """Nobody can call that."""
    return McpFailedError("its URL is none that can be called")


def unfit_header() -> McpFailedError:
    """The configuration gives it a header that cannot be set."""
    return McpFailedError("its headers have one that cannot be set")


def unsendable() -> McpFailedError:
    """A secret that would break its header, and then stand in an error."""
    return McpFailedError("a token or header for it holds characters that no HTTP header can carry")


def unsendable_arguments() -> McpFailedError:
    """Nobody can send halves of signs; models write them now and then."""
    return McpFailedError("the arguments hold characters that are no text")


def unreachable() -> McpFailedError:
    """Nobody answers there."""
    return McpFailedError("it cannot be reached", is_broken=True)


def broken(*, may_have_run: bool) -> McpFailedError:
    """The connection ended in between."""
    return McpFailedError("the connection broke", may_have_run=may_have_run, is_broken=True)


def ended_early() -> McpFailedError:
    """It began an answer and did not end it."""
    return McpFailedError("it ended its answer too early", may_have_run=True, is_broken=True)


def silent() -> McpFailedError:
    """It took too long."""
    return McpFailedError("it was silent for too long", may_have_run=True)


def no_mcp(status: int | None = None) -> McpFailedError:
    """It said something that MCP does not know."""
    return McpFailedError("it answers what is no MCP", may_have_run=True, status=status)


def other_version() -> McpFailedError:
    """It speaks MCP, but none that is known here."""
    return McpFailedError("it speaks a version of MCP that is not known here")


def said_no(message: str, *, may_have_run: bool) -> McpFailedError:
    """It answered an error of its own. The message is the server's."""
    return McpFailedError(f"it answers an error: {message}", may_have_run=may_have_run)


def unusable(error: BaseException) -> McpFailedError:
    """Something of the SDK's that nobody foresaw."""
    return McpFailedError(f"it cannot be talked to ({type(error).__name__})")


def no_token() -> McpFailedError:
    """The run has no token of its caller, or one that has ended."""
    return McpFailedError("it needs the caller's token, and this run has none that is good (any more)")


def token_withheld() -> McpFailedError:
    """The operator does not want callers' tokens to go there."""
    return McpFailedError("callers' tokens must not go there; see agent_tools.mcp_token_domains")


def exchange_refused_url(reason: str) -> McpFailedError:
    """The operator does not want tokens to be exchanged there."""
    return McpFailedError(f"the URL of its token exchange is refused: {reason}")


def exchange_unreachable() -> McpFailedError:
    """Nobody exchanges tokens for it now."""
    return McpFailedError("its token exchange cannot be reached")


def exchange_refused(status: int, code: str) -> McpFailedError:
    """The caller gets no token for it."""
    shown = f", {code}" if code else ""
    return McpFailedError(f"its token exchange refuses the caller (HTTP {status}{shown})", status=status)


def exchange_broken() -> McpFailedError:
    """The answer has no token that can be used."""
    return McpFailedError("its token exchange answers without a token that can be used")


def failure_of(error: Exception) -> McpFailedError | None:  # noqa: PLR0911  # a table
    """What went wrong on the way to a server; None for an exception of something else."""
    if isinstance(error, McpFailedError):
        return error
    if isinstance(error, UrlRefusedError):
        return refused_url(error.reason)
    if isinstance(error, AnswerTooLargeError):
        return McpFailedError("its answer is too large; see agent_tools.mcp_answer_mib", may_have_run=True)
    if isinstance(error, AnswerEncodedError):
        return McpFailedError("its answer is compressed, which it was asked not to do", may_have_run=True)
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout):
        return unreachable()
    if isinstance(error, httpx.TransportError):
        return silent() if isinstance(error, httpx.TimeoutException) else broken(may_have_run=True)
    return McpFailedError("its host has no address") if isinstance(error, OSError) else None
