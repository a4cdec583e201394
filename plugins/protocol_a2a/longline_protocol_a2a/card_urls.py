"""Where the server is, as a caller reaches it: for the URLs in agent cards."""

import re
from typing import Final

from longline.asgi.origins import header
from longline.asgi.types import Scope

_HOST: Final = re.compile(r"[A-Za-z0-9._\-]+(:\d{1,5})?|\[[0-9A-Fa-f:.]+\](:\d{1,5})?")


def server_url(scope: Scope, mount: str, public_url: str) -> str:
    """The URL of the whole server, without a slash at the end. `mount` is the path of the mount that got the request.

    Headers in which proxies say what they were called are not believed: whoever sends them could have a cache hand out
    cards that lead callers, and their tokens, elsewhere. Behind a proxy that hides the name, `public_url` is needed."""
    if public_url:
        return public_url.rstrip("/")
    root = str(scope.get("root_path", "")).removesuffix(mount)
    return f"{scope.get('scheme', 'http')}://{_host_of(scope)}{root}".rstrip("/")


def _host_of(scope: Scope) -> str:
    host = header(scope, b"host")
    if _HOST.fullmatch(host):
        return host
    name, port = scope.get("server") or ("localhost", None)
    name = f"[{name}]" if ":" in name else name
    return f"{name}:{port}" if port else str(name)
