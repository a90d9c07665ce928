"""The noes about what a guest chose: models, photos, LoRAs, values out of range, presets, panels. Pure."""

from markupsafe import Markup

from starbooth.base.errors import Refusal
from starbooth.domain.generations.errors import OutOfRange
from starbooth.domain.pictures.errors import PhotoFlaw, PhotoUnreadable
from starbooth.domain.studio.errors import PresetNameRefused, PresetsFull
from starbooth.doors.bot.words import Words


def word_choice_refusal(refusal: Refusal, words: Words) -> Markup | None:
    """At most 200 characters and without marks; None for any other no."""
    match refusal:
        case OutOfRange():
            return _word_range(refusal, words)
        case PhotoUnreadable():
            return _word_flaw(refusal, words)
        case PresetNameRefused():
            return words.say(
                "A name has 1 to {n} characters. Write another one, or press the button to go back.",
                n=refusal.limit,
            )
        case PresetsFull():
            return words.say(
                "You have {n} presets, which is as many as I keep. Delete one, or save over one by its name.",
                n=refusal.limit,
            )
        case _:
            return _word_plain(refusal.code, words)


def _word_range(refusal: OutOfRange, words: Words) -> Markup:
    match refusal.name:
        case "seed":
            return words.say(
                "A seed is a whole number from 0 to {most}. Write one, or press the button to go back.",
                most=str(2**63 - 1),
            )
        case "negative":
            return words.say(
                "That is too long: at most {most} characters. Write less, or press the button to go back.",
                most=f"{refusal.most:g}",
            )
        case "loras":
            return words.say(
                "A picture takes up to {most} LoRAs, each of them once.", most=f"{refusal.most:g}"
            )
        case _:
            return words.say(
                "This model takes values from {least} to {most} there. Nothing was charged.",
                least=f"{refusal.least:g}",
                most=f"{refusal.most:g}",
            )


def _word_flaw(refusal: PhotoUnreadable, words: Words) -> Markup:
    match refusal.reason:
        case PhotoFlaw.TOO_LARGE:
            return words.say(
                "That photo is larger than {n} MB. Send a smaller one. Nothing was charged.", n=refusal.limit
            )
        case PhotoFlaw.TOO_MANY_PIXELS:
            return words.say(
                "That photo has more than {n} megapixels. Send a smaller one. Nothing was charged.",
                n=refusal.limit,
            )
        case PhotoFlaw.TOO_SMALL:
            return words.say(
                "That photo is too small: its shorter side needs {n} pixels. Nothing was charged.",
                n=refusal.limit,
            )
        case PhotoFlaw.MOVING:
            return words.say("I cannot start from moving pictures. Send a still one. Nothing was charged.")
        case _:
            return words.say(
                "I cannot read that as a photo. Send a JPEG, a PNG or a WebP. Nothing was charged."
            )


def _word_plain(code: str, words: Words) -> Markup | None:
    match code:
        case "model_refused":
            return words.say(
                "The model you chose is not on offer any more. /settings has the others. Nothing was charged."
            )
        case "photo_refused":
            return words.say(
                "This model cannot start from a photo that way. Choose another one. Nothing was charged."
            )
        case "negative_refused":
            return words.say(
                "This model cannot be told what to leave out. /settings changes that. Nothing was charged."
            )
        case "loras_refused" | "lora_of_other_model":
            return words.say(
                "This model does not take the LoRAs you chose. /settings changes them. Nothing was charged."
            )
        case "lora_not_found" | "lora_unfinished":
            return words.say(
                "One of the LoRAs you chose is not there for you now. /settings changes them. Nothing was"
                " charged."
            )
        case "photo_gone":
            return words.say(
                "The photo to start from is not kept any more. Send it to me again. Nothing was charged."
            )
        case "no_such_draft":
            return words.say("This panel is closed. Nothing was charged.")
        case "no_such_preset":
            return words.say("That preset is not there any more.")
        case _:
            return None
