"""How one model looks, to its maker and to others, and the pages behind it. Pure."""

from babel.dates import format_skeleton
from markupsafe import Markup

from starbooth.domain.delivery.screen import Button, Screen
from starbooth.domain.models.cards import LoraStatus, ModelCard
from starbooth.domain.models.lists import ModelList
from starbooth.domain.models.makers import LONGEST_PEN_NAME, Maker, Shows
from starbooth.domain.models.own import LONGEST_NAME
from starbooth.domain.models.reports import Reason
from starbooth.doors.bot.model_moves import Verb
from starbooth.doors.bot.models_screens import COLUMNS, Row, button, join
from starbooth.doors.bot.packs_moves import packs_button
from starbooth.doors.bot.pieces import BIN, FILE, KEPT, NOT_KEPT, RENAME, stars
from starbooth.doors.bot.train_moves import Move as TrainMove
from starbooth.doors.bot.train_moves import Verb as TrainVerb
from starbooth.doors.bot.words import Words

FEES = (0, 1, 2, 5, 10, 20, 50, 100)


def render_card(
    words: Words, shown: ModelList, card: ModelCard, *, is_used: bool, share_percent: int
) -> Screen:
    """A model that is open. is_used: the guest's pictures are made with it. share_percent: makers' part."""
    said = [
        Markup("<b>{}</b>").format(card.name),
        Markup("\n").join(line for line in _facts(words, card) if line),
        _own_standing(words, card, share_percent) if card.is_own else _price(words, card),
    ]
    rows = _own_rows(words, shown, card) if card.is_own else _public_rows(words, shown, card)
    use = _use_button(words, shown, card, is_used=is_used)
    first = [(use,), (packs_button(words, card.lora_id),)] if card.is_finished else []
    return Screen(html=join(*said), rows=(*first, *rows, (_page_button(words, shown),)))


def _use_button(words: Words, shown: ModelList, card: ModelCard, *, is_used: bool) -> Button:
    if is_used:
        return button(words.plain("✓ In use. Stop using it"), shown, Verb.LEAVE, lora_id=card.lora_id)
    if card.is_own or not card.fee_stars or card.free_left:
        label = words.plain("🎨 Make pictures with it")
    else:
        label = words.plain("🎨 Make pictures with it · +{fee} ⭐ each", fee=card.fee_stars)
    return button(label, shown, Verb.USE, lora_id=card.lora_id)


def _facts(words: Words, card: ModelCard) -> list[Markup]:
    day = format_skeleton("yMMMd", card.created_at, locale=words.language.value)
    kind = (
        words.say("A person, for {model}", model=card.base_model_name)
        if card.lora_type == "PORTRAIT"
        else words.say("A style, for {model}", model=card.base_model_name)
    )
    return [
        Markup("{} · {}").format(kind, day),
        words.say("By {name}", name=card.maker_name) if card.maker_name and not card.is_own else Markup(),
        words.say("Its word: <code>{word}</code>", word=card.trigger_word)
        if card.trigger_word and card.is_own
        else Markup(),
        Markup("🖼 {} · ❤️ {}").format(card.uses, card.favourites) if card.is_listed or card.uses else Markup(),
    ]


def _own_standing(words: Words, card: ModelCard, share_percent: int) -> Markup:
    if card.status in (LoraStatus.PENDING, LoraStatus.TRAINING):
        return words.say("It is being trained.")
    if not card.is_finished:
        return words.say("Its training failed. It can be deleted.")
    if card.hidden_reason is not None:
        return words.say(
            "🚫 We took it out of the catalogue: {reason}. You can go on using it.",
            reason=word_hidden(words, card.hidden_reason),
        )
    reported = (
        words.say("Somebody reported it, and we have not looked at it yet.") if card.is_reported else ""
    )
    return Markup("\n").join(part for part in (_own_price(words, card, share_percent), reported) if part)


def _own_price(words: Words, card: ModelCard, share_percent: int) -> Markup:
    if not card.is_listed:
        return words.say("🔒 Private: only you can use it.")
    if not card.fee_stars:
        return words.say("🌍 Public: everybody can use it, without a fee.")
    return words.say(
        "🌍 Public: others pay {fee} more for a picture with it, and {percent} % of that is yours.",
        fee=stars(words, card.fee_stars),
        percent=share_percent,
    )


def _price(words: Words, card: ModelCard) -> Markup:
    if not card.fee_stars:
        return words.say("A picture with it costs no more than any other.")
    if card.free_left:
        return words.say_n(
            "A picture with it costs {fee} more. You have {n} left without that.",
            "A picture with it costs {fee} more. You have {n} of them left without that.",
            card.free_left,
            fee=stars(words, card.fee_stars),
        )
    return words.say("A picture with it costs {fee} more.", fee=stars(words, card.fee_stars))


def _own_rows(words: Words, shown: ModelList, card: ModelCard) -> list[Row]:
    def of(label: str, verb: Verb) -> Button:
        return button(label, shown, verb, lora_id=card.lora_id)

    if not card.is_finished:
        return [*_again_row(words, card), (of(RENAME, Verb.RENAME), of(BIN, Verb.ASK_DELETE))]
    return [
        *_again_row(words, card),
        (of(words.plain("🌍 Share"), Verb.SHARE), of(words.plain("🖼 Preview"), Verb.PREVIEWS)),
        (of(RENAME, Verb.RENAME), of(FILE, Verb.EXPORT), of(BIN, Verb.ASK_DELETE)),
    ]


def _again_row(words: Words, card: ModelCard) -> list[Row]:
    """The way to another model of the same photos, while they are kept and nothing is made of them."""
    if card.set_id is None or card.status in (LoraStatus.PENDING, LoraStatus.TRAINING):
        return []
    action = str(TrainMove(set_id=card.set_id, verb=TrainVerb.AGAIN))
    return [(Button(label=words.plain("Try again with the same photos"), action=action),)]


def _public_rows(words: Words, shown: ModelList, card: ModelCard) -> list[Row]:
    mark, verb = (KEPT, Verb.UNMARK) if card.is_favourite else (NOT_KEPT, Verb.MARK)
    row = [button(mark, shown, verb, lora_id=card.lora_id)]
    if not card.is_reported:
        row.append(button(words.plain("⚠️ Report"), shown, Verb.REPORT, lora_id=card.lora_id))
    return [tuple(row)]


def render_share(
    words: Words, shown: ModelList, card: ModelCard, maker: Maker, *, share_percent: int
) -> Screen:
    """Who may use it, for what, and by which name its maker is shown."""
    told = words.say(
        "🌍 <b>Share it?</b> Everybody can make pictures with a public model and sees its name and its"
        " preview. Nobody gets your photos or its weights."
    )
    fee = words.say(
        "Others pay your fee for each picture but their first three, and {percent} % of it is yours.",
        percent=share_percent,
    )
    name = words.say("By which name do others see you?")
    toggle = (
        button(words.plain("🔒 Make it private"), shown, Verb.UNPUBLISH, lora_id=card.lora_id)
        if card.is_public
        else button(words.plain("🌍 Make it public"), shown, Verb.PUBLISH, lora_id=card.lora_id)
    )
    label = words.plain("Fee: {fee} ⭐", fee=card.fee_stars)
    rows = [
        *((each,) for each in _name_buttons(words, shown, card, maker)),
        (button(label, shown, Verb.FEES, lora_id=card.lora_id), toggle),
        (_card_button(words, shown, card),),
    ]
    return Screen(html=join(told, fee, name), rows=tuple(rows))


def _name_buttons(words: Words, shown: ModelList, card: ModelCard, maker: Maker) -> list[Button]:
    labels = {Shows.NOTHING: words.plain("By none")}
    if maker.username:
        labels[Shows.USERNAME] = f"@{maker.username}"
    labels[Shows.PEN_NAME] = maker.pen_name or words.plain("A pen name")
    return [
        button(
            f"✓ {label}" if maker.shows is shows else label,
            shown,
            Verb.SHOW_AS,
            lora_id=card.lora_id,
            value=shows.value,
        )
        for shows, label in labels.items()
    ]


def render_fees(words: Words, shown: ModelList, card: ModelCard) -> Screen:
    """What others pay for a picture with it."""
    each_ = [
        button(
            f"✓ {fee} ⭐" if fee == card.fee_stars else f"{fee} ⭐",
            shown,
            Verb.FEE,
            lora_id=card.lora_id,
            value=str(fee),
        )
        for fee in FEES
    ]
    told = words.say("<b>What do others pay you for a picture with it?</b> Orders under way keep their fee.")
    back = button(words.plain("‹ Back"), shown, Verb.SHARE, lora_id=card.lora_id)
    return Screen(html=str(told), rows=(tuple(each_[:4]), tuple(each_[4:]), (back,)))


def render_previews(words: Words, shown: ModelList, card: ModelCard, *, candidates: int) -> Screen:
    """The guest's own pictures with it, to choose one. candidates: how many there are on the sheet."""
    numbers = [
        button(str(place + 1), shown, Verb.PREVIEW, lora_id=card.lora_id, value=str(place + 1))
        for place in range(candidates)
    ]
    told = (
        words.say("<b>Which picture shows what it can do?</b> Everybody sees the preview of a public model.")
        if candidates
        else words.say("Make a picture with it first; then it can be the preview.")
    )
    rows = [tuple(numbers[first : first + COLUMNS]) for first in range(0, candidates, COLUMNS)]
    return Screen(html=str(told), rows=(*rows, (_card_button(words, shown, card),)))


def render_delete(words: Words, shown: ModelList, card: ModelCard) -> Screen:
    """Whether it shall really go."""
    told = words.say(
        "<b>Delete {name} for good?</b> Its weights and its photos go. Your pictures stay.", name=card.name
    )
    yes = button(words.plain("Yes, delete it"), shown, Verb.DELETE, lora_id=card.lora_id)
    no = button(words.plain("No, keep it"), shown, Verb.OPEN, lora_id=card.lora_id)
    return Screen(html=str(told), rows=((yes, no),))


def render_reasons(words: Words, shown: ModelList, card: ModelCard) -> Screen:
    """What is wrong with it."""
    told = words.say(
        "<b>What is wrong with {name}?</b> We look at every report. Nobody learns who sent it.",
        name=card.name,
    )
    rows = [
        (button(word_reason(words, each), shown, Verb.REASON, lora_id=card.lora_id, value=each.value),)
        for each in Reason
    ]
    return Screen(html=str(told), rows=(*rows, (_card_button(words, shown, card),)))


def render_name_question(words: Words, shown: ModelList, card: ModelCard) -> Screen:
    """What a new name asks for. The next text is the answer."""
    told = words.say("Write the new name of {name}, at most {n} characters.", name=card.name, n=LONGEST_NAME)
    return Screen(html=str(told), rows=((_card_button(words, shown, card),),))


def render_pen_name_question(words: Words, shown: ModelList, card: ModelCard) -> Screen:
    """What a pen name asks for. The next text is the answer."""
    told = words.say(
        "Write the pen name that others shall see, from 2 to {n} letters, digits and spaces.",
        n=LONGEST_PEN_NAME,
    )
    back = button(words.plain("‹ Back"), shown, Verb.SHARE, lora_id=card.lora_id)
    return Screen(html=str(told), rows=((back,),))


def word_reason(words: Words, reason: Reason) -> str:
    """A reason in words, for a button and within a sentence."""
    match reason:
        case Reason.REAL_PERSON:
            return words.plain("a real person who did not agree")
        case Reason.INDECENT:
            return words.plain("indecent")
        case Reason.HATEFUL:
            return words.plain("hateful")
        case Reason.STOLEN:
            return words.plain("somebody else's work")
        case Reason.MISLEADING:
            return words.plain("not what it says")


def word_hidden(words: Words, reason: str) -> str:
    """Why operators hid a model: one of our reasons in this language, or their own words."""
    return word_reason(words, Reason(reason)) if reason in set(Reason) else reason


def _page_button(words: Words, shown: ModelList) -> Button:
    return button(words.plain("‹ Back"), shown, Verb.PAGE)


def _card_button(words: Words, shown: ModelList, card: ModelCard) -> Button:
    return button(words.plain("‹ Back"), shown, Verb.OPEN, lora_id=card.lora_id)
