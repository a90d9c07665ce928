"""How a training looks to its guest, beside what any order tells: steps, a sample, what stopping costs."""

from dataclasses import dataclass

from starbooth.base.database import Tx, sql
from starbooth.domain.catalog.tables import LoraType
from starbooth.domain.orders.end import OrderState
from starbooth.domain.trainings.finish import price_of_steps


@dataclass(frozen=True, kw_only=True)
class TrainingView:
    """One training at one moment.

    step of steps: as the engine told last. sample_key: its newest picture in storage, and in the end the
    model's preview. photos: of how many it learns. engine: that has it, None while none has. is_stop_asked:
    the guest wants it ended with what there is. set_id: of its photos, None where they are gone for good;
    may_try_again: they can be used once more.
    """

    order_id: str
    user_id: str
    state: OrderState
    lora_id: str
    training_id: str
    set_id: str | None
    may_try_again: bool
    lora_type: LoraType
    name: str
    trigger_word: str
    photos: int
    step: int
    steps: int
    sample_key: str | None
    price_stars: int
    spent_stars: int | None
    error_code: str | None
    engine: str | None
    is_stop_asked: bool

    @property
    def price_if_stopped(self) -> int:
        """What it costs if it ends now, by the steps that the engine told of."""
        return price_of_steps(self.price_stars, ran=self.step, of=self.steps)

    @property
    def keeps_lora_if_stopped(self) -> bool:
        """Whether its engine hands out the LoRA of a training that is stopped; fal.ai does not."""
        return self.engine not in (None, "fal")


_VIEW = sql("""
    SELECT o.id AS order_id, o.user_id, o.state, t.lora_id, t.training_id, t.set_id,
        coalesce(s.state <> 'doomed', false)
            AND EXISTS (SELECT FROM starbooth.set_photos p WHERE p.set_id = t.set_id) AS may_try_again,
        o.request -> 'frozen' AS frozen, coalesce(l."name", o.request -> 'frozen' ->> 'name') AS name,
        t.steps_ran, coalesce(t.sample_key, CASE WHEN o.state = 'done' THEN
            substring(l."previewImageUrl" from '/files/(models/[^?#]+)$') END) AS sample_key,
        o.price_stars, o.spent_stars, o.error_code, k.engine, k.facts,
        t.stop_asked_at IS NOT NULL AS is_stop_asked
    FROM starbooth.training_orders t
    JOIN starbooth.orders o ON o.id = t.order_id
    JOIN starbooth.tickets k ON k.order_id = o.id
    LEFT JOIN starbooth.photo_sets s ON s.id = t.set_id
    LEFT JOIN public."LoraModel" l ON l."id" = t.lora_id
    WHERE t.order_id = :order_id
""")


async def read_training(tx: Tx, order_id: str) -> TrainingView | None:
    """The training of this order; None where it is none."""
    row = (await tx.execute(_VIEW, {"order_id": order_id})).first()
    if row is None:
        return None
    facts = dict(row._mapping)
    frozen, ended = facts.pop("frozen"), facts.pop("facts")
    steps = int(frozen["steps"])
    ran = facts.pop("steps_ran")
    if row.state == OrderState.DONE:
        ran = steps if ended.get("steps_ran") is None else int(ended["steps_ran"])
    return TrainingView(
        **{**facts, "state": OrderState(row.state)},
        lora_type=LoraType(frozen["lora_type"]),
        trigger_word=frozen["trigger_word"],
        photos=frozen["photos"],
        step=min(ran, steps),
        steps=steps,
    )
