"""What is said of each photo to who learns from it. Every caption names the trigger word."""

import re

from starbooth.domain.catalog.tables import LoraType
from starbooth.domain.trainings.errors import CaptionTooLong

LONGEST_CAPTION = 500
TRIGGER = "[trigger]"


def clean_caption(text: str) -> str:
    """A guest's caption on one line. Empty goes back to the proposed one. Raises: CaptionTooLong."""
    caption = "".join(letter if letter.isprintable() else " " for letter in text)
    caption = " ".join(caption.split())
    if len(caption) > LONGEST_CAPTION:
        raise CaptionTooLong(limit=LONGEST_CAPTION)
    return caption


def spell_caption(caption: str, lora_type: LoraType | None, trigger_word: str | None) -> str:
    """What is learned: the guest's words or, where there are none, ours, with the trigger word in them.

    `[trigger]` stands for the trigger word, also where none is chosen yet.
    """
    word = trigger_word or TRIGGER
    spelled = (caption or _proposed(lora_type)).replace(TRIGGER, word)
    if re.search(rf"(?<!\w){re.escape(word)}(?!\w)", spelled, re.IGNORECASE):
        return spelled
    return f"{word}, {spelled}"


def _proposed(lora_type: LoraType | None) -> str:
    if lora_type is LoraType.STYLE:
        return f"a picture in the style of {TRIGGER}"
    return f"a photo of {TRIGGER}"
