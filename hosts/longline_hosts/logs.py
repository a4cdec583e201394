"""Logging, configured in this one place: lines for people, JSON for machines. Secrets are never among the fields."""

import json
import logging
import sys
import time
from collections.abc import Iterator, Mapping
from typing import Final, Literal

from longline.auth.secret_texts import hide_in_text
from longline.auth.secrets import Vault
from longline.encoding import HIDDEN

Style = Literal["lines", "json"]

_NOISY: Final = (
    "aiosqlite", "asyncio", "hpack", "httpcore", "httpcore2", "httpx", "httpx2", "hypercorn", "markdown_it", "mcp",
    "openai", "urllib3", "watchfiles",
)  # fmt: skip
_REPEATING: Final = ("psycopg.pool",)  # warns of each attempt to connect; the storage tells of outages once
_STANDARD: Final = frozenset(
    logging.LogRecord("", 0, "", 0, "", None, None).__dict__.keys() | {"message", "asctime", "taskName"}
)
_COLOURS: Final = {"DEBUG": "2", "INFO": "32", "WARNING": "33", "ERROR": "31", "CRITICAL": "31;1"}


def configure_logging(style: Style, level: str, always: Mapping[str, object] | None = None) -> None:
    """Send everything that is logged to stderr. Libraries that log each step are quieter by one level. `always` is in
    every JSON line."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter(always) if style == "json" else LineFormatter(is_coloured=sys.stderr.isatty()))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    quiet = logging.INFO if level == "debug" else logging.WARNING
    for name in _NOISY:
        logging.getLogger(name).setLevel(max(quiet, root.level))
    for name in _REPEATING:
        logging.getLogger(name).setLevel(root.level if level == "debug" else max(logging.ERROR, root.level))
    logging.captureWarnings(True)


class LineFormatter(logging.Formatter):
    """`12:00:00 warning run failed  run_id=… error=…`, with the traceback below where there is one."""

    def __init__(self, *, is_coloured: bool) -> None:
        super().__init__()
        self._is_coloured = is_coloured

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        clock = time.strftime("%H:%M:%S", time.localtime(record.created))
        level = f"{record.levelname.lower():7}"
        fields = " ".join(f"{name}={_short(value)}" for name, value in fields_of(record))
        if self._is_coloured:
            clock, fields = f"\x1b[2m{clock}\x1b[0m", f"\x1b[2m{fields}\x1b[0m" if fields else ""
            level = f"\x1b[{_COLOURS.get(record.levelname, '0')}m{level}\x1b[0m"
        line = f"{clock} {level} {record.getMessage()}" + (f"  {fields}" if fields else "")
        return hide_in_text(line + _traceback(self, record))


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time (UTC, ISO 8601), level, logger, message, then the fields."""

    def __init__(self, always: Mapping[str, object] | None = None) -> None:
        super().__init__()
        self._always = dict(always or {})

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        line: dict[str, object] = {
            "time": f"{moment}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **self._always,
        }
        for name, value in fields_of(record):
            line.setdefault(name, value)
        if record.exc_info:
            line["exception"] = _traceback(self, record).strip()
        return hide_in_text(json.dumps(line, ensure_ascii=False, default=str))


def fields_of(record: logging.LogRecord) -> Iterator[tuple[str, object]]:
    """What a record carries beside its message, with everything hidden, at any depth, whose name says that it is a
    secret."""
    for name, value in record.__dict__.items():
        if name not in _STANDARD and not name.startswith("_") and name != "color_message":
            yield name, HIDDEN if _NAMES.is_secret(name) else _shown(value)


_NAMES: Final = Vault(b"\0" * 32)
"""Knows which names are those of secrets; it seals nothing here."""


def _shown(value: object) -> object:
    if isinstance(value, Mapping):
        return {key: HIDDEN if _NAMES.is_secret(str(key)) else _shown(item) for key, item in value.items()}
    return [_shown(item) for item in value] if isinstance(value, list | tuple | set | frozenset) else value


def _short(value: object) -> str:
    text = str(value)
    return json.dumps(text, ensure_ascii=False) if not text or any(c.isspace() or c in '"=' for c in text) else text


def _traceback(formatter: logging.Formatter, record: logging.LogRecord) -> str:
    if not record.exc_info:
        return ""
    return "\n" + formatter.formatException(record.exc_info)
