"""The pages behind the first one of a panel: one choice each, by buttons. Pure."""

from collections.abc import Sequence

from markupsafe import Markup

from starbooth.domain.catalog.offers import Offer
from starbooth.domain.delivery.screen import Button, Screen
from starbooth.domain.generations.choices import (
    LEAST_STRENGTH,
    LONGEST_NEGATIVE,
    MOST_LORAS,
    MOST_PICTURES,
    Shape,
)
from starbooth.domain.generations.quote import ChosenLora
from starbooth.domain.studio.awaited import What
from starbooth.domain.studio.loras import LoraPage, OfferedLora
from starbooth.domain.studio.panel import Panel
from starbooth.domain.studio.presets import LONGEST_NAME, MOST_PRESETS, Preset
from starbooth.doors.bot.model_moves import ALL_MODELS
from starbooth.doors.bot.panel_moves import OWN, Page, Verb, removal_value, weight_value
from starbooth.doors.bot.panel_pieces import SHAPES, Row, back, button, page_of, word_dropped, word_fees
from starbooth.doors.bot.pieces import shorten, stars
from starbooth.doors.bot.words import Words

LORAS_ON_A_PAGE = 6
_STRENGTHS = (0.2, 0.4, 0.6, 0.75, 0.9, 1.0)
_GUIDANCE_STEP = 0.5
_LONGEST_SHOWN_NEGATIVE = 200


def render_models(words: Words, panel: Panel, offers: Sequence[Offer]) -> Screen:
    """The models that are sold, what they cost and what they can."""
    sold = [each for each in offers if each.is_on]
    rows = [
        (
            button(
                panel,
                f"{each.name} · {each.price_stars} ⭐",
                Verb.MODEL,
                each.base_model_id,
                is_chosen=each.base_model_id == panel.offer.base_model_id,
            ),
        )
        for each in sold
    ]
    lines = Markup("\n").join(_model_line(words, each) for each in sold)
    return page_of([words.say("<b>Which model paints?</b>"), lines], [*rows, back(panel, words)])


def _model_line(words: Words, offer: Offer) -> Markup:
    price = stars(words, offer.price_stars)
    facts = {"name": offer.name, "price": price}
    if offer.photo_endpoint is not None and offer.loras_endpoint is not None:
        return words.say("{name}: {price} a picture, takes photos and LoRAs", **facts)
    if offer.photo_endpoint is not None:
        return words.say("{name}: {price} a picture, takes photos", **facts)
    if offer.loras_endpoint is not None:
        return words.say("{name}: {price} a picture, takes LoRAs", **facts)
    return words.say("{name}: {price} a picture, from words alone", **facts)


def render_shapes(words: Words, panel: Panel) -> Screen:
    """All shapes, by their ratios."""
    chosen = panel.choices.shape
    each_: list[Button] = [
        button(panel, SHAPES[shape], Verb.SHAPE, shape.value, is_chosen=chosen is shape) for shape in Shape
    ]
    own = button(panel, words.plain("As the model likes"), Verb.SHAPE, OWN, is_chosen=chosen is None)
    rows = [tuple(each_[at : at + 2]) for at in range(0, len(each_), 2)]
    return page_of([words.say("<b>Which shape?</b>")], [*rows, (own,), back(panel, words)])


def render_counts(words: Words, panel: Panel) -> Screen:
    """How many pictures at a time."""
    row = tuple(
        button(panel, str(n), Verb.COUNT, str(n), is_chosen=panel.choices.count == n)
        for n in range(1, MOST_PICTURES + 1)
    )
    question = words.say(
        "<b>How many pictures at a time?</b> Each costs {price}, and you pay for those that come out.",
        price=stars(words, panel.offer.price_stars),
    )
    return page_of([question, word_fees(words, panel)], [row, back(panel, words)])


def render_loras(words: Words, panel: Panel, page: LoraPage, *, number: int) -> Screen:
    """The chosen LoRAs with their weights, and those that can be added. number: of the page, from 0."""
    chosen = [_weight_row(panel, each) for each in panel.loras]
    has_room = len(panel.loras) < MOST_LORAS
    added = [
        (
            button(
                panel,
                _name_offered(words, each),
                Verb.LORA,
                weight_value(each.lora_id, 1.0),
            ),
        )
        for each in page.loras
        if has_room
    ]
    turn = []
    if number > 0:
        turn.append(button(panel, "‹", Verb.VIEW_LORAS, str(number - 1)))
    if page.has_more and has_room:
        turn.append(button(panel, "›", Verb.VIEW_LORAS, str(number + 1)))
    hint = words.say("− and + change how strongly each counts, ✕ takes it out.") if chosen else Markup()
    nothing = (
        words.say("There is none for {name} yet.", name=panel.offer.name)
        if not chosen and not page.loras
        else Markup()
    )
    return page_of(
        [
            words.say(
                "<b>LoRAs</b> teach {name} a style, a thing or a face. A picture takes up to {n} of them.",
                name=panel.offer.name,
                n=MOST_LORAS,
            ),
            word_dropped(words, panel),
            word_fees(words, panel),
            hint,
            nothing,
        ],
        [*chosen, *added, tuple(turn), *_catalogue_row(words, panel), back(panel, words)],
    )


def _catalogue_row(words: Words, panel: Panel) -> list[Row]:
    """The way to all models with their previews. It changes what is remembered, so no draft leads there."""
    if panel.draft is not None:
        return []
    return [(Button(label=words.plain("🌍 All models"), action=ALL_MODELS),)]


def _name_offered(words: Words, lora: OfferedLora) -> str:
    if lora.is_own:
        return words.plain("+ {name} (yours)", name=lora.name)
    return f"+ {lora.name} · +{lora.fee_stars} ⭐" if lora.fee_stars else f"+ {lora.name}"


def _weight_row(panel: Panel, lora: ChosenLora) -> Row:
    less, more = (weight_value(lora.lora_id, lora.weight + step) for step in (-0.1, 0.1))
    label = f"{shorten(lora.name, limit=20)} {lora.weight:.1f} ✕"
    return (
        button(panel, "−", Verb.LORA, less),
        button(panel, label, Verb.LORA, removal_value(lora.lora_id)),
        button(panel, "+", Verb.LORA, more),
    )


def render_seeds(words: Words, panel: Panel, *, newest: int | None) -> Screen:
    """Random, as the newest picture's, or as written."""
    chosen = panel.choices.seed
    rows: list[Row] = [
        (button(panel, words.plain("Random"), Verb.SEED, OWN, is_chosen=chosen is None),),
        (button(panel, words.plain("Write a number"), Verb.TYPE, What.SEED.value),),
    ]
    if newest is not None:
        label = words.plain("As the last picture: {seed}", seed=str(newest))
        keep = button(panel, label, Verb.SEED, str(newest), is_chosen=chosen == newest)
        rows.insert(1, (keep,))
    now = words.say("Now it is <code>{seed}</code>.", seed=str(chosen)) if chosen is not None else Markup()
    told = words.say(
        "<b>The seed</b> is the dice of a picture: the same words with the same seed give the same picture."
    )
    return page_of([told, now], [*rows, back(panel, words)])


def render_strengths(words: Words, panel: Panel) -> Screen:
    """How far a picture may leave its photo."""
    now = panel.offer.strength if panel.choices.strength is None else panel.choices.strength
    each_ = [
        button(
            panel,
            f"{round(value * 100)} %",
            Verb.STRENGTH,
            str(round(value * 100)),
            is_chosen=abs(value - now) < LEAST_STRENGTH / 2,
        )
        for value in _STRENGTHS
    ]
    told = words.say(
        "<b>How much may change?</b> Little keeps the photo, much keeps hardly more than its idea."
    )
    own = button(
        panel,
        words.plain("As the model likes"),
        Verb.STRENGTH,
        OWN,
        is_chosen=panel.choices.strength is None,
    )
    return page_of([told], [tuple(each_[:3]), tuple(each_[3:]), (own,), back(panel, words)])


def render_advanced(words: Words, panel: Panel) -> Screen:
    """Steps, guidance and what to leave out."""
    choices, offer = panel.choices, panel.offer
    steps = offer.steps if choices.steps is None else choices.steps
    guidance = offer.guidance if choices.guidance is None else choices.guidance
    pace = max(1, (offer.most_steps - offer.least_steps) // 12)
    rows: list[Row] = [
        _stepper(
            panel,
            Verb.STEPS,
            words.plain("Steps: {steps}", steps=steps),
            str(max(offer.least_steps, steps - pace)),
            str(min(offer.most_steps, steps + pace)),
        ),
        _stepper(
            panel,
            Verb.GUIDANCE,
            words.plain("Guidance: {guidance}", guidance=f"{guidance:g}"),
            _tenths(max(offer.least_guidance, guidance - _GUIDANCE_STEP)),
            _tenths(min(offer.most_guidance, guidance + _GUIDANCE_STEP)),
        ),
    ]
    if panel.takes_negative:
        rows.append(_negative_row(words, panel))
        negative = _word_negative(words, choices.negative)
    else:
        negative = words.say(
            "{name} takes no negative prompt here: it cannot be told what to leave out.", name=offer.name
        )
    told = words.say(
        "<b>Advanced.</b> More steps take care, more guidance keeps closer to your words. The button in the"
        " middle goes back to what {name} likes.",
        name=offer.name,
    )
    return page_of([told, negative], [*rows, back(panel, words)])


def _stepper(panel: Panel, verb: Verb, label: str, less: str, more: str) -> Row:
    return (button(panel, "−", verb, less), button(panel, label, verb, OWN), button(panel, "+", verb, more))


def _tenths(value: float) -> str:
    return str(round(value * 10))


def _word_negative(words: Words, negative: str) -> Markup:
    if not negative:
        return words.say("Nothing is left out.")
    return words.say("Left out: <i>{negative}</i>", negative=shorten(negative, limit=_LONGEST_SHOWN_NEGATIVE))


def _negative_row(words: Words, panel: Panel) -> Row:
    write = button(panel, words.plain("Leave something out"), Verb.TYPE, What.NEGATIVE.value)
    if not panel.choices.negative:
        return (write,)
    return (write, button(panel, words.plain("Leave nothing out"), Verb.CLEAR_NEGATIVE))


def render_presets(words: Words, panel: Panel, presets: Sequence[Preset]) -> Screen:
    """The guest's presets to choose or delete, and to save what is chosen now."""
    rows: list[Row] = [
        (
            button(panel, each.name, Verb.PRESET, each.preset_id, is_chosen=each.choices == panel.choices),
            button(panel, "🗑", Verb.DELETE_PRESET, each.preset_id),
        )
        for each in presets
    ]
    save = button(panel, words.plain("Save what is chosen now"), Verb.TYPE, What.PRESET.value)
    told = words.say("<b>Presets</b> keep all that is chosen under a name, up to {n}.", n=MOST_PRESETS)
    return page_of([told], [*rows, (save,), back(panel, words)])


def word_question(words: Words, what: What) -> tuple[Markup, Page]:
    """What a panel asks the guest to write, and the page to go back to."""
    match what:
        case What.WORDS:
            return words.say(
                "Write what you would like to see. It replaces the words of this picture."
            ), Page.HOME
        case What.SEED:
            return (
                words.say("Write the seed: a whole number from 0 to {most}.", most=str(2**63 - 1)),
                Page.SEED,
            )
        case What.NEGATIVE:
            return (
                words.say(
                    "Write what should not be in your pictures, at most {n} characters.", n=LONGEST_NEGATIVE
                ),
                Page.ADVANCED,
            )
        case What.PRESET:
            return (
                words.say(
                    "Write a name, at most {n} characters. A name that is there already is saved over.",
                    n=LONGEST_NAME,
                ),
                Page.PRESETS,
            )
