"""Configurable values and context are two names for one thing: each stands for the other where one is missing."""

from longline.errors import ContextAndConfigurableError
from longline.models.json import JsonObject, as_object


def paired(config: JsonObject | None, context: JsonObject | None) -> tuple[JsonObject, JsonObject]:
    """The two as an assistant keeps them. Raises ContextAndConfigurableError where they contradict each other."""
    config = dict(config or {})
    configurable = config.get("configurable")
    if configurable and context:
        if configurable != context:
            raise ContextAndConfigurableError
        return config, context
    if context:
        return {**config, "configurable": context}, context
    return config, as_object(configurable)
