"""What is wrong with credentials, in words that may be told, each with a kind that is counted."""

from typing import Final

from longline.errors import IdentityAwayError, UnauthenticatedError

REASONS: Final = {
    "algorithm": "the token is signed in a way that is not accepted",
    "anonymous": "anonymous users are not let in",
    "anon_key": "an API key is no token of a user; sign in first",
    "audience": "the token is for somebody else",
    "claim": "the token lacks a claim, or has one that cannot be used",
    "expired": "the token has expired",
    "header": "the token has a header that is not accepted",
    "issuer": "the token comes from somebody else",
    "key": "the token is signed with a key that is not known",
    "malformed": "the token cannot be read",
    "not_yet": "the token is not valid yet",
    "revoked": "the session of the token has ended",
    "role": "the token has a role that is not let in",
    "service_role": "a service key is no token of a user",
    "signature": "the signature of the token is wrong",
    "size": "the token is too long",
}
"""Every kind of refusal, and what the caller is told. Nothing of a token is repeated."""


class TokenRefusedError(UnauthenticatedError):
    """A token of this project, or one that says so, is not accepted. `kind` is one of REASONS."""

    def __init__(self, kind: str) -> None:
        super().__init__(REASONS[kind])
        self.kind = kind
        self.challenge = f'Bearer error="invalid_token", error_description="{self.reason}"'


class NoAnswerError(IdentityAwayError):
    """The Auth server takes too long."""

    def __init__(self, path: str, seconds: float) -> None:
        super().__init__(f"no answer from {path} in {seconds:g} seconds")


class UnreachableError(IdentityAwayError):
    """The Auth server is not there, or speaks something else."""

    def __init__(self, path: str, cause: Exception) -> None:
        super().__init__(f"{path} cannot be asked ({type(cause).__name__})")


class BadAnswerError(IdentityAwayError):
    """The Auth server says something that tells nothing."""

    def __init__(self, path: str, what: str) -> None:
        super().__init__(f"{path} answers {what}")


class ApiKeyRefusedError(IdentityAwayError):
    """The project does not know the API key of this server, so it tells nothing about anybody."""

    def __init__(self) -> None:
        super().__init__("the project refuses this server's API key")


class MembersAwayError(IdentityAwayError):
    """The table of members cannot be asked, and was not asked about this user lately."""

    def __init__(self) -> None:
        super().__init__("the database that lists members cannot be asked")
