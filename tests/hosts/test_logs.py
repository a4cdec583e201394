"""What a log line looks like, and that no secret is in one."""

import json
import logging
import re
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longline_hosts.logs import JsonFormatter, LineFormatter
from tests.hosts.command import clean_environment


def record(message: str = "run claimed", level: int = logging.INFO, **fields: object) -> logging.LogRecord:
    made = logging.LogRecord("longline.runs", level, "file.py", 1, message, None, None)
    made.__dict__.update(fields)
    return made


LINES = LineFormatter(is_coloured=False)


def test_a_line_has_time_level_message_and_fields_in_order() -> None:
    line = LINES.format(record(run_id="r-1", attempt=2, reason="no such pond"))
    assert re.fullmatch(r'\d\d:\d\d:\d\d info    run claimed  run_id=r-1 attempt=2 reason="no such pond"', line)


def test_a_json_line_has_time_level_logger_message_and_fields() -> None:
    line = json.loads(JsonFormatter().format(record(run_id="r-1", attempt=2)))
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line.pop("time"))
    assert line == {
        "level": "info", "logger": "longline.runs", "message": "run claimed", "run_id": "r-1", "attempt": 2,
    }  # fmt: skip


@pytest.mark.parametrize("formatter", [LINES, JsonFormatter(), LineFormatter(is_coloured=True)])
@pytest.mark.parametrize("name", ["api_key", "token", "password", "secret_key", "openai_api_key", "authorization"])
def test_a_field_whose_name_says_that_it_is_a_secret_is_hidden(formatter: logging.Formatter, name: str) -> None:
    line = formatter.format(record(**{name: "sk-to-be-hidden"}))
    assert "sk-to-be-hidden" not in line
    assert "***" in line


JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbm4ifQ.c2lnbmF0dXJl"


@pytest.mark.parametrize("formatter", [LINES, JsonFormatter(), LineFormatter(is_coloured=True)])
@pytest.mark.parametrize(
    "value",
    [
        {"servers": [{"url": "https://a.example", "headers": {"X-Any": "hidden-1"}}]},
        {"apiKeys": {"odd": "hidden-1"}},
        [{"deep": ({"custom_api_key": "hidden-1"},)}],
        "https://ann:hidden-1@a.example/",
        {"rag_url": "https://a.example/?token=hidden-1"},
        f"refused {JWT.replace('c2ln', 'hidden-1')}",
    ],
)
def test_a_secret_is_hidden_at_any_depth_and_by_its_looks(formatter: logging.Formatter, value: object) -> None:
    assert "hidden-1" not in formatter.format(record(config=value))


@pytest.mark.parametrize("formatter", [LINES, JsonFormatter()])
def test_messages_and_tracebacks_of_libraries_hold_no_secret_of_a_url(formatter: logging.Formatter) -> None:
    made = record('HTTP Request: GET https://a.example/mcp?token=hidden-1 "HTTP/1.1 200 OK"')
    try:
        raise ValueError("https://ann:hidden-1@a.example refused Bearer hidden-1hidden-1hidden-1")
    except ValueError:
        made.exc_info = sys.exc_info()
    line = formatter.format(made)
    assert "hidden-1" not in line
    assert "https://a.example/mcp?token=***" in line
    assert "https://***@a.example refused Bearer ***" in line


@pytest.mark.parametrize("formatter", [LINES, JsonFormatter()])
def test_a_traceback_is_kept(formatter: logging.Formatter) -> None:
    made = record("run failed", logging.ERROR)
    try:
        raise ValueError("no fish")
    except ValueError:
        made.exc_info = sys.exc_info()
    assert "ValueError: no fish" in formatter.format(made)
    assert "Traceback" in formatter.format(made)


@given(
    st.dictionaries(
        st.sampled_from(["a", "b"]), st.text() | st.none() | st.floats() | st.binary() | st.lists(st.text())
    )
)
def test_any_field_makes_one_line(fields: dict[str, object]) -> None:
    for formatter in (LINES, JsonFormatter()):
        assert len(formatter.format(record(**fields)).split("\n")) == 1
    json.loads(JsonFormatter().format(record(**fields)))


def test_libraries_that_log_each_step_are_quieter_than_the_house() -> None:
    code = (
        "import logging\n"
        "from longline_hosts.logs import configure_logging\n"
        "configure_logging('lines', 'info')\n"
        "logging.getLogger('longline.x').info('ours')\n"
        "logging.getLogger('my_graph').info('theirs')\n"
        "logging.getLogger('httpx').info('noise')\n"
        "logging.getLogger('httpx2').info('noise of each call of a model')\n"
        "logging.getLogger('psycopg.pool').warning('noise of each attempt')\n"
        "logging.getLogger('longline.x').debug('detail')\n"
        "import warnings; warnings.warn('careful')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=clean_environment())
    assert [word in done.stderr for word in ("ours", "theirs", "careful")] == [True] * 3
    assert not any(word in done.stderr for word in ("noise", "detail"))
