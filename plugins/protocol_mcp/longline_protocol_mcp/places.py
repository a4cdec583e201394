"""Where this server is for whoever calls it: URLs that clients are told."""

from longline.asgi.origins import header
from longline.asgi.types import Scope

_DEFAULT_PORTS = {"http": 80, "https": 443}


def base_url(scope: Scope, public_url: str, mount: str) -> str:
    """The URL of the whole server without a slash at its end: what the operator says, else what the request does. What
    proxies say of themselves is not believed: anybody can send such a header."""
    if public_url:
        return public_url.rstrip("/")
    root = str(scope.get("root_path", ""))
    root = root[: -len(mount)] if mount and root.endswith(mount) else root
    scheme = {"ws": "http", "wss": "https"}.get(scope.get("scheme", "http"), str(scope.get("scheme", "http")))
    return f"{scheme}://{_host(scope, scheme)}{root.rstrip('/')}"


def _host(scope: Scope, scheme: str) -> str:
    given = header(scope, b"host")
    if given and not any(char in given for char in "/\\@\"' \t?#<>"):
        return given
    name, port = (scope.get("server") or ("localhost", None))[:2]
    return name if port in (None, _DEFAULT_PORTS.get(scheme)) else f"{name}:{port}"
