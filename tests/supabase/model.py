"""A model that calls the tools of the German seed and answers with what they said: aimock, over real HTTP.

What it does depends on the last thing the user said; see QUESTIONS. Skips the test with a reason where Node is
missing; fails instead where the variable `CI` is set.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from tests.plugins.agent_tools.aimock import Aimock, Fixture, serve_aimock

API_KEY: Final = "sk-aimock-Zq8-the-operators-key-7fA3"
LAW: Final = "Was sagt das Gesetz zum Kaufvertrag?"
DEADLINE: Final = "Wann endet die Frist?"
BOTH: Final = "Welches Gesetz gilt, und wann endet die Frist dazu?"
SUM: Final = "Wie viel ist 20 + 22?"
GREETING: Final = "Guten Tag!"
ANSWERS: Final = {
    LAW: "Nach § 433 BGB muss der Verkäufer die Sache übergeben.",
    DEADLINE: "Die Frist endet am 31.01.2026.",
    BOTH: "§ 433 BGB gilt, und die Frist endet am 31.01.2026.",
    SUM: "Das Ergebnis ist 42.",
    GREETING: "Grüß Gott, hier ist ein Stellvertreter eines Modells.",
}
"""What is answered to each question, once the tools have said what the answer is made of."""
_LAW_CALL: Final = ("gesetz_suchen", {"suchbegriff": "Kaufvertrag"})
_DEADLINE_CALL: Final = ("fristen_berechnen", {"beginn": "2026-01-01", "tage": 30})
_SUM_CALL: Final = ("calculate", {"expression": "20 + 22"})


def _asks(question: str, *calls: tuple[str, Mapping[str, Any]]) -> Fixture:
    """The first turn: call these tools."""
    called = [{"name": name, "arguments": dict(arguments)} for name, arguments in calls]
    return {"match": {"userMessage": question, "hasToolResult": False}, "response": {"toolCalls": called}}


def _answers(question: str, result: str) -> Fixture:
    """The last turn: answer, if the last tool said this."""
    return {
        "match": {"userMessage": question, "toolResultContains": result},
        "response": {"content": ANSWERS[question]},
    }


def _gives_up(question: str) -> Fixture:
    """The last turn where the tools said something else."""
    return {
        "match": {"userMessage": question, "hasToolResult": True},
        "response": {"content": "Das Werkzeug hat nicht geholfen."},
    }


FIXTURES: Final[tuple[Fixture, ...]] = (
    _asks(LAW, _LAW_CALL),
    _answers(LAW, "§ 433 BGB: Durch den Kaufvertrag"),
    _gives_up(LAW),
    _asks(DEADLINE, _DEADLINE_CALL),
    _answers(DEADLINE, "Die Frist endet am 31.01.2026."),
    _gives_up(DEADLINE),
    _asks(BOTH, _LAW_CALL, _DEADLINE_CALL),
    _answers(BOTH, "Die Frist endet am 31.01.2026."),
    _gives_up(BOTH),
    _asks(SUM, _SUM_CALL),
    _answers(SUM, "42"),
    _gives_up(SUM),
    {"match": {"userMessage": GREETING}, "response": {"content": ANSWERS[GREETING]}},
)


@contextmanager
def serve_model(*more: Fixture, api_key: str = API_KEY) -> Iterator[Aimock]:
    """An OpenAI-compatible endpoint that takes one key. `more` are asked first."""
    with serve_aimock([*more, *FIXTURES], api_key=api_key) as server:
        yield server


def tools_of(request: Mapping[str, Any]) -> list[str]:
    """The names of the tools that a request offered to the model, in its order."""
    return [tool["function"]["name"] for tool in request.get("tools", [])]
