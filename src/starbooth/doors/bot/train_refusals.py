"""The noes about models of guests themselves: photos, words, recipes, trainings. Pure."""

from markupsafe import Markup

from starbooth.base.errors import Refusal
from starbooth.domain.trainings.errors import (
    CaptionTooLong,
    NameRefused,
    PhotosRefused,
    RecipeRefused,
    SetFull,
    TooManyTrainings,
    TriggerFlaw,
    TriggerRefused,
)
from starbooth.doors.bot.words import Words


def word_training_refusal(refusal: Refusal, words: Words) -> Markup | None:
    """At most 200 characters and without marks; None for any other no."""
    match refusal:
        case TriggerRefused():
            return _word_trigger(refusal, words)
        case NameRefused():
            return words.say(
                "A name has 1 to {n} characters. Write another one, or press the button to go back.",
                n=refusal.limit,
            )
        case CaptionTooLong():
            return words.say("A caption has {n} characters at most. Write a shorter one.", n=refusal.limit)
        case RecipeRefused():
            return words.say(
                "Write a number from {least} to {most}, or press the button to go back.",
                least=_number(refusal.least),
                most=_number(refusal.most),
            )
        case SetFull():
            return words.say_n("I take {n} photo at most.", "I take {n} photos at most.", refusal.limit)
        case PhotosRefused():
            return words.say(
                "It takes {least} to {most} photos, and there are {count}. Nothing was charged.",
                least=refusal.least,
                most=refusal.most,
                count=refusal.count,
            )
        case TooManyTrainings():
            return words.say_n(
                "You have {n} training under way, which is as many as I take. Nothing was charged.",
                "You have {n} trainings under way, which is as many as I take. Nothing was charged.",
                refusal.limit,
            )
        case _:
            return _word_plain(refusal.code, words)


def _word_trigger(refusal: TriggerRefused, words: Words) -> Markup:
    match refusal.reason:
        case TriggerFlaw.LENGTH:
            return words.say(
                "The word has {least} to {most} letters. Write another one.",
                least=refusal.least,
                most=refusal.most,
            )
        case TriggerFlaw.SPACE:
            return words.say("One word only, without spaces. Write another one.")
        case TriggerFlaw.LETTERS:
            return words.say(
                "Latin letters, digits, - and _ only, a letter first: no emoji or signs. Write another one."
            )
        case TriggerFlaw.COMMON:
            return words.say(
                "That word means something already, so I would mix the two up. Write one that means nothing."
            )
        case TriggerFlaw.TAKEN:
            return words.say("Another model of yours has that word. Write another one.")


def _number(value: float) -> str:
    return f"{value:.6f}".rstrip("0").rstrip(".")


def _word_plain(code: str, words: Words) -> Markup | None:
    match code:
        case "no_such_set":
            return words.say("These photos are in use or deleted by now. /train begins with new ones.")
        case "no_such_photo":
            return words.say("That photo is not there any more.")
        case "set_too_heavy":
            return words.say("These photos are too large together. Take some out, or send smaller ones.")
        case "other_set_open":
            return words.say(
                "You are gathering other photos: order or delete those first. /train shows them."
            )
        case "training_refused":
            return words.say("No engine here can train that at the moment. Nothing was charged.")
        case "set_unfinished":
            return words.say("Something is not chosen yet. /train shows what. Nothing was charged.")
        case "consent_missing":
            return words.say("I need your word that I may learn from these photos. Nothing was charged.")
        case "too_late_to_stop":
            return words.say("Too late to stop: it has ended.")
        case _:
            return None
