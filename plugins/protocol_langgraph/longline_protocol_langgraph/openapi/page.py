"""The document for people: one page without anything from elsewhere, which reads `openapi.json` beside it."""

import hashlib
import re
from base64 import b64encode
from functools import cache
from importlib.resources import files

from starlette.responses import HTMLResponse

_STYLE = re.compile(r"<style>(.*?)</style>", re.DOTALL)
_SCRIPT = re.compile(r"<script>(.*?)</script>", re.DOTALL)


def page_reply() -> HTMLResponse:
    """The page. A browser runs the script that is in it and no other, and talks to this server alone."""
    page, policy = _page()
    headers = {"content-security-policy": policy, "x-content-type-options": "nosniff", "referrer-policy": "no-referrer"}
    return HTMLResponse(page, headers=headers)


@cache
def _page() -> tuple[str, str]:
    page = (files(__package__) / "page.html").read_text("utf-8")
    scripts, styles = _hashes(_SCRIPT, page), _hashes(_STYLE, page)
    policy = (
        f"default-src 'none'; script-src {scripts}; style-src {styles}; connect-src 'self'; img-src 'self' data:; "
        f"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return page, policy


def _hashes(pattern: re.Pattern[str], page: str) -> str:
    digests = [hashlib.sha256(found.encode()).digest() for found in pattern.findall(page)]
    return " ".join(f"'sha256-{b64encode(digest).decode()}'" for digest in digests)
