"""The noes about words. None of them holds what a guest wrote."""

from datetime import timedelta
from typing import ClassVar

from starbooth.base.errors import Refusal


class PromptRefused(Refusal):
    """The operator's rules do not allow this prompt. Nothing was charged; whoever answers counts it.

    cause: "word" or "checker". detail: the entry of the operator's list, or what the checker said.
    """

    code: ClassVar[str] = "prompt_refused"

    def __init__(self, *, user_id: str, request_key: str, cause: str, detail: str) -> None:
        super().__init__(cause)
        self.user_id = user_id
        self.request_key = request_key
        self.cause = cause
        self.detail = detail


class PromptsPaused(Refusal):
    """Too many prompts of this guest were refused lately. `wait`: until the next one is looked at."""

    code: ClassVar[str] = "prompts_paused"

    def __init__(self, *, wait: timedelta) -> None:
        super().__init__(f"again in {wait}")
        self.wait = wait


class PromptUnchecked(Refusal):
    """The operator's checker cannot be asked now, and its word is needed. Nothing was charged."""

    code: ClassVar[str] = "prompt_unchecked"


class PhraseRefused(Refusal):
    """This cannot stand in the word list. `reason`: why, for an operator. Nothing was written."""

    code: ClassVar[str] = "phrase_refused"

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class NoSuchPhrase(Refusal):
    """The word list has no such entry."""

    code: ClassVar[str] = "no_such_phrase"
