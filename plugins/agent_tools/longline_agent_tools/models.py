"""A choice → a LangChain chat model. Each provider's package is imported by the first run that needs it."""

import re
from typing import TYPE_CHECKING, Any, Final

from longline.slow_imports import import_alone
from longline_agent_tools.errors import BadModelNameError, ModelPackageMissingError, ModelSetupError
from longline_agent_tools.failures import scrub
from longline_agent_tools.model_choice import NO_KEY, ModelChoice
from longline_agent_tools.settings import AgentToolsSettings

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

_OPENAI_URL: Final = "https://api.openai.com/v1"
_PACKAGE = re.compile(r"pip install -?-?U? ?([A-Za-z0-9_.\-]+)")


def build_model(choice: ModelChoice, settings: AgentToolsSettings) -> "BaseChatModel":
    """The model. Blocks for seconds if its package was not imported before. Raises BadModelNameError for an unknown
    provider, ModelSetupError for refused values, ModelPackageMissingError."""
    if choice.provider == "demo":
        from longline_agent_tools.demo_model import ChatDemo  # noqa: PLC0415  # beside its siblings

        return ChatDemo(max_tokens=choice.max_tokens, word_seconds=settings.demo_word_seconds)
    if choice.provider == "openai":
        return _openai(choice, settings)
    return _other(choice)


def import_openai() -> None:
    """Whatever takes a while the first time: 1.7 s, and 89 MB. Runs on a worker thread. Raises ImportError."""
    import_alone("langchain_openai", "longline_agent_tools.timeouts")


def _openai(choice: ModelChoice, settings: AgentToolsSettings) -> "BaseChatModel":
    import_openai()
    from langchain_openai import ChatOpenAI  # noqa: PLC0415  # slow to import

    from longline_agent_tools.timeouts import SharedTimeout  # noqa: PLC0415  # imports the same HTTP client

    is_openai = choice.base_url is None
    limits: dict[str, Any] = {}
    if choice.max_tokens is not None:
        # OpenAI wants `max_completion_tokens`; the older name is what every other endpoint knows.
        limits = {"max_tokens": choice.max_tokens} if is_openai else {"extra_body": {"max_tokens": choice.max_tokens}}
    return ChatOpenAI(
        model=choice.model,
        base_url=choice.base_url or _OPENAI_URL,  # said aloud: unset, it comes from the environment
        api_key=choice.key or NO_KEY,
        temperature=choice.temperature,
        timeout=SharedTimeout(settings.timeout_seconds, connect=settings.connect_seconds),
        stream_chunk_timeout=settings.timeout_seconds,
        max_retries=settings.max_retries,
        stream_usage=is_openai or settings.stream_usage,
        use_responses_api=None if is_openai else False,
        **limits,
    )


def _other(choice: ModelChoice) -> "BaseChatModel":
    from langchain.chat_models import init_chat_model  # noqa: PLC0415  # the graph has imported it by now

    options: dict[str, Any] = {
        "temperature": choice.temperature,
        "max_tokens": choice.max_tokens,
        "base_url": choice.base_url,
        "api_key": choice.key,
    }
    given = {name: value for name, value in options.items() if value is not None}
    try:
        model: BaseChatModel = init_chat_model(choice.model, model_provider=choice.provider, **given)
    except ImportError as error:
        found = _PACKAGE.search(str(error))
        package = found.group(1) if found else f"langchain-{choice.provider.replace('_', '-')}"
        raise ModelPackageMissingError(choice.name, package) from error
    except Exception as error:  # noqa: BLE001  # each package checks in its own way, and may quote a key in doing so
        if isinstance(error, ValueError) and str(error).startswith("Unsupported provider"):
            raise BadModelNameError(choice.name, "names an unknown provider") from None
        raise ModelSetupError(choice.name, scrub(f"{type(error).__name__}: {error}", choice.key)) from None
    return model
