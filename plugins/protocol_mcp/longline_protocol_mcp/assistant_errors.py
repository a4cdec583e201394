"""What can be wrong with a call of an assistant's tool. The messages are for models, which mend it and try again."""

from collections.abc import Sequence

from longline.errors import InvalidInputError


class ArgumentsError(InvalidInputError):
    """The arguments do not fit the tool's schema."""

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__("; ".join(faults))
        self.faults = tuple(faults)


class NotPortableError(InvalidInputError):
    """A value that is JSON, and that not every storage can hold."""

    def __init__(self) -> None:
        super().__init__("the arguments hold a number beyond 64 bits, or a text that is no Unicode")


class ThreadIdError(InvalidInputError):
    """The thread's id is none."""

    def __init__(self) -> None:
        super().__init__("thread_id must be a UUID, such as the thread_id of an earlier answer")


class MessageMissingError(InvalidInputError):
    """A chat without a word."""

    def __init__(self) -> None:
        super().__init__("messages is missing: the user message to send to the agent")


class TwoMessagesError(InvalidInputError):
    """Both names of the message were used, and not alike."""

    def __init__(self) -> None:
        super().__init__("messages and message say different things: give one of the two")


class NothingAskedError(InvalidInputError):
    """An answer, and no question."""

    def __init__(self) -> None:
        super().__init__("there is nothing to resume: no question waits in the thread of that thread_id")


class SeveralAskedError(InvalidInputError):
    """One answer, and several questions."""

    def __init__(self, ids: Sequence[str]) -> None:
        super().__init__(f"the agent asks {len(ids)} things: resume must be an object with the keys {', '.join(ids)}")
        self.ids = tuple(ids)


class CursorError(InvalidInputError):
    """The cursor is none of ours."""

    def __init__(self) -> None:
        super().__init__("unknown cursor: give the nextCursor of the page before, as it was")
