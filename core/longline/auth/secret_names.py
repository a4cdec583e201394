"""Which names say that a secret stands below them: of config keys, headers, log fields and parameters of a URL."""

import re

_WORD_BREAK = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|[-.\s]")
_SECRET_NAME = re.compile(
    r"(^|_)((api|secret|private|access|signing|encryption)_?keys?|secrets?|passwords?|passwd|passphrase|pwd"
    r"|authorization|credentials?|cookies?|headers|auth(orization)?_?header"
    r"|(access|refresh|auth|id|bearer|session|api|client|service|mcp)_?tokens?|token|bearer|jwt)$",
)
_SECRET_PARAMETER = re.compile(r"(auth|code|key|sas)|(.*_)?(sig|signature|hmac)")


def names_secret(name: str) -> bool:
    """Whether what stands below a key of this name is secret. CamelCase, dots and hyphens separate words. All `headers`
    are: which of them a server wants to be shown is known to nobody else."""
    return _SECRET_NAME.search(_words(name)) is not None


def names_secret_parameter(name: str) -> bool:
    """Whether a parameter of this name in a URL is secret: these have shorter names (`?key=`, `X-Amz-Signature`)."""
    words = _words(name)
    return _SECRET_NAME.search(words) is not None or _SECRET_PARAMETER.fullmatch(words) is not None


def _words(name: str) -> str:
    return _WORD_BREAK.sub("_", name).lower()
