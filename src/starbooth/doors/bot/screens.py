"""How an order looks in the chat, from its place in the queue to its picture. A view in, a screen out.

An order for several pictures is an album with a message below it that tells how it stands and what it cost.
"""

from collections.abc import Sequence
from dataclasses import replace

from markupsafe import Markup

from starbooth.domain.catalog.offers import Offer
from starbooth.domain.delivery.screen import Button, Screen, Tile
from starbooth.domain.generations.wording import drawn_words
from starbooth.domain.orders.end import OrderState
from starbooth.domain.orders.fees import Fee
from starbooth.domain.orders.read import OrderView, Part
from starbooth.domain.users.guests import Language
from starbooth.doors.bot.actions import Action, Verb
from starbooth.doors.bot.packs_moves import pack_model_of, packs_button
from starbooth.doors.bot.pieces import bar, quote, stars, wait
from starbooth.doors.bot.result_rows import Result, again_button, first_rows
from starbooth.doors.bot.words import Words, words_for


def render_order(
    view: OrderView,
    language: Language,
    *,
    offer: Offer | None = None,
    fees: Sequence[Fee] = (),
    is_shared: bool = False,
) -> Screen:
    """What the chat shows of an order. Text and caption keep within Telegram's limits whatever the prompt.

    offer: the order's model as it is sold now. fees: what models of others ask for one more. is_shared:
    others see it too, so only the order's own buttons stand there.
    """
    words = words_for(language)
    screen = _render(view, words)
    if view.state is OrderState.DONE:
        result = Result(view=view, offer=offer, fees=fees)
        rows = ((again_button(words, result),),) if is_shared else first_rows(words, result)
        screen = replace(screen, rows=rows)
    if len(view.pictures) < 2:
        return screen
    return replace(screen, file_key=None, album=_album(view, words))


def _render(view: OrderView, words: Words) -> Screen:
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


def _album(view: OrderView, words: Words) -> tuple[Tile, ...]:
    frozen = view.request["frozen"]
    return tuple(
        Tile(
            number=each.number,
            width_px=frozen["width_px"],
            height_px=frozen["height_px"],
            html=_caption(view, each, words),
            file_key=each.file_key,
            is_void=each.file_key is None and view.has_ended,
        )
        for each in view.pictures
    )


def _caption(view: OrderView, part: Part, words: Words) -> Markup:
    """Below one picture of several: its words too, where it has some of its own."""
    facts = words.say(
        "{number} of {count} · seed <code>{seed}</code>",
        number=part.number + 1,
        count=view.parts,
        seed=str(part.seed),
    )
    drawn = drawn_words(view.request, part.number)
    return facts if drawn is None else Markup(_join(quote(drawn), facts))  # noqa: S704 - made of escaped parts


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
    there = Markup()
    if view.parts > 1 and view.file_keys:
        there = words.say("{done} of {count} are there.", done=len(view.file_keys), count=view.parts)
    return Screen(html=_join(line, there, left, quote(view.prompt)))


def _done(view: OrderView, words: Words) -> Screen:
    return Screen(
        html=_join(quote(_words_of(view)), _facts(view, words), _missing(view, words)),
        file_key=next(iter(view.file_keys), None),
    )


def _words_of(view: OrderView) -> str:
    """What is quoted: the guest's words, or what was drawn from them for the only picture."""
    drawn = drawn_words(view.request, 0) if view.parts == 1 else None
    return view.prompt if drawn is None else drawn


def _facts(view: OrderView, words: Words) -> Markup:
    """What it cost and what it takes to paint it again."""
    cost = stars(words, _spent(view))
    model = view.request["frozen"]["model_name"]
    if view.parts > 1:  # each picture of an album tells its own seed
        return Markup("{} · {}").format(cost, model)
    return words.say(
        "{stars} · {model} · seed <code>{seed}</code>", stars=cost, model=model, seed=str(view.seeds[0])
    )


def _missing(view: OrderView, words: Words) -> Markup:
    """What did not come out, why, and that it cost nothing; nothing where all came."""
    missing = view.parts - len(view.file_keys)
    if missing <= 0:
        return Markup()
    line = words.say_n(
        "{n} picture did not come out; {stars} came back to you.",
        "{n} pictures did not come out; {stars} came back to you.",
        missing,
        stars=stars(words, view.price_stars - _spent(view)),
    )
    code = next((each.error_code for each in view.pictures if each.error_code), None)
    return line if code is None else Markup(" ").join([line, word_reason(code, words)])


def _spent(view: OrderView) -> int:
    return view.price_stars if view.spent_stars is None else view.spent_stars


def _failed(view: OrderView, words: Words) -> Screen:
    title = (
        words.say("<b>This picture did not come out.</b>")
        if view.parts == 1
        else words.say("<b>These pictures did not come out.</b>")
    )
    lines = [
        title,
        word_reason(view.error_code, words),
        _returned(view, words),
    ]
    return Screen(html=_join(Markup(" ").join(lines), quote(view.prompt)), rows=((_retry(view, words),),))


def _retry(view: OrderView, words: Words) -> Button:
    lora_id = pack_model_of(view)
    if lora_id is not None:
        return packs_button(words, lora_id)
    action = Action(verb=Verb.RETRY, order_id=view.order_id, price_stars=view.price_stars)
    return Button(label=words.plain("Try again · {price} ⭐", price=view.price_stars), action=str(action))


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


def _join(*paragraphs: Markup) -> str:
    return str(Markup("\n").join(part for part in paragraphs if part))
