"""Signs calls, so that a receiver knows who sent them and that nobody changed them on the way."""

import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime
from typing import Final

TIMESTAMP: Final = "Longline-Timestamp"
"""When the call was made, in whole seconds since 1970."""
SIGNATURE: Final = "Longline-Signature"
"""`v1=` and the HMAC-SHA256 of `<timestamp>.<body>` under the signing secret, in lower-case hex."""


def sign(secret: str, body: bytes, at: datetime) -> Mapping[str, str]:
    """The headers of a signed call."""
    timestamp = str(int(at.timestamp()))
    digest = hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    return {TIMESTAMP: timestamp, SIGNATURE: f"v1={digest}"}
