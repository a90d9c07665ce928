"""Trigger words: the rare token by which a model's subject is called in a prompt."""

import re
import secrets
from functools import cache
from pathlib import Path

from starbooth.base.database import Tx, sql
from starbooth.domain.trainings.errors import TriggerFlaw, TriggerRefused

LEAST_LETTERS, MOST_LETTERS = 3, 20
_FORM = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
# Letters that few words of any language put side by side: no word is hit, and a text model knows none of it.
_RARE = "qxzvkjw"
_VOWELS = "aiouy"
_SYLLABLES = 3
_COMMON = Path(__file__).with_name("common_words.txt")
_TRIES = 20


async def propose_trigger_word(tx: Tx, *, user_id: str) -> str:
    """A rare word that none of this guest's models has. Every call draws another one."""
    for _ in range(_TRIES):
        word = "".join(secrets.choice(_RARE) + secrets.choice(_VOWELS) for _ in range(_SYLLABLES))
        if word not in common_words() and not await _is_taken(tx, word, user_id=user_id):
            return word
    raise RuntimeError("of 40,000 words none is free")


async def check_trigger_word(tx: Tx, text: str, *, user_id: str) -> str:
    """The word that the guest wrote, if it can be one: Latin letters, digits, - and _, no common word, and
    not that of another model of theirs.

    Raises: TriggerRefused.
    """
    word = text.strip()
    if re.search(r"\s", word):
        raise _refused(TriggerFlaw.SPACE)
    if not LEAST_LETTERS <= len(word) <= MOST_LETTERS:
        raise _refused(TriggerFlaw.LENGTH)
    if not _FORM.fullmatch(word):
        raise _refused(TriggerFlaw.LETTERS)
    if word.lower() in common_words():
        raise _refused(TriggerFlaw.COMMON)
    if await _is_taken(tx, word, user_id=user_id):
        raise _refused(TriggerFlaw.TAKEN)
    return word


@cache
def common_words() -> frozenset[str]:
    """Words that mean something to a model already, in lower case."""
    return frozenset(_COMMON.read_text().split())


async def _is_taken(tx: Tx, word: str, *, user_id: str) -> bool:
    found = await tx.scalar(
        sql(
            'SELECT EXISTS (SELECT FROM public."LoraModel" WHERE "userId" = :user_id'
            ' AND lower("triggerWord") = lower(:word) AND "status" <> \'FAILED\')'
        ),
        {"user_id": user_id, "word": word},
    )
    return bool(found)


def _refused(reason: TriggerFlaw) -> TriggerRefused:
    return TriggerRefused(reason, least=LEAST_LETTERS, most=MOST_LETTERS)
