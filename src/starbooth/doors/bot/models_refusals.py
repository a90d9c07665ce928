"""The noes about models. Pure."""

from markupsafe import Markup

from starbooth.base.errors import Refusal
from starbooth.domain.models.errors import ModelNameRefused
from starbooth.domain.models.makers import LONGEST_PEN_NAME
from starbooth.doors.bot.words import Words


def word_model_refusal(refusal: Refusal, words: Words) -> Markup | None:
    """At most 200 characters and without marks; None for any other no."""
    if isinstance(refusal, ModelNameRefused):
        return words.say(
            "A name has 1 to {n} characters, and none that the rules forbid. Write another one.",
            n=refusal.limit,
        )
    match refusal.code:
        case "no_such_model":
            return words.say("This model is not there any more, or it is private now. Nothing was charged.")
        case "no_such_list":
            return words.say("This list was closed long ago. /models opens a new one.")
        case "model_unfinished":
            return words.say("Its training has not brought a model that works, so it cannot be shared.")
        case "model_in_training":
            return words.say("It is being trained. Stop the training first, or wait for its end.")
        case "model_reported":
            return words.say("Somebody reported it. It can be public again once we have looked at it.")
        case "model_hidden":
            return words.say("We took it out of the catalogue, so it cannot be public.")
        case "own_model":
            return words.say("This is your own model.")
        case "pen_name_refused":
            return words.say(
                "A pen name has 2 to {n} letters, digits and spaces, and nothing that the rules forbid. Write"
                " another one.",
                n=LONGEST_PEN_NAME,
            )
        case "pen_name_taken":
            return words.say("Somebody has that name already. Write another one.")
        case "weights_missing":
            return words.say("The weights of this model are not here any more.")
    return None
