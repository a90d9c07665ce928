"""Buttons of lists of models: what they say comes back as it was, within 64 bytes, and nothing else does."""

import pytest

from starbooth.domain.models.makers import Shows
from starbooth.domain.models.reports import Reason
from starbooth.domain.models.shelves import Place, Shelf
from starbooth.doors.bot.model_moves import Move, Verb, parse_move

LORA = "c" + "z" * 24
NUMBER = 2**53
MOVES = [
    *(Move(verb=Verb.SHELF, list_id=NUMBER, shelf=shelf) for shelf in Shelf),
    *(Move(verb=verb, list_id=2**30, place=Place(rank=2**53, lora_id=LORA)) for verb in (Verb.ON, Verb.BACK)),
    Move(verb=Verb.PAGE, list_id=NUMBER),
    Move(verb=Verb.SEARCH, list_id=NUMBER),
    *(Move(verb=Verb.SHOW_AS, list_id=NUMBER, lora_id=LORA, value=each.value) for each in Shows),
    *(Move(verb=Verb.REASON, list_id=NUMBER, lora_id=LORA, value=each.value) for each in Reason),
    Move(verb=Verb.FEE, list_id=NUMBER, lora_id=LORA, value="0"),
    Move(verb=Verb.PREVIEW, list_id=NUMBER, lora_id=LORA, value="6"),
    *(
        Move(verb=verb, list_id=NUMBER, lora_id=LORA)
        for verb in (Verb.OPEN, Verb.USE, Verb.LEAVE, Verb.MARK, Verb.UNMARK, Verb.SHARE, Verb.PUBLISH)
    ),
    *(
        Move(verb=verb, list_id=NUMBER, lora_id=LORA)
        for verb in (Verb.UNPUBLISH, Verb.FEES, Verb.RENAME, Verb.PREVIEWS, Verb.EXPORT, Verb.ASK_DELETE)
    ),
    *(Move(verb=verb, list_id=NUMBER, lora_id=LORA) for verb in (Verb.DELETE, Verb.REPORT)),
]


def test_every_verb_is_tried() -> None:
    assert {move.verb for move in MOVES} == set(Verb)


@pytest.mark.parametrize("move", MOVES, ids=str)
def test_a_move_comes_back_as_it_was_in_64_bytes(move: Move) -> None:
    assert len(str(move).encode()) <= 64
    assert parse_move(str(move)) == move


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "m:",
        "m:see",
        "m:see:1",
        "m:see:1:",
        f"m:see:1:{LORA}:more",
        "m:see:x!:c1",
        f"m:fee:1:{LORA}",
        f"m:fee:1:{LORA}:5000",
        f"m:fee:1:{LORA}:٣",
        f"m:why:1:{LORA}:ugly",
        "m:shelf:1:all",
        "m:on:1:5",
        "m:page:1:x",
        "m:burn:1:c1",
        f"g:see:1:{LORA}",
    ],
)
def test_what_no_button_says_is_not_understood(text: str | None) -> None:
    assert parse_move(text) is None
