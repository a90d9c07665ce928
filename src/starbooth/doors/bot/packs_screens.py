"""Photo packs in words: which model, which pack, how many; one message that is changed in place."""

from collections.abc import Mapping, Sequence

from markupsafe import Markup

from starbooth.domain.catalog.tables import LoraType
from starbooth.domain.delivery.screen import Button, Screen
from starbooth.domain.packs.photo_packs import PhotoPack
from starbooth.domain.packs.request import PackModel
from starbooth.domain.users.guests import Language
from starbooth.doors.bot.packs_moves import Move, Verb
from starbooth.doors.bot.pieces import shorten
from starbooth.doors.bot.words import Words

_LONGEST_NAME = 40
_SIGNS = {LoraType.PORTRAIT: "👤", LoraType.STYLE: "🎨"}


def render_models(words: Words, models: Sequence[PackModel]) -> Screen:
    """Which model to make pictures of."""
    title = words.say("📸 <b>Photo packs</b>")
    if not models:
        return _screen(
            title,
            words.say("They are made of a model of you or of your style. You have none yet: send /train."),
        )
    told = words.say("One press makes 8, 20 or 40 pictures of a model. Of which one?")
    return _screen(title, told, rows=[(_model_button(each),) for each in models])


def render_packs(words: Words, language: Language, model: PackModel, packs: Sequence[PhotoPack]) -> Screen:
    """What can be made of a model."""
    lines = Markup("\n").join(
        Markup("{} <b>{}</b>: {}").format(pack.sign, pack.title[language], pack.told[language])
        for pack in packs
    )
    buttons = [
        Button(
            label=f"{pack.sign} {pack.title[language]}",
            action=str(Move(verb=Verb.PACK, lora_id=model.lora_id, pack=pack.name)),
        )
        for pack in packs
    ]
    back = Button(label=words.plain("‹ Back"), action=str(Move(verb=Verb.MODELS)))
    title = words.say("📸 <b>Photo packs of {model}</b>", model=shorten(model.name, limit=_LONGEST_NAME))
    return _screen(title, lines, rows=[*((each,) for each in buttons), (back,)])


def render_pack(
    words: Words,
    language: Language,
    model: PackModel,
    pack: PhotoPack,
    prices: Mapping[int, int],
    *,
    discount_percent: int,
) -> Screen:
    """How many of a pack, and for how much. prices: in stars, by the number of pictures."""
    title = words.say(
        "{sign} <b>{pack}</b> of {model}",
        sign=pack.sign,
        pack=pack.title[language],
        model=shorten(model.name, limit=_LONGEST_NAME),
    )
    told = words.say("The pictures come as they are ready. You pay for those that come, and for no others.")
    cheaper = words.say(
        "A pack costs {percent} % less than the same pictures one by one.", percent=discount_percent
    )
    rows = [(_size_button(words, model, pack, size, price),) for size, price in prices.items()]
    back = Button(label=words.plain("‹ Back"), action=str(Move(verb=Verb.MODEL, lora_id=model.lora_id)))
    return _screen(
        title,
        Markup(pack.told[language]),  # noqa: S704 - our own file
        Markup(" ").join([told, cheaper] if discount_percent else [told]),
        rows=[*rows, (back,)],
    )


def _model_button(model: PackModel) -> Button:
    label = f"{_SIGNS[model.lora_type]} {shorten(model.name, limit=_LONGEST_NAME)}"
    return Button(label=label, action=str(Move(verb=Verb.MODEL, lora_id=model.lora_id)))


def _size_button(words: Words, model: PackModel, pack: PhotoPack, size: int, price: int) -> Button:
    move = Move(verb=Verb.ORDER, lora_id=model.lora_id, pack=pack.name, size=size, price_stars=price)
    label = words.plain_n("{n} picture · {price} ⭐", "{n} pictures · {price} ⭐", size, price=price)
    return Button(label=label, action=str(move))


def _screen(*paragraphs: Markup, rows: Sequence[tuple[Button, ...]] = ()) -> Screen:
    return Screen(html=str(Markup("\n\n").join(paragraphs)), rows=tuple(rows))
