"""How a training looks in the chat, from its place in the queue to its model. Views in, a screen out."""

from markupsafe import Markup

from starbooth.domain.delivery.screen import Button, Screen
from starbooth.domain.orders.end import OrderState
from starbooth.domain.orders.read import OrderView
from starbooth.domain.trainings.read import TrainingView
from starbooth.domain.users.guests import Language
from starbooth.doors.bot.actions import Action, Verb
from starbooth.doors.bot.packs_moves import packs_button
from starbooth.doors.bot.pieces import bar, stars, wait
from starbooth.doors.bot.train_moves import Move
from starbooth.doors.bot.train_moves import Verb as SetVerb
from starbooth.doors.bot.training_moves import TrainingMove, TrainingVerb
from starbooth.doors.bot.words import Words, words_for

Row = tuple[Button, ...]


def render_training(order: OrderView, training: TrainingView, language: Language) -> Screen:
    """What the chat shows of a training: its newest sample picture, once there is one, and how it stands."""
    words = words_for(language)
    match training.state:
        case OrderState.HELD:
            html, rows = _held(words, order, training)
        case OrderState.RUNNING:
            html, rows = _running(words, order, training)
        case OrderState.DONE:
            html, rows = _done(words, training)
        case OrderState.FAILED:
            html, rows = _failed(words, training)
        case OrderState.CANCELLED:
            html, rows = _cancelled(words, training)
    return Screen(html=html, file_key=training.sample_key, rows=rows)


def _held(words: Words, order: OrderView, training: TrainingView) -> tuple[str, tuple[Row, ...]]:
    if order.position is None or order.position <= 1:
        place = words.say("⏳ <b>{name}</b> is next.", name=training.name)
    else:
        place = words.say(
            "⏳ <b>{name}</b> is in the queue, place {position}.", name=training.name, position=order.position
        )
    cancel = Button(
        label=words.plain("Cancel"), action=str(Action(verb=Verb.CANCEL, order_id=order.order_id))
    )
    return _join(place, _left(words, order)), ((cancel,),)


def _running(words: Words, order: OrderView, training: TrainingView) -> tuple[str, tuple[Row, ...]]:
    share = training.step / training.steps
    lines = [
        words.say(
            "🧠 Learning <b>{name}</b> {bar} {percent}%",
            name=training.name,
            bar=bar(share),
            percent=int(share * 100 + 1e-9),
        ),
        words.say("Step {step} of {steps}.", step=training.step, steps=training.steps),
        _left(words, order),
    ]
    if training.is_stop_asked:
        lines.append(words.say("Stopping after this step …"))
        return _join(*lines), ()
    if not training.keeps_lora_if_stopped and training.engine is not None:
        lines.append(words.say("Stopped now it leaves no model: this engine hands out finished ones only."))
    return _join(*lines), ((_stop_button(words, training),),)


def _stop_button(words: Words, training: TrainingView) -> Button:
    label = words.plain(
        "Stop now: pay {paid} of {price} ⭐", paid=training.price_if_stopped, price=training.price_stars
    )
    return Button(label=label, action=str(TrainingMove(verb=TrainingVerb.STOP, order_id=training.order_id)))


def _left(words: Words, order: OrderView) -> Markup:
    return words.say("Done in {wait}.", wait=wait(words, order.wait)) if order.wait is not None else Markup()


def _done(words: Words, training: TrainingView) -> tuple[str, tuple[Row, ...]]:
    lines = [
        words.say("✨ <b>{name}</b> is ready.", name=training.name),
        words.say(
            "In prompts it is called <code>{word}</code>; I add the word by myself.",
            word=training.trigger_word,
        ),
        words.say(
            "{step} of {steps} steps · {stars}",
            step=training.step,
            steps=training.steps,
            stars=stars(words, _spent(training)),
        ),
        _returned(words, training),
    ]
    paint = Button(
        label=words.plain("Make pictures with it"),
        action=str(TrainingMove(verb=TrainingVerb.PAINT, order_id=training.order_id)),
    )
    return _join(*lines), ((paint,), (packs_button(words, training.lora_id),))


def _failed(words: Words, training: TrainingView) -> tuple[str, tuple[Row, ...]]:
    title = words.say("<b>{name}</b> could not be learned.", name=training.name)
    text = _join(
        Markup(" ").join([title, word_training_reason(training.error_code, words)]),
        _returned(words, training),
    )
    return text, _again_rows(words, training)


def _cancelled(words: Words, training: TrainingView) -> tuple[str, tuple[Row, ...]]:
    title = words.say("<b>{name}</b>: stopped.", name=training.name)
    paid = _spent(training)
    cost = (
        words.say(
            "{step} of {steps} steps ran: {stars}.",
            step=training.step,
            steps=training.steps,
            stars=stars(words, paid),
        )
        if paid
        else Markup()
    )
    return _join(title, cost, _returned(words, training)), _again_rows(words, training)


def _again_rows(words: Words, training: TrainingView) -> tuple[Row, ...]:
    """The photos once more, while they are kept."""
    if not training.may_try_again or training.set_id is None:
        return ()
    action = str(Move(set_id=training.set_id, verb=SetVerb.AGAIN))
    return ((Button(label=words.plain("Try again with the same photos"), action=action),),)


def _spent(training: TrainingView) -> int:
    return training.price_stars if training.spent_stars is None else training.spent_stars


def _returned(words: Words, training: TrainingView) -> Markup:
    n = training.price_stars - _spent(training)
    if training.spent_stars is not None and n > 0:
        return words.say_n("{n} star is back with you.", "{n} stars are back with you.", n)
    return Markup()


def word_training_reason(code: str | None, words: Words) -> Markup:
    """Why a training came to nothing, in words for the guest."""
    match code:
        case "content_policy_violation":
            return words.say("The engine's rules do not allow these photos.")
        case "deadline":
            return words.say("It took longer than anybody should wait.")
        case "photos_gone" | "photo_gone":
            return words.say("The photos are not kept any more.")
        case "broken_weights" | "no_weights":
            return words.say("The engine handed over something that is no model.")
        case "invalid_input" | "feature_not_supported":
            return words.say("The engine could not make sense of the photos.")
        case "engine_unavailable" | "ticket_lost" | "cancelled":
            return words.say("The engine is having trouble at the moment.")
        case _:
            return words.say("Something went wrong on our side.")


def _join(*paragraphs: Markup) -> str:
    return str(Markup("\n").join(part for part in paragraphs if part))
