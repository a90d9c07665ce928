"""What a guest chooses for a model before they order it, and the words that they agree to. Pure."""

from markupsafe import Markup

from starbooth.domain.catalog.tables import LoraType
from starbooth.domain.delivery.screen import Screen
from starbooth.domain.trainings.offers import TrainingOffer, price_of
from starbooth.doors.bot.pieces import stars
from starbooth.doors.bot.train_moves import Page, Question, Verb
from starbooth.doors.bot.train_screens import Row, TrainPanel, back, button, page_of, view
from starbooth.doors.bot.words import Words

_MILLION = 1_000_000


def chosen_steps(panel: TrainPanel, offer: TrainingOffer) -> int:
    """The guest's steps, else the offer's own."""
    return panel.photo_set.steps or offer.steps


def chosen_rate(panel: TrainPanel, offer: TrainingOffer) -> float:
    """The guest's learning rate, else the offer's own."""
    return panel.photo_set.learning_rate or offer.learning_rate


def price_of_set(panel: TrainPanel, offer: TrainingOffer) -> int:
    """What the training costs as it stands, in whole stars."""
    return price_of(offer, chosen_steps(panel, offer))


def render_choices(words: Words, panel: TrainPanel, offer: TrainingOffer) -> Screen:
    """Name, word, captions, the price, and the button that orders once the guest has agreed."""
    chosen = panel.photo_set
    own = sum(1 for each in panel.photos if each.own_caption)
    lines = [
        _kind(words, offer),
        words.say_n("Photos: {n}", "Photos: {n}", len(panel.photos)),
        words.say("Name: <b>{name}</b>", name=chosen.name or ""),
        words.say("Word for prompts: <code>{word}</code>", word=chosen.trigger_word or ""),
        words.say("Captions of your own: {n}", n=own) if own else Markup(),
        words.say("Steps: {steps}", steps=chosen_steps(panel, offer)),
    ]
    return page_of(
        [
            Markup("\n").join(line for line in lines if line),
            words.say(
                "It costs {price}. If it fails you get all back; stopped early, you pay the steps that ran.",
                price=stars(words, price_of_set(panel, offer)),
            ),
            _agreed(words, panel),
        ],
        [
            _order_row(words, panel, offer),
            (
                button(panel, words.plain("Name"), Verb.TYPE, Question.NAME),
                button(panel, words.plain("Word"), Verb.TYPE, Question.WORD),
                button(panel, words.plain("Another word"), Verb.NEW_WORD),
            ),
            (
                view(panel, words.plain("Captions"), Page.CAPTIONS),
                view(panel, words.plain("Advanced"), Page.ADVANCED),
            ),
            *((_withdraw_row(words, panel),) if _has_agreed(panel) else ()),
            (view(panel, words.plain("‹ Photos"), Page.PHOTOS),),
        ],
    )


def _kind(words: Words, offer: TrainingOffer) -> Markup:
    if offer.lora_type is LoraType.PORTRAIT:
        return words.say("🧠 A model of <b>a person</b>")
    return words.say("🧠 A model of <b>a style or thing</b>")


def _has_agreed(panel: TrainPanel) -> bool:
    return panel.consent is not None and panel.consent.stands


def _agreed(words: Words, panel: TrainPanel) -> Markup:
    if panel.consent is None or not panel.consent.stands:
        return Markup()
    return words.say("✓ You agreed on {time} UTC.", time=f"{panel.consent.given_at:%Y-%m-%d %H:%M}")


def _order_row(words: Words, panel: TrainPanel, offer: TrainingOffer) -> Row:
    price = price_of_set(panel, offer)
    if not _has_agreed(panel):
        return (view(panel, words.plain("Go on · {price} ⭐", price=price), Page.CONSENT),)
    return (button(panel, words.plain("Train it · {price} ⭐", price=price), Verb.ORDER, str(price)),)


def _withdraw_row(words: Words, panel: TrainPanel) -> Row:
    return (button(panel, words.plain("I no longer agree"), Verb.WITHDRAW),)


def consent_words(words: Words) -> str:
    """What a guest agrees to, word for word as it is shown and kept."""
    return words.plain(
        "I agree that these photos are used to train this model, and for nothing else. I may use them, and"
        " everybody on them agrees too. I can take this back at any time; then the photos are deleted."
    )


def render_consent(words: Words, panel: TrainPanel, *, keep_days: int) -> Screen:
    """Asked before the first order of a set. keep_days: how long photos stay after the training."""
    return page_of(
        [
            words.say("<b>Do you agree?</b>"),
            Markup("<blockquote>{}</blockquote>").format(consent_words(words)),
            words.say_n(
                "The photos are deleted {n} day after the training, or at once if you say so.",
                "The photos are deleted {n} days after the training, or at once if you say so.",
                keep_days,
            ),
        ],
        [
            (button(panel, words.plain("I agree"), Verb.AGREE),),
            back(panel, words, Page.CHOICES),
        ],
    )


def render_advanced(words: Words, panel: TrainPanel, offer: TrainingOffer) -> Screen:
    """Steps and learning rate, each within what the offer takes."""
    steps, rate = chosen_steps(panel, offer), chosen_rate(panel, offer)
    return page_of(
        [
            words.say("<b>Advanced</b>"),
            words.say(
                "Steps: {steps} ({least} to {most}). More learn better, up to a point, and cost more.",
                steps=steps,
                least=offer.least_steps,
                most=offer.most_steps,
            ),
            words.say("Learning rate: {rate}", rate=_rate(rate)) if _rates(offer) else Markup(),
            words.say("It costs {price} then.", price=stars(words, price_of_set(panel, offer))),
        ],
        [
            tuple(
                button(panel, str(each), Verb.STEPS, str(each), is_chosen=each == steps)
                for each in _steps(offer)
            ),
            (button(panel, words.plain("Other steps"), Verb.TYPE, Question.STEPS),),
            *_rate_rows(words, panel, offer, rate),
            (button(panel, words.plain("As recommended"), Verb.OWN_RECIPE),),
            back(panel, words, Page.CHOICES),
        ],
    )


def _steps(offer: TrainingOffer) -> list[int]:
    wanted = (offer.steps // 2, offer.steps, offer.steps * 2)
    return sorted({min(max(each, offer.least_steps), offer.most_steps) for each in wanted})


def _rates(offer: TrainingOffer) -> list[float]:
    """Rates to choose among; none where the endpoint has its own."""
    if offer.least_learning_rate == offer.most_learning_rate:
        return []
    wanted = (offer.learning_rate / 2, offer.learning_rate, offer.learning_rate * 2)
    return sorted({min(max(each, offer.least_learning_rate), offer.most_learning_rate) for each in wanted})


def _rate_rows(words: Words, panel: TrainPanel, offer: TrainingOffer, rate: float) -> list[Row]:
    rates = _rates(offer)
    if not rates:
        return []
    return [
        tuple(
            button(
                panel,
                _rate(each),
                Verb.RATE,
                str(round(each * _MILLION)),
                is_chosen=_rate(each) == _rate(rate),
            )
            for each in rates
        ),
        (button(panel, words.plain("Other rate"), Verb.TYPE, Question.RATE),),
    ]


def _rate(rate: float) -> str:
    return f"{rate:.6f}".rstrip("0")


def word_question(words: Words, panel: TrainPanel, question: Question, offer: TrainingOffer) -> Screen:
    """The set waits for the guest to write something; back cancels it."""
    page = Page.ADVANCED if question in (Question.STEPS, Question.RATE) else Page.CHOICES
    return page_of([_question(words, question, offer)], [back(panel, words, page)])


def _question(words: Words, question: Question, offer: TrainingOffer) -> Markup:
    match question:
        case Question.NAME:
            return words.say("What shall the model be called? Write a name.")
        case Question.WORD:
            return words.say(
                "By which word will you call it in prompts? It should mean nothing else: one word of Latin"
                " letters and digits, such as <code>zuvoqi</code>."
            )
        case Question.STEPS:
            return words.say(
                "How many steps? Write a number from {least} to {most}.",
                least=offer.least_steps,
                most=offer.most_steps,
            )
        case Question.RATE:
            return words.say(
                "Which learning rate? Write a number from {least} to {most}.",
                least=_rate(offer.least_learning_rate),
                most=_rate(offer.most_learning_rate),
            )
