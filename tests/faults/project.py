"""The project that the replicas of a fault test serve: graphs whose end depends on every step, in order, done once."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

GRAPHS: Final = '''
"""Steps that leave a trace: each writes down that it begins and ends, and adds to a chain of digests."""

import asyncio, hashlib, json, operator, os, time
from pathlib import Path
from typing import Annotated

from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage
from langchain_core.runnables import RunnableConfig
from langgraph.config import get_stream_writer
from langgraph.graph import START, StateGraph
from typing_extensions import TypedDict

HERE = Path(__file__).parent
EFFECTS = os.open(HERE / "effects.jsonl", os.O_CREAT | os.O_APPEND | os.O_WRONLY)
SPEED = float(os.environ.get("STEP_SECONDS", "1"))


class State(TypedDict, total=False):
    label: str
    hold: str
    steps: Annotated[list[str], operator.add]
    chain: str


def note(what, step, state, config):
    given, metadata = config.get("configurable", {}), config.get("metadata", {})
    line = {
        "what": what, "step": step, "label": state["label"], "thread": given.get("thread_id"),
        "run": metadata.get("run_id"), "attempt": metadata.get("run_attempt", 1), "pid": os.getpid(),
        "at": time.monotonic_ns(),
    }
    os.write(EFFECTS, json.dumps(line).encode() + b"\\n")


def pause(state, step):
    """20 to 150 ms, the same for the same step of the same run."""
    digest = hashlib.sha256(f"{state['label']} {step}".encode()).digest()
    return SPEED * (0.02 + digest[0] / 255 * 0.13)


def result(state, step):
    name = f"{state['label']}.{step}"
    return {"steps": [name], "chain": hashlib.sha256(f"{state.get('chain', '')} {name}".encode()).hexdigest()[:16]}


def slowly(step):
    def node(state, config: RunnableConfig):
        note("begin", step, state, config)
        time.sleep(pause(state, step))
        note("end", step, state, config)
        return result(state, step)

    return node


def telling(step):
    async def node(state, config: RunnableConfig):
        note("begin", step, state, config)
        say = get_stream_writer()
        for number in range(5):
            say({"step": step, "number": number})
            await asyncio.sleep(pause(state, step) / 5)
        note("end", step, state, config)
        return result(state, step)

    return node


def talking(step):
    async def node(state, config: RunnableConfig):
        note("begin", step, state, config)
        words = " ".join(f"{state['label']}-{number}" for number in range(8))
        model = GenericFakeChatModel(messages=iter([AIMessage(words, id=f"{state['label']}-{step}")]))
        async for _ in model.astream("go on", config):
            await asyncio.sleep(pause(state, step) / 8)
        note("end", step, state, config)
        return result(state, step)

    return node


def held(step):
    """Waits for a file of the name that the state gives, if it gives one."""
    async def node(state, config: RunnableConfig):
        note("begin", step, state, config)
        while state.get("hold") and not (HERE / state["hold"]).exists():
            await asyncio.sleep(0.01)
        note("end", step, state, config)
        return result(state, step)

    return node


def blocked(step):
    """The same, in a thread."""
    def node(state, config: RunnableConfig):
        note("begin", step, state, config)
        while state.get("hold") and not (HERE / state["hold"]).exists():
            time.sleep(0.01)
        note("end", step, state, config)
        return result(state, step)

    return node


def line(*steps):
    builder = StateGraph(State)
    last = START
    for name, make in steps:
        builder.add_node(name, make(name))
        builder.add_edge(last, name)
        last = name
    return builder.compile()


steps = line(("one", slowly), ("two", telling), ("three", slowly), ("four", telling))
talk = line(("one", telling), ("two", talking), ("three", slowly), ("four", talking))
hold = line(("one", telling), ("two", held), ("three", telling), ("four", slowly))
block = line(("one", slowly), ("two", blocked), ("three", telling))
async def ticking(state, config: RunnableConfig):
    """Says the time, `count` times, every `pause` seconds."""
    say = get_stream_writer()
    for number in range(state["count"]):
        say({"at": time.monotonic_ns()})
        if state["pause"] or number % 50 == 49:
            await asyncio.sleep(state["pause"])
    return {"chain": str(time.monotonic_ns())}


class Ticks(State, total=False):
    count: int
    pause: float


ticks = StateGraph(Ticks).add_node("one", ticking).add_edge(START, "one").compile()
bare = StateGraph(State).add_node("one", lambda state: {"chain": "done"}).add_edge(START, "one").compile()
'''
GRAPH_IDS: Final = ("steps", "talk", "hold", "block", "ticks", "bare")


def write_project(folder: Path) -> Path:
    """Make the project in a folder, which is given back."""
    (folder / "graphs.py").write_text(GRAPHS)
    graphs = {name: f"./graphs.py:{name}" for name in GRAPH_IDS}
    (folder / "langgraph.json").write_text(json.dumps({"dependencies": ["."], "graphs": graphs}))
    return folder


def effects(folder: Path) -> list[dict]:
    """What the steps wrote down, in order."""
    path = folder / "effects.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def expected_states(folder: Path, threads: Sequence[Sequence[tuple[str, str]]]) -> list[list[dict]]:
    """What undisturbed runs of these graphs (graph id and label, in order, for each thread) leave behind: the state
    after each run. Done by LangGraph itself in a process of its own, without any server."""
    script = (
        "import asyncio, json, sys\n"
        "sys.path.insert(0, '.')\n"
        "import graphs\n"
        "from langgraph.checkpoint.memory import InMemorySaver\n"
        "async def one(thread, number):\n"
        "    saver, states = InMemorySaver(), []\n"
        "    for turn, (graph_id, label) in enumerate(thread):\n"
        "        graph = getattr(graphs, graph_id).copy(update={'checkpointer': saver})\n"
        "        config = {'configurable': {'thread_id': str(number)}, 'metadata': {'run_id': str(turn)}}\n"
        "        states.append(await graph.ainvoke({'label': label}, config))\n"
        "    return states\n"
        "async def main():\n"
        "    threads = json.load(sys.stdin)\n"
        "    found = await asyncio.gather(*(one(thread, number) for number, thread in enumerate(threads)))\n"
        "    print(json.dumps(found))\n"
        "asyncio.run(main())\n"
    )
    env = {**os.environ, "STEP_SECONDS": "0", "LANGSMITH_TRACING": "false"}
    apart = folder / "undisturbed"
    apart.mkdir(exist_ok=True)
    write_project(apart)
    done = subprocess.run(
        [sys.executable, "-c", script], input=json.dumps(threads), text=True, cwd=apart, env=env,
        capture_output=True, timeout=110, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-4000:]
    states: list[list[dict]] = json.loads(done.stdout.splitlines()[-1])
    return states
