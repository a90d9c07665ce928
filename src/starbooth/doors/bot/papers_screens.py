"""The papers of a booth: the rules, what is kept about a guest, and whom to ask. Pure.

They say what this program does, and promise nothing that it does not do yet.
"""

from dataclasses import replace

from markupsafe import Markup

from starbooth.domain.delivery.screen import Screen
from starbooth.doors.bot.pieces import shorten
from starbooth.doors.bot.privacy_screens import privacy_rows
from starbooth.doors.bot.words import Words

_LONGEST_SHOWN = 2000


def render_support(words: Words, *, support: str) -> Screen:
    """The answer to /paysupport without a message. `support`: whom the operator names, empty for"
    " nobody."""
    return _screen(
        words.say("<b>Something is wrong with a payment?</b>"),
        words.say(
            "Write it behind the command, and it goes to the people who run this booth, together with"
            " your last payments:"
        ),
        words.say("<code>/paysupport I paid yesterday and no stars came</code>"),
        words.say("You can also write to {support}.", support=support) if support else Markup(),
        words.say(
            "Stars that were paid for and did not come are mostly found without you, after a while."
            " /balance shows what came."
        ),
        _desktop(words),
        words.say("Telegram's own support cannot help with purchases made in this bot."),
    )


def render_passed_on(words: Words, *, reference: str, support: str) -> Screen:
    """The answer to /paysupport with a message."""
    return _screen(
        words.say("Thank you. Your message went to the people who run this booth."),
        words.say("Its reference: <code>{reference}</code>", reference=reference),
        words.say("If nobody answers, write to {support} and name it.", support=support)
        if support
        else Markup(),
    )


def render_terms(words: Words, *, support: str) -> Screen:
    """The answer to /terms."""
    return _screen(
        words.say("<b>The rules of this booth</b>"),
        words.say(
            "<b>Stars.</b> You buy stars of this booth with Telegram Stars. They buy pictures here and"
            " nothing else: they are no money, cannot be passed on to others, and are not changed back"
            " into money."
        ),
        words.say(
            "<b>Pictures.</b> The price stands on the button or is told before you order. When you"
            " order, the stars are set aside. A picture that does not come out, or that you cancel while"
            " it waits, costs nothing: its stars come back by themselves."
        ),
        words.say(
            "<b>Refunds.</b> A payment can go back to you as a whole, through Telegram. The people who"
            " run the booth decide about it; ask by /paysupport. The stars of that payment then leave"
            " your purse. If they were spent before, your balance is below zero until you top up."
        ),
        words.say(
            "<b>The monthly plan</b>, where there is one, renews itself through Telegram every 30 days"
            " until you cancel it. What was paid stays paid until the month is over."
        ),
        words.say(
            "<b>What you ask for.</b> Do not ask for pictures that are against the law, that harm or"
            " mock real people, or that belong to others. The painter may refuse what its own rules do"
            " not allow. Pictures are made by a machine: they can be wrong, and similar ones may be made"
            " for others."
        ),
        words.say(
            "<b>No promises about tomorrow.</b> The booth can be slow or closed, and prices can change; a"
            " picture that is ordered keeps its price."
        ),
        words.say("<b>Questions.</b> {whom}", whom=_whom(words, support)),
        _desktop(words),
    )


def render_privacy(words: Words, *, support: str, photo_days: int) -> Screen:
    """The answer to /privacy. photo_days: how long photos for models are kept."""
    paper = _screen(
        words.say("<b>What this booth knows about you</b>"),
        words.say(
            "<b>Who you are.</b> Your Telegram id, your @name if you have one, your language, when we"
            " met, whether you blocked the bot, and by whose link you came, if you did. Your first name"
            " is used to greet you and is not kept."
        ),
        words.say(
            "<b>What you write.</b> A message is kept until it is handled, and its words are dropped"
            " then; what could not be handled is kept for two days. The words that you order a picture"
            " with are kept with the order, also while it waits for stars. What you send by /paysupport"
            " is kept, and the people who run the booth read it."
        ),
        words.say(
            "<b>What you choose.</b> Your settings and presets are kept until you change or delete them, and"
            " a picture that you put together in a panel until you order it or put it away, at most a day."
        ),
        words.say(
            "<b>Your photos.</b> A photo that you send to paint from is made smaller, what it tells of place"
            " and time is dropped, and it goes to the engine with the words. It is deleted a week after it"
            " was last painted from, or after a day where it never was."
        ),
        words.say_n(
            "<b>Photos for models.</b> Photos that you gather for a model lose what they tell of place and"
            " time, and a model learns from them only once you agreed. For that they go to the engine as a"
            " file that expires. They are deleted {n} day after the training, or after you last touched"
            " them. The model is kept until you delete it in /models.",
            "<b>Photos for models.</b> Photos that you gather for a model lose what they tell of place and"
            " time, and a model learns from them only once you agreed. For that they go to the engine as a"
            " file that expires. They are deleted {n} days after the training, or after you last touched"
            " them. The model is kept until you delete it in /models.",
            photo_days,
        ),
        words.say(
            "<b>What is not painted.</b> Your words are compared with a list of the people who run this"
            " booth, and may be shown to a checker of theirs, which is not told who you are. That a picture"
            " was refused is kept for 30 days, without its words."
        ),
        words.say(
            "<b>Your pictures.</b> The words of an order are sent to the image engine that the people"
            " who run this booth have chosen: one of their own, or fal.ai, which has its own rules about"
            " what it keeps. The engine is not told who you are. Your pictures are kept in the booth's"
            " storage until you delete them in /gallery, or the people who run it do."
        ),
        words.say(
            "<b>Your stars.</b> Every movement of stars and every payment is kept for good, since it is"
            " the accounts: how much, when, what for, and Telegram's number of the payment. Telegram's"
            " own list of payments is kept as it comes, with your name as it stands there. No card or"
            " bank data ever reach us."
        ),
        words.say(
            "<b>Who sees it.</b> The people who run this booth, Telegram, through which we talk, and the"
            " engine, as said above. Nothing is sold, and nothing of yours trains a model but your own."
        ),
        words.say(
            "<b>Your rights.</b> /export sends you all that is kept, as a file. The buttons below and"
            " /deletemyaccount delete what is yours, at once. Of an"
            " account that is deleted there stay the figures of our accounts under a name that tells nothing,"
            " and of payments Telegram's numbers, without which none could be given back. To have something"
            " corrected, ask the people who run this booth. {whom}",
            whom=_whom(words, support),
        ),
        words.say("What they keep outside this program, such as copies for safety, they can tell you."),
    )
    return replace(paper, rows=privacy_rows(words))


def word_message(words: Words, *, who: str, text: str, charges: str, reference: str) -> Markup:
    """A guest's message, for operators. `charges`: the guest's last charge ids, one a line."""
    return Markup("\n\n").join(
        [
            words.say("🛟 {who} asks about a payment. Reference: {reference}", who=who, reference=reference),
            Markup("<blockquote>{}</blockquote>").format(shorten(text, limit=_LONGEST_SHOWN)),
            words.say("Their last payments: {charges}", charges=Markup("<code>{}</code>").format(charges))
            if charges
            else words.say("They have made no payment."),
        ]
    )


def _whom(words: Words, support: str) -> Markup:
    if support:
        return words.say("Write to {support}, or by /paysupport.", support=support)
    return words.say("Write by /paysupport; it goes to the people who run this booth.")


def _desktop(words: Words) -> Markup:
    return words.say(
        "Telegram Desktop says PROVIDER_ACCOUNT_INVALID? Then you have too few Telegram Stars: get some"
        " in the Telegram app on your phone first, and pay again. Nothing was charged."
    )


def _screen(*paragraphs: Markup) -> Screen:
    return Screen(html=str(Markup("\n\n").join(part for part in paragraphs if part)))
