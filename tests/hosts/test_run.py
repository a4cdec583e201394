"""`longline run`: an answer in the terminal, word by word, from this process or from a server."""

import json
import re
import signal
from pathlib import Path

import httpx
import pytest

from tests.hosts.command import longline, running, serving
from tests.hosts.conftest import SAYS, Project

THREAD = re.compile(r"thread ([0-9a-f-]{36}) ")

GRAPHS = (
    SAYS
    + """
import asyncio
from langchain_core.language_models import GenericFakeChatModel
from langchain_core.messages import AIMessage
from langgraph.graph import MessagesState
from langgraph.types import interrupt

def graph_of(node, state=State):
    builder = StateGraph(state)
    builder.add_node("node", node)
    builder.add_edge(START, "node")
    return builder.compile()

async def slowly(state):
    model = GenericFakeChatModel(messages=iter([AIMessage("first second third")]))
    async for chunk in model.astream(state["messages"]):
        if "second" in chunk.content:  # it is on its way to the terminal by now
            await asyncio.sleep(300)

def raises(state):
    raise ValueError("no fish today")

quiet = says("nothing streamed").compile()
slow = graph_of(slowly, MessagesState)
failing = graph_of(raises)
asking = graph_of(lambda state: {"said": interrupt("which pond?")})
whole = graph_of(lambda state: {"messages": [AIMessage("said at once")]}, MessagesState)
"""
)
IDS = ("quiet", "slow", "failing", "asking", "whole")


@pytest.fixture
def folder(project: Project) -> Path:
    return project({name: f"./graphs.py:{name}" for name in IDS}, {"graphs.py": GRAPHS})


def test_the_built_in_agent_answers_in_an_empty_folder_with_its_tool_calls_shown(tmp_path: Path) -> None:
    done = longline(tmp_path, "run", "agent", "What is 2 + 2?")
    assert done.returncode == 0, done.stderr
    call, result, answer = done.stdout.splitlines()
    assert call == '→ calculate(expression="2 + 2")'
    assert result == "← calculate: 4"
    assert "demo" in answer
    assert "4" in answer
    assert THREAD.match(done.stderr)


@pytest.mark.parametrize("where", ["here", "on a server"])
def test_every_kind_of_end_is_told(folder: Path, where: str) -> None:
    def check(*arguments: str) -> None:
        for graph_id, code, text in [
            ("quiet", 0, '"said": "nothing streamed"'),
            ("failing", 1, "failed: ValueError: no fish today"),
            ("asking", 0, 'waiting for an answer: "which pond?"'),
            ("whole", 0, "said at once"),
        ]:
            done = longline(folder, "run", graph_id, '{"messages": []}', *arguments)
            assert text in done.stdout, done.stderr
            assert done.returncode == code
            assert "Traceback" not in done.stderr

    if where == "here":
        check()
    else:
        with serving(folder, "--no-reload") as server:
            check("--url", server.url)


def test_a_thread_is_gone_on_with(tmp_path: Path) -> None:
    first = longline(tmp_path, "run", "agent", "hello")
    found = THREAD.search(first.stderr)
    assert found is not None
    second = longline(tmp_path, "run", "agent", "hello again", "--thread", found.group(1))
    assert "This conversation has 1 message" in first.stdout
    assert "This conversation has 3 messages" in second.stdout


def test_words_are_shown_as_they_come_and_ctrl_c_cancels_the_run(folder: Path) -> None:
    with running(folder, "run", "slow", "hi") as command:
        command.wait_for("first")
        assert command.stop(signal.SIGINT) == 130
        assert "third" not in command.output
        assert "cancelled" in command.output
        assert "Traceback" not in command.output
        thread = THREAD.search(command.output)
    assert thread is not None
    with serving(folder, "--no-reload") as server:
        (run,) = httpx.get(f"{server.url}/threads/{thread.group(1)}/runs").json()
        assert run["status"] == "interrupted"


def test_ctrl_c_cancels_the_run_on_a_server_too(folder: Path) -> None:
    with serving(folder, "--no-reload") as server:
        with running(folder, "run", "slow", "hi", "--url", server.url) as command:
            command.wait_for("first")
            assert command.stop(signal.SIGINT) == 130
            thread = THREAD.search(command.output)
        assert thread is not None
        assert "Traceback" not in command.output
        (run,) = httpx.get(f"{server.url}/threads/{thread.group(1)}/runs").json()
        assert run["status"] == "interrupted"


def test_where_a_server_has_the_database_it_is_asked(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        done = longline(tmp_path, "run", "agent", "What is 2 + 2?")
        assert done.returncode == 0, done.stderr
        assert "← calculate: 4" in done.stdout
        server.wait_for("run ended")


def test_a_server_that_left_no_word_is_to_be_named(tmp_path: Path) -> None:
    with serving(tmp_path, "--no-reload"):
        (tmp_path / ".longline/server.json").unlink()
        done = longline(tmp_path, "run", "agent", "hi")
    assert done.returncode == 2
    assert "is in use by another Longline server" in done.stderr
    assert "--url" in done.stderr


def test_a_token_from_the_environment_opens_a_server(tmp_path: Path) -> None:
    (tmp_path / "longline.toml").write_text('[static_tokens.tokens]\nann = "let-me-in"\n')
    with serving(tmp_path, "--no-reload") as server:
        refused = longline(tmp_path, "run", "agent", "hi", "--url", server.url)
        assert refused.returncode == 2
        assert "401" in refused.stderr
        done = longline(tmp_path, "run", "agent", "hi", "--url", server.url, env={"LONGLINE_TOKEN": "let-me-in"})
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nobody", "hi"], "nobody"),
        (["agent", "hi", "--thread", "not-a-uuid"], "--thread not-a-uuid: the id of a thread is a UUID"),
        (["agent", "hi", "--url", "http://127.0.0.1:1"], "the server at http://127.0.0.1:1 does not answer"),
    ],
)
def test_a_slip_is_told_in_a_sentence(tmp_path: Path, arguments: list[str], words: str) -> None:
    done = longline(tmp_path, "run", *arguments)
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_a_graph_that_does_not_import_is_told_with_file_and_line(project: Project) -> None:
    folder = project({"g": "./g.py:graph"}, {"g.py": "x = 1\nimport no_such_package\n"})
    done = longline(folder, "run", "g", "hi")
    assert done.returncode in (1, 2)
    assert "No module named 'no_such_package'" in done.stdout + done.stderr
    assert "g.py, line 2" in done.stdout + done.stderr


def test_json_is_the_graph_s_input_as_it_is(project: Project) -> None:
    text = SAYS + "def echo(state):\n    return {'said': state['said'] + '!'}\n"
    text += "b = StateGraph(State)\nb.add_node('echo', echo)\nb.add_edge(START, 'echo')\ngraph = b.compile()\n"
    folder = project({"g": "./g.py:graph"}, {"g.py": text})
    done = longline(folder, "run", "g", '{"said": "ahoy"}')
    assert json.loads(done.stdout) == {"said": "ahoy!"}
