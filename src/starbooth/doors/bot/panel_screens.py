"""The first page of a panel: what is chosen, what it costs, and how long it takes. Pure."""

from collections.abc import Sequence

from markupsafe import Markup

from starbooth.domain.catalog.offers import Offer
from starbooth.domain.delivery.screen import Button, Screen
from starbooth.domain.studio.panel import Panel
from starbooth.doors.bot.panel_moves import Move, Page, Verb
from starbooth.doors.bot.panel_pieces import (
    Row,
    back,
    button,
    name_shape,
    page_of,
    short_wait,
    view,
    word_dropped,
    word_fees,
)
from starbooth.doors.bot.pieces import quote, shorten, stars, wait
from starbooth.doors.bot.words import Words

_LONGEST_SHOWN_NEGATIVE = 80


def render_home(words: Words, panel: Panel, *, offers: Sequence[Offer] = ()) -> Screen:
    """The first page. offers: what is sold, for a photo that the chosen model cannot start from."""
    if panel.draft is None:
        return _settings(words, panel)
    if not panel.can_start:
        return _unable(words, panel, offers)
    if not panel.draft.prompt:
        return _wordless(words, panel)
    return page_of(
        [
            quote(panel.draft.prompt),
            word_dropped(words, panel),
            _choices(words, panel),
            _price(words, panel),
            word_fees(words, panel),
        ],
        [(_order_button(words, panel),), *_choice_rows(words, panel), *_draft_rows(words, panel)],
    )


def take_back_button(words: Words, draft_id: str) -> Button:
    """Under what waits for stars: makes the panel of it again."""
    action = str(Move(draft_id=draft_id, verb=Verb.TAKE_BACK))
    return Button(label=words.plain("Change it"), action=action)


def render_put_away(words: Words) -> Screen:
    """What is left of a panel that was put away."""
    return page_of([words.say("Put away. Nothing was charged.")], [])


def _settings(words: Words, panel: Panel) -> Screen:
    asks = words.plain("Ask me first: on") if panel.asks_first else words.plain("Ask me first: off")
    return page_of(
        [
            words.say("⚙️ <b>Your settings</b>"),
            words.say("They hold for every picture that you order by words from now on."),
            word_dropped(words, panel),
            _choices(words, panel),
            _price(words, panel),
            word_fees(words, panel),
            words.say("I ask you before each picture, and you press a button with its price.")
            if panel.asks_first
            else Markup(),
        ],
        [
            *_choice_rows(words, panel),
            (button(panel, asks, Verb.ASKS_FIRST, "0" if panel.asks_first else "1"),),
            (button(panel, words.plain("Reset all"), Verb.RESET),),
        ],
    )


def _wordless(words: Words, panel: Panel) -> Screen:
    return page_of(
        [
            _word_request(words, panel),
            word_dropped(words, panel),
            _choices(words, panel),
            _price(words, panel),
        ],
        [*_choice_rows(words, panel), (_put_away_button(words, panel),)],
    )


def _word_request(words: Words, panel: Panel) -> Markup:
    if panel.draft is not None and panel.draft.photo is not None:
        return words.say("A nice photo! What should become of it? Write it to me in a sentence.")
    if panel.loras and panel.choices.seed is None:
        return words.say(
            "What shall I paint with <b>{name}</b>? Write it to me in a sentence.", name=panel.loras[0].name
        )
    return words.say("The same seed. Which words do you want for it? Write them to me in a sentence.")


def _unable(words: Words, panel: Panel, offers: Sequence[Offer]) -> Screen:
    able = [each for each in offers if each.is_on and each.photo_endpoint is not None]
    said = words.say("<b>{name}</b> cannot start from a photo.", name=panel.offer.name)
    more = (
        words.say("These can. Nothing was charged yet.")
        if able
        else words.say("No other model here can, either. Nothing was charged.")
    )
    rows = [
        (button(panel, f"{each.name} · {each.price_stars} ⭐", Verb.MODEL, each.base_model_id),)
        for each in able
    ]
    return page_of([Markup(" ").join([said, more])], [*rows, (_put_away_button(words, panel),)])


def _choices(words: Words, panel: Panel) -> Markup:
    choices, draft = panel.choices, panel.draft
    has_photo = draft is not None and draft.photo is not None
    loras = ", ".join(f"{each.name} {each.weight:g}" for each in panel.loras)
    lines = [
        words.say("Model: <b>{name}</b>", name=panel.offer.name),
        words.say("Shape: as the photo")
        if has_photo
        else words.say("Shape: {shape}", shape=name_shape(words, choices.shape)),
        words.say("Pictures: {n}", n=choices.count),
        words.say("LoRAs: {names}", names=shorten(loras, limit=200)) if loras else Markup(),
        words.say("Seed: random")
        if choices.seed is None
        else words.say("Seed: <code>{seed}</code>", seed=str(choices.seed)),
        words.say("Steps: {steps}", steps=choices.steps) if choices.steps is not None else Markup(),
        words.say("Guidance: {guidance}", guidance=f"{choices.guidance:g}")
        if choices.guidance is not None
        else Markup(),
        words.say("Without: {negative}", negative=shorten(choices.negative, limit=_LONGEST_SHOWN_NEGATIVE))
        if choices.negative
        else Markup(),
    ]
    return Markup("\n").join(line for line in lines if line)


def _price(words: Words, panel: Panel) -> Markup:
    price = stars(words, panel.price_stars)
    if panel.wait is None:
        return words.say("An order costs {price}.", price=price)
    return words.say(
        "An order costs {price} and is ready in {wait}.", price=price, wait=wait(words, panel.wait)
    )


def _order_button(words: Words, panel: Panel) -> Button:
    if panel.wait is None:
        label = words.plain("Make it · {price} ⭐", price=panel.price_stars)
    else:
        label = words.plain(
            "Make it · {price} ⭐ · {wait}", price=panel.price_stars, wait=short_wait(words, panel.wait)
        )
    return button(panel, label, Verb.ORDER, str(panel.price_stars))


def _choice_rows(words: Words, panel: Panel) -> list[Row]:
    choices, draft = panel.choices, panel.draft
    has_photo = draft is not None and draft.photo is not None
    if has_photo:
        strength = panel.offer.strength if choices.strength is None else choices.strength
        label = words.plain("Change: {percent} %", percent=round(strength * 100))
        first = view(panel, label, Page.STRENGTH)
    else:
        shape = name_shape(words, choices.shape)
        first = view(panel, words.plain("Shape: {shape}", shape=shape), Page.SHAPE)
    seed = words.plain("Seed: random") if choices.seed is None else words.plain("Seed: kept")
    takes_loras = panel.offer.endpoint_for(has_photo=has_photo, has_loras=True) is not None
    loras = view(panel, words.plain("LoRAs: {n}", n=len(choices.loras)), Page.LORAS)
    return [
        (view(panel, words.plain("Model: {name}", name=panel.offer.name), Page.MODEL),),
        (first, view(panel, words.plain("Pictures: {n}", n=choices.count), Page.COUNT)),
        (*((loras,) if takes_loras else ()), view(panel, seed, Page.SEED)),
        (
            view(panel, words.plain("Advanced"), Page.ADVANCED),
            view(panel, words.plain("Presets"), Page.PRESETS),
        ),
    ]


def _draft_rows(words: Words, panel: Panel) -> list[Row]:
    return [
        (
            button(panel, words.plain("Other words"), Verb.TYPE, "words"),
            _put_away_button(words, panel),
        )
    ]


def _put_away_button(words: Words, panel: Panel) -> Button:
    return button(panel, words.plain("Put it away"), Verb.PUT_AWAY)


def render_question(words: Words, panel: Panel, question: Markup, page: Page) -> Screen:
    """A panel that waits for the guest to write something; back cancels it."""
    return page_of([question], [back(panel, words, page)])
