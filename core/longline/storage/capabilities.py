"""What not every storage can do. A storage declares it; contract tests skip by these names, visibly."""

from enum import StrEnum


class Capability(StrEnum):
    """An ability that a storage may lack."""

    SHARED = "shared"
    """Several servers may open it at once."""
    SURVIVES_RESTART = "survives_restart"
    """What was committed is there after the process was killed."""
