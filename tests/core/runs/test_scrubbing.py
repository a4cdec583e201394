"""Errors lose the secrets of their run where they are raised, and stay what they were."""

from collections.abc import Callable
from typing import Any

import pytest
from langchain_core.callbacks import AsyncCallbackHandler, BaseCallbackHandler
from langchain_core.runnables import RunnableLambda
from langgraph.errors import GraphInterrupt
from langgraph.types import Interrupt

from longline.models.threads import RunFailure
from longline.runs.failures import ScrubbedError, describe_failure, loggable
from longline.runs.scrubbing import error_scrubber, scrub_error

SECRET = "geheim-1"


def scrub(text: str) -> str:
    return text.replace(SECRET, "***")


def raised(raiser: Callable[[], object]) -> BaseException:
    with pytest.raises(BaseException, match=r".") as caught:
        raiser()
    return caught.value


def chained() -> None:
    try:
        raise KeyError(SECRET)
    except KeyError as error:
        error.add_note(f"with {SECRET}")
        raise ValueError(f"refused {SECRET}", 5, SECRET) from error


def test_an_error_and_all_that_led_to_it_lose_their_secrets() -> None:
    error = raised(chained)
    scrub_error(error, scrub)
    assert isinstance(error, ValueError)
    assert error.args == ("refused ***", 5, "***")
    assert error.__cause__ is not None
    assert error.__cause__.args == ("***",)
    assert error.__cause__.__notes__ == ["with ***"]


def test_errors_of_groups_and_circles_lose_theirs() -> None:
    inner = ValueError(SECRET)
    inner.__context__ = inner
    group = ExceptionGroup("some", [inner, ExceptionGroup(SECRET, [OSError(2, SECRET)])])
    scrub_error(group, scrub)
    assert inner.args == ("***",)
    assert group.exceptions[1].args[0] == "***"


def test_what_is_no_text_stays() -> None:
    value = Interrupt(value={"ask": SECRET}, id="i")
    interrupt = GraphInterrupt([value])
    before = interrupt.args
    scrub_error(interrupt, scrub)
    assert interrupt.args is before


class Tracer(AsyncCallbackHandler):
    """As those that send traces."""

    run_inline = True

    def __init__(self) -> None:
        self.told: list[str] = []

    async def on_chain_error(self, error: BaseException, **_: Any) -> None:
        self.told.append(str(error))


@pytest.mark.anyio
async def test_whoever_traces_a_run_is_told_of_its_errors_without_secrets() -> None:
    def fail(_: object) -> None:
        raise ValueError(f"refused {SECRET}")

    tracer = Tracer()
    callbacks: list[BaseCallbackHandler] = [error_scrubber(scrub), tracer]
    runnable = RunnableLambda(fail)
    with pytest.raises(ValueError, match=r"^refused \*\*\*$"):
        await runnable.ainvoke(1, {"callbacks": callbacks})
    with pytest.raises(ValueError, match=r"^refused \*\*\*$"):
        runnable.invoke(1, {"callbacks": callbacks})
    assert tracer.told == ["refused ***", "refused ***"]


def test_what_is_stored_of_a_failure_holds_no_secret() -> None:
    assert describe_failure(raised(chained), scrub) == RunFailure(
        error="ValueError", message="('refused ***', 5, '***')"
    )
    assert describe_failure(ValueError("x" * 19_995 + SECRET), scrub).message.endswith("x***")


def test_what_is_logged_of_a_failure_is_the_error_itself_unless_it_holds_a_secret() -> None:
    plain = ValueError("boom")
    assert loggable(plain, scrub) is plain
    error = raised(chained)
    shown = loggable(error, scrub)
    assert isinstance(shown, ScrubbedError)
    assert str(shown) == "ValueError: ('refused ***', 5, '***')"
    assert shown.__traceback__ is error.__traceback__
    assert shown.__cause__ is None
