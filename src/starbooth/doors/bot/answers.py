"""What the bot answers to all that is no order: greetings, help, refusals, things it cannot paint.

Pure: facts in, a screen or a short text out.
"""

from collections.abc import Sequence

from markupsafe import Markup

from starbooth.base.errors import Refusal
from starbooth.domain.delivery.screen import Button, Screen
from starbooth.domain.generations.errors import CountRefused, PromptTooLong, TooManyOptions
from starbooth.domain.orders.errors import TooManyOrders
from starbooth.domain.prompts.errors import PromptsPaused
from starbooth.domain.stars.errors import NotEnoughStars
from starbooth.doors.bot.choice_refusals import word_choice_refusal
from starbooth.doors.bot.commands import Command, describe_command, group_commands
from starbooth.doors.bot.gifts_screens import word_gift_refusal
from starbooth.doors.bot.models_refusals import word_model_refusal
from starbooth.doors.bot.paying_screens import word_payment_refusal
from starbooth.doors.bot.pieces import stars, wait
from starbooth.doors.bot.plan_screens import word_plan_refusal
from starbooth.doors.bot.train_refusals import word_training_refusal
from starbooth.doors.bot.words import Words


def describe_bot(words: Words) -> tuple[str, str]:
    """The long and the short text of the bot's profile; at most 512 and 120 characters."""
    return (
        words.plain(
            "Tell me in a sentence what you would like to see, and I paint it.\n\n"
            "Pictures cost stars. A picture that does not come out costs nothing."
        ),
        words.plain("A photo booth that paints what you describe."),
    )


def render_welcome(
    words: Words, *, name: str, gift_stars: int, balance_stars: int, price_stars: int
) -> Screen:
    """The answer to /start. `gift_stars` is 0 where there was none, or not this time."""
    lines = [
        words.say("👋 <b>Hello, {name}!</b>", name=name[:64]),
        words.say("Tell me in a sentence what you would like to see, and I paint it. For example:"),
        words.say("<i>a red fox in the forest at night</i>"),
    ]
    if gift_stars:
        lines.append(
            words.say_n(
                "A welcome gift: {n} star for you. A picture costs {price}.",
                "A welcome gift: {n} stars for you. A picture costs {price}.",
                gift_stars,
                price=stars(words, price_stars),
            )
        )
    else:
        lines.append(
            words.say(
                "You have {balance}. A picture costs {price}.",
                balance=stars(words, balance_stars),
                price=stars(words, price_stars),
            )
        )
    return _screen(*lines)


def render_gift(words: Words, *, gift_stars: int) -> Screen:
    """The greeting of a guest who began with a prompt."""
    return _screen(
        words.say_n(
            "👋 Nice to meet you! Here is {n} star as a welcome gift, and off to the easel.",
            "👋 Nice to meet you! Here are {n} stars as a welcome gift, and off to the easel.",
            gift_stars,
        )
    )


def render_help(words: Words, *, commands: Sequence[Command], price_stars: int) -> Screen:
    """The answer to /help."""
    groups = [
        Markup("\n").join(
            Markup("/{} – {}").format(each.value, describe_command(each, words)) for each in group
        )
        for group in group_commands(commands)
    ]
    return _screen(
        words.say("<b>How this works</b>"),
        words.say(
            "Write what you would like to see: <i>a yellow balloon on the beach</i>. A picture costs {price},"
            " and you watch it being painted.",
            price=stars(words, price_stars),
        ),
        words.say(
            "Under a picture, <b>Again</b> paints the same words anew, and <b>Vary</b> starts from the"
            " picture itself. There you can also change its shape or its words, keep it as a"
            " favourite 🤍, get the original file ⬇️, share it 📤 or delete it 🗑."
        ),
        words.say(
            "Send a photo with a few words, and I paint from it: you see the price first, and how much may"
            " change."
        ),
        words.say(
            "/train makes a model from photos of you, of a thing or of a style; then I paint with it whatever"
            " you like."
        ),
        words.say(
            "/settings chooses the model, the shape, how many at a time and more, and can have me ask you"
            " before each picture."
        ),
        words.say("While a picture waits you can cancel it. A picture that does not come out costs nothing."),
        *groups,
    )


def render_cancelled(words: Words, *, returned_stars: int) -> Screen:
    """The answer to /cancel where an order was cancelled."""
    return _screen(cancelled(words, returned_stars=returned_stars))


def cancelled(words: Words, *, returned_stars: int) -> Markup:
    """One sentence: cancelled, and the stars are back. Bears no mark, so it serves as plain text too."""
    if returned_stars == 0:
        return words.say("Cancelled. Nothing was charged.")
    return words.say_n(
        "Cancelled. Your {n} star is back.", "Cancelled. All {n} stars are back with you.", returned_stars
    )


def render_nothing_waits(words: Words) -> Screen:
    """The answer to /cancel where there is no order to cancel."""
    return _screen(words.say("Nothing is waiting, so there is nothing to cancel."))


def render_dearer(words: Words, *, press: str, price_stars: int) -> Screen:
    """The price rose since the button was made: ask again rather than charge more than it said.

    press: what a button with the new price says.
    """
    label = words.plain("Paint it · {price} ⭐", price=price_stars)
    return Screen(
        html=str(
            words.say(
                "This costs {price} by now, more than the button said. Nothing was charged yet.",
                price=stars(words, price_stars),
            )
        ),
        rows=((Button(label=label, action=press),),),
    )


def render_unknown_command(words: Words) -> Screen:
    """The answer to a command that there is none of."""
    return _screen(words.say("I do not know that command. /help lists the ones I know. Nothing was charged."))


def render_trouble(words: Words) -> Screen:
    """The answer where handling failed for good."""
    return _screen(
        words.say(
            "Something went wrong on our side, and I could not finish this. You only ever pay for pictures"
            " that you get; /balance shows your stars."
        )
    )


def render_unpaintable(words: Words, kind: str) -> Screen:
    """The answer to a message that is no text. `kind` is the message's field in the Bot API."""
    return _screen(Markup(" ").join([_unpaintable(words, kind), words.say("Nothing was charged.")]))


def _unpaintable(words: Words, kind: str) -> Markup:
    match kind:
        case "sticker" | "animation" | "dice" | "game":
            return words.say("Charming, but I paint from words. Tell me what you would like to see.")
        case "voice" | "audio":
            return words.say("I can read, but I cannot hear. Write me what you would like to see.")
        case "video" | "video_note" | "story":
            return words.say("I cannot watch videos. Write me what you would like to see.")
        case "location" | "venue":
            return words.say("I cannot travel there, but describe the place and I paint it.")
        case "contact":
            return words.say("I do not need anybody's number. Write me what you would like to see.")
        case "poll":
            return words.say("I will not vote, but I will paint. Write me what you would like to see.")
        case _:
            return words.say("I paint from words alone. Write me what you would like to see.")


def word_refusal(refusal: Refusal, words: Words) -> Markup:
    """Two sentences for an expected no, at most 200 characters and without marks: also fit for a pop-up."""
    match refusal:
        case NotEnoughStars() if refusal.balance_stars < 0:
            return words.say(
                "A payment went back to you after its stars were spent: you are {debt} short. Top up first."
                " Nothing was charged.",
                debt=stars(words, -refusal.balance_stars),
            )
        case NotEnoughStars():
            return words.say(
                "This costs {price}, and you have {balance}. Nothing was charged.",
                price=stars(words, refusal.price_stars),
                balance=stars(words, refusal.balance_stars),
            )
        case TooManyOrders():
            return words.say_n(
                "You have {n} picture in the works, which is as many as I take. Nothing was charged.",
                "You have {n} pictures in the works, which is as many as I take. Nothing was charged.",
                refusal.limit,
            )
        case PromptTooLong():
            return words.say(
                "That is {length} characters, and I take {limit} at most. Nothing was charged.",
                length=refusal.length,
                limit=refusal.limit,
            )
        case TooManyOptions():
            return words.say_n(
                "I look through {n} option of a prompt at most. Nothing was charged.",
                "I look through {n} options of a prompt at most. Nothing was charged.",
                refusal.limit,
            )
        case PromptsPaused():
            return words.say(
                "Let us take a short break: I look at new wishes again in {wait}. Nothing was charged.",
                wait=wait(words, refusal.wait),
            )
        case CountRefused():
            return words.say_n(
                "I take {n} picture at a time. Nothing was charged.",
                "I take up to {n} pictures at a time. Nothing was charged.",
                refusal.limit,
            )
    return (
        word_choice_refusal(refusal, words)
        or word_training_refusal(refusal, words)
        or word_plan_refusal(refusal, words)
        or word_payment_refusal(refusal, words)
        or word_gift_refusal(refusal, words)
        or word_model_refusal(refusal, words)
        or _word_plain_refusal(refusal.code, words)
    )


def _word_plain_refusal(code: str, words: Words) -> Markup:
    match code:
        case "prompt_empty":
            return words.say("There is nothing in it to paint. Write a few words. Nothing was charged.")
        case "prompt_refused":
            return words.say("The rules of this booth do not allow this picture. Nothing was charged.")
        case "prompt_unchecked":
            return words.say(
                "I cannot look at new wishes at the moment. Try again in a few minutes. Nothing was charged."
            )
        case "request_key_reused":
            return words.say("This message already ordered something else. Nothing more was charged.")
        case "no_such_order":
            return words.say("This is not one of your pictures. Nothing was charged.")
        case "no_such_pack":
            return words.say("This photo pack is not sold any more. Nothing was charged.")
        case "no_such_picture":
            return words.say("This picture is not there any more.")
        case "no_such_gallery":
            return words.say("This gallery was closed long ago. /gallery opens a new one.")
        case "nothing_to_search":
            return words.say("There is no word in it to search for. Write a word or several.")
        case "no_file":
            return words.say("The file of this picture is not here any more.")
        case "export_under_way":
            return words.say("Your file is being made already. It comes here by itself.")
        case "too_late_to_cancel":
            return words.say("Too late to cancel: it has started or is finished.")
        case "too_many_stars":
            return words.say("Your purse is full: it cannot hold that many stars.")
        case _:
            return words.say("That is not possible. Nothing was charged.")


def _screen(*paragraphs: Markup) -> Screen:
    return Screen(html=str(Markup("\n\n").join(part for part in paragraphs if part)))
