"""A checker of prompts in memory."""

from typing import Literal

from starbooth.domain.generations.checking import PromptCheck
from starbooth.outside.checker.contract import CheckerUnavailable, Question, Verdict


class MemoryChecker:
    """Says no to everything that holds this word; remembers what it was asked."""

    def __init__(self, bad: str = "dragon") -> None:
        self.bad = bad
        self.is_away = False
        self.asked: list[Question] = []

    async def check(self, question: Question) -> Verdict:
        self.asked.append(question)
        if self.is_away:
            raise CheckerUnavailable("checker: it is away")
        is_allowed = self.bad not in question.prompt
        return Verdict(is_allowed=is_allowed, reason="" if is_allowed else "too hot")


def make_check(checker: MemoryChecker, *, when_away: Literal["allow", "refuse"] = "allow") -> PromptCheck:
    """The checker as doors take it."""
    return PromptCheck(checker=checker, when_away=when_away, disguise=lambda user_id: f"who-{user_id[-4:]}")
