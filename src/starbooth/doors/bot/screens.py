"""How an order looks in the chat, from its place in the queue to its picture. A view in, a screen out."""

from markupsafe import Markup

from starbooth.domain.delivery.screen import Button, Screen
from starbooth.domain.orders.end import OrderState
from starbooth.domain.orders.read import OrderView
from starbooth.domain.users.guests import Language
from starbooth.doors.bot.actions import Action, Verb
from starbooth.doors.bot.pieces import bar, quote, stars, wait
from starbooth.doors.bot.words import Words, words_for


def render_order(view: OrderView, language: Language) -> Screen:
    """The one message of an order. Text and caption keep within Telegram's limits whatever the prompt."""
    words = words_for(language)
    match view.state:
        case OrderState.HELD:
            return _held(view, words)
        case OrderState.RUNNING:
            return _running(view, words)
        case OrderState.DONE:
            return _done(view, words)
        case OrderState.FAILED:
            return _failed(view, words)
        case OrderState.CANCELLED:
            return _cancelled(view, words)


def _held(view: OrderView, words: Words) -> Screen:
    if view.position is None or view.position <= 1:
        lines = [words.say("⏳ <b>You are next.</b>")]
    else:
        lines = [words.say("⏳ <b>In the queue</b>, place {position}.", position=view.position)]
    if view.wait is not None:
        lines.append(words.say("Ready in {wait}.", wait=wait(words, view.wait)))
    cancel = Button(label=words.plain("Cancel"), action=str(Action(verb=Verb.CANCEL, order_id=view.order_id)))
    return Screen(html=_join(Markup(" ").join(lines), quote(view.prompt)), rows=((cancel,),))


def _running(view: OrderView, words: Words) -> Screen:
    percent = int(view.progress * 100 + 1e-9)
    line = words.say("🎨 <b>Painting</b> {bar} {percent}%", bar=bar(view.progress), percent=percent)
    left = words.say("Ready in {wait}.", wait=wait(words, view.wait)) if view.wait is not None else Markup()
    return Screen(html=_join(line, left, quote(view.prompt)))


def _done(view: OrderView, words: Words) -> Screen:
    spent = view.price_stars if view.spent_stars is None else view.spent_stars
    facts = words.say(
        "{stars} · seed <code>{seed}</code>", stars=stars(words, spent), seed=str(view.seeds[0])
    )
    missing = view.parts - len(view.file_keys)
    partly = (
        words.say_n(
            "{n} picture did not come out; {stars} came back to you.",
            "{n} pictures did not come out; {stars} came back to you.",
            missing,
            stars=stars(words, view.price_stars - spent),
        )
        if missing > 0
        else Markup()
    )
    return Screen(
        html=_join(quote(view.prompt), facts, partly),
        file_key=next(iter(view.file_keys), None),
        rows=(
            (_order_button(view, words.plain("Again · {price} ⭐", price=_unit(view)), Verb.AGAIN),),
            (_order_button(view, words.plain("Another like it · {price} ⭐", price=_unit(view)), Verb.LIKE),),
        ),
    )


def _failed(view: OrderView, words: Words) -> Screen:
    lines = [
        words.say("<b>This picture did not come out.</b>"),
        word_reason(view.error_code, words),
        _returned(view, words),
    ]
    retry = _order_button(view, words.plain("Try again · {price} ⭐", price=_unit(view)), Verb.RETRY)
    return Screen(html=_join(Markup(" ").join(lines), quote(view.prompt)), rows=((retry,),))


def _cancelled(view: OrderView, words: Words) -> Screen:
    line = Markup(" ").join([words.say("<b>Cancelled.</b>"), _returned(view, words)])
    return Screen(html=_join(line, quote(view.prompt)))


def _returned(view: OrderView, words: Words) -> Markup:
    n = view.price_stars - (view.spent_stars or 0)
    if n == 0:
        return words.say("Nothing was charged.")
    return words.say_n("Your {n} star is back.", "All {n} stars are back with you.", n)


def word_reason(code: str | None, words: Words) -> Markup:
    """Why an order failed, in words for the guest. What only an operator can mend is trouble on our side."""
    match code:
        case "content_policy_violation":
            return words.say("The painter's rules do not allow it. Other words may work.")
        case "deadline":
            return words.say("It took longer than anybody should wait.")
        case "photo_gone":
            return words.say("The photo to start from is not kept any more. Send it to me again.")
        case "broken_picture" | "no_picture" | "no_media_generated" | "too_large" | "foreign_address":
            return words.say("The painter handed over something that is no picture.")
        case "invalid_input" | "feature_not_supported":
            return words.say("The painter could not make sense of the request.")
        case "cancelled":
            return words.say("The painter put it aside before it was finished.")
        case "engine_unavailable" | "ticket_lost":
            return words.say("The painter is having trouble at the moment.")
        case _:
            return words.say("Something went wrong on our side.")


def _order_button(view: OrderView, label: str, verb: Verb) -> Button:
    action = Action(verb=verb, order_id=view.order_id, price_stars=_unit(view))
    return Button(label=label, action=str(action))


def _unit(view: OrderView) -> int:
    """What one picture cost: the buttons order one."""
    return view.price_stars // view.parts


def _join(*paragraphs: Markup) -> str:
    return str(Markup("\n").join(part for part in paragraphs if part))
