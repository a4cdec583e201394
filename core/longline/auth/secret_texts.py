"""Texts for people, such as errors and lines of a log: without what can be told to be a secret by its looks."""

import re

from longline.auth.secret_urls import hide_in_url
from longline.encoding import HIDDEN

_URL = re.compile(r"\b[a-z][a-z0-9+.\-]*://[^\s\"'<>\\^`{|}]+", re.IGNORECASE)
_BEARER = re.compile(r"\b(bearer)\s+[a-z0-9._~+/=\-]{16,}", re.IGNORECASE)
# RFC 7519: the first part is a JSON object in base64url, whose first two bytes are always `{"`.
_JWT = re.compile(r"\beyJ[\w\-]{5,}\.[\w\-]{2,}\.[\w\-]*", re.ASCII)


def hide_in_text(text: str) -> str:
    """The text with `***` for the secrets of URLs in it, for bearer tokens, and for JSON Web Tokens."""
    if "://" in text:
        text = _URL.sub(lambda found: hide_in_url(found.group()), text)
    if "eyJ" in text:
        text = _JWT.sub(HIDDEN, text)
    return _BEARER.sub(rf"\1 {HIDDEN}", text)
