"""A training tells its step, what stopping would cost, and what became of it, within Telegram's limits."""

from dataclasses import replace
from datetime import timedelta

import pytest
from markupsafe import Markup

from starbooth.domain.catalog.tables import LoraType
from starbooth.domain.delivery.screen import Screen
from starbooth.domain.orders.end import OrderState
from starbooth.domain.orders.place import OrderKind
from starbooth.domain.orders.read import OrderView
from starbooth.domain.trainings.read import TrainingView
from starbooth.domain.users.guests import Language
from starbooth.doors.bot.train_moves import Move, Verb, parse_move
from starbooth.doors.bot.training_moves import TrainingMove, TrainingVerb, parse_training_move
from starbooth.doors.bot.training_screens import render_training

ORDER_ID = "c" + "1" * 24
SET_ID = "c" + "2" * 24
TRAINING = TrainingView(
    order_id=ORDER_ID,
    user_id="u",
    state=OrderState.RUNNING,
    lora_id="c" + "3" * 24,
    training_id="c" + "4" * 24,
    set_id=SET_ID,
    may_try_again=True,
    lora_type=LoraType.STYLE,
    name="Ink & <paper>",
    trigger_word="zuvoqi",
    photos=6,
    step=420,
    steps=1000,
    sample_key="training/sample.jpg",
    price_stars=240,
    spent_stars=None,
    error_code=None,
    engine="darkroom",
    is_stop_asked=False,
)


def order(**facts: object) -> OrderView:
    plain: dict[str, object] = {
        "order_id": ORDER_ID,
        "kind": OrderKind.TRAINING,
        "user_id": "u",
        "state": OrderState.RUNNING,
        "request": {},
        "price_stars": 240,
        "spent_stars": None,
        "parts": 1,
        "progress": 0.42,
        "position": None,
        "wait": timedelta(minutes=5),
        "error_code": None,
        "seeds": (1,),
        "file_keys": (),
    }
    return OrderView(**{**plain, **facts})  # type: ignore[arg-type]  # a test's own facts


def rendered(
    *, language: Language = Language.ENGLISH, position: int | None = None, **facts: object
) -> Screen:
    training = replace(TRAINING, **facts)  # type: ignore[arg-type]  # a test's own facts
    return render_training(order(state=training.state, position=position), training, language)


def text_of(screen: Screen) -> str:
    return Markup(screen.html).striptags()


class TestRunning:
    def test_it_tells_step_time_and_what_stopping_costs_below_the_newest_sample(self) -> None:
        screen = rendered()
        assert screen.file_key == "training/sample.jpg"
        text = text_of(screen)
        for told in ("Ink & <paper>", "42%", "Step 420 of 1000.", "Done in about 5 min."):
            assert told in text
        ((stop,),) = screen.rows
        assert stop.label == "Stop now: pay 100 of 240 ⭐"
        assert parse_training_move(stop.action) == TrainingMove(verb=TrainingVerb.STOP, order_id=ORDER_ID)

    def test_where_stopping_leaves_no_model_it_says_so_before(self) -> None:
        assert "leaves no model" in text_of(rendered(engine="fal"))
        assert "leaves no model" not in text_of(rendered())

    def test_once_it_was_asked_to_stop_there_is_no_button(self) -> None:
        screen = rendered(is_stop_asked=True)
        assert "Stopping after this step" in text_of(screen)
        assert screen.rows == ()

    def test_what_waits_can_be_cancelled(self) -> None:
        screen = rendered(state=OrderState.HELD, sample_key=None, position=3)
        assert "in the queue, place 3" in text_of(screen)
        assert [button.label for row in screen.rows for button in row] == ["Cancel"]


class TestEnds:
    def test_done_it_offers_to_paint(self) -> None:
        screen = rendered(state=OrderState.DONE, step=1000, spent_stars=240)
        assert "is ready" in text_of(screen)
        assert "back with you" not in text_of(screen)
        assert screen.rows[0][0].label == "Make pictures with it"

    def test_stopped_early_it_tells_what_came_back(self) -> None:
        text = text_of(rendered(state=OrderState.DONE, spent_stars=100))
        assert "420 of 1000 steps · 100 stars" in text
        assert "140 stars are back with you." in text

    def test_failed_it_tells_why_gives_all_back_and_keeps_the_photos(self) -> None:
        screen = rendered(
            state=OrderState.FAILED, spent_stars=0, error_code="engine_unavailable", sample_key=None
        )
        text = text_of(screen)
        assert "The engine is having trouble at the moment." in text
        assert "240 stars are back with you." in text
        ((again,),) = screen.rows
        assert parse_move(again.action) == Move(set_id=SET_ID, verb=Verb.AGAIN)

    def test_where_the_photos_are_gone_there_is_nothing_to_try_again(self) -> None:
        assert rendered(state=OrderState.FAILED, spent_stars=0, may_try_again=False).rows == ()

    @pytest.mark.parametrize("state", list(OrderState))
    @pytest.mark.parametrize("language", list(Language))
    def test_every_state_keeps_within_telegrams_limits(self, state: OrderState, language: Language) -> None:
        screen = rendered(language=language, state=state, name="Ж" * 40, spent_stars=100, engine="fal")
        assert len(text_of(screen)) < 600
        for row in screen.rows:
            assert all(len(button.action.encode()) <= 64 for button in row)
            assert all(len(button.label) <= 40 for button in row)


class TestMoves:
    @pytest.mark.parametrize(
        "text",
        [
            *("", "j:", "j:s", "j:x:" + ORDER_ID, "j:s:" + ORDER_ID.upper(), "j:s:" + ORDER_ID + ":1"),
            *("t:" + SET_ID + ":o", "t:" + SET_ID + ":o:-5", "t:" + SET_ID + ":k:OTHER", "t:me:v:p"),
            *("t:" + SET_ID + ":x:1000", "t:" + SET_ID + ":v:q", "t:" + SET_ID + ":e:1"),
        ],
    )
    def test_what_no_button_says_is_none(self, text: str) -> None:
        assert parse_move(text) is None
        assert parse_training_move(text) is None
