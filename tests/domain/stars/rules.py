"""The rules of design part 3 a second time: a ledger in memory that says what each movement must do.

Nothing of ours is imported but the names of the refusals. Rows are known by their place in `rows`; `row_id`
is what the database called them.
"""

from dataclasses import dataclass, field

from starbooth.domain.stars.errors import (
    AmountRefused,
    HoldEndedOtherwise,
    KeyReused,
    NoSuchHold,
    NoSuchPurchase,
    NoSuchRefund,
    NotEnoughStars,
    PurchaseNotPaid,
    StarsSpent,
)

HOLDS = ("GENERATION", "TRAINING")
UNKNOWN = -1  # the place of a row that is not there


@dataclass
class Row:
    """A ledger row. `refund_of`: the place of the row that it gives back."""

    kind: str
    account: int
    amount: int
    status: str
    key: str
    charge: str | None = None
    refund_of: int | None = None
    row_id: str = ""


@dataclass(frozen=True)
class Answer:
    """What a movement must answer: the place of the row, and whether it had been done before."""

    place: int
    is_repeat: bool


Outcome = Answer | type[Exception]


@dataclass
class Rules:
    """The ledger. A movement does what it must and tells the answer, or names the error and does nothing."""

    rows: list[Row] = field(default_factory=list)

    def sums(self, account: int) -> tuple[int, int, int]:
        """Balance, stars spent and stars bought, by the definitions and nothing else."""
        mine = [row for row in self.rows if row.account == account]
        stars = sum(
            row.amount
            for row in mine
            if row.status in ("COMPLETED", "REFUNDED") or (row.status == "PENDING" and row.amount < 0)
        )
        bought = sum(row.amount for row in mine if row.kind == "PURCHASE" and row.status == "COMPLETED")
        spent = [
            place for place, row in enumerate(self.rows) if row.kind in HOLDS and row.status == "COMPLETED"
        ]
        spent_stars = sum(
            -self.rows[place].amount - self.given_back(place)
            for place in spent
            if self.rows[place].account == account
        )
        return stars, spent_stars, bought

    def stars(self, account: int) -> int:
        return self.sums(account)[0]

    def given_back(self, place: int) -> int:
        """What COMPLETED refunds gave back of this row."""
        return sum(row.amount for row in self.refunds(place) if row.status == "COMPLETED")

    def refunds(self, place: int) -> list[Row]:
        return [row for row in self.rows if row.kind == "REFUND" and row.refund_of == place]

    def find(self, place: int, *kinds: str) -> Row | None:
        """The row at this place if there is one, and of one of these kinds."""
        if place == UNKNOWN or self.rows[place].kind not in kinds:
            return None
        return self.rows[place]

    def move(self, kind: str, account: int, amount: int, key: str) -> Outcome:
        """A hold (a negative amount of its kind), a bonus, or a grant of either sign."""
        for place, row in enumerate(self.rows):
            if row.key == key:
                same = (row.kind, row.account, row.amount) == (kind, account, amount)
                return Answer(place, is_repeat=True) if same else KeyReused
        if amount < 0 and self.stars(account) + amount < 0:
            return NotEnoughStars
        return self.write(Row(kind, account, amount, "PENDING" if kind in HOLDS else "COMPLETED", key))

    def end_hold(self, place: int, spent: int) -> Outcome:
        """Settle a hold for `spent` stars; for none at all, release it."""
        row = self.find(place, *HOLDS)
        if row is None:
            return NoSuchHold
        held, ending = -row.amount, "REFUNDED" if spent == 0 and row.amount < 0 else "COMPLETED"
        if row.status != "PENDING":
            same = row.status == ending and self.given_back(place) == held - spent
            return Answer(place, is_repeat=True) if same else HoldEndedOtherwise
        if spent > held:
            return AmountRefused
        row.status = ending
        if spent < held:
            self.write(
                Row("REFUND", row.account, held - spent, "COMPLETED", f"refund:{row.key}", refund_of=place)
            )
        return Answer(place, is_repeat=False)

    def open_purchase(self, account: int, amount: int, key: str) -> Outcome:
        for place, row in enumerate(self.rows):
            if row.key == key:
                same = (row.kind, row.account, row.amount) == ("PURCHASE", account, amount)
                return Answer(place, is_repeat=True) if same else KeyReused
        return self.write(Row("PURCHASE", account, amount, "PENDING", key))

    def fail_purchase(self, place: int) -> bool:
        """Whether it failed now."""
        row = self.find(place, "PURCHASE")
        if row is None or row.status != "PENDING":
            return False
        row.status = "FAILED"
        return True

    def credit_payment(self, account: int, amount: int, charge: str, place: int) -> Outcome:
        for credited, row in enumerate(self.rows):
            if row.charge == charge:
                return Answer(credited, is_repeat=True) if row.account == account else KeyReused
        wanted = self.find(place, "PURCHASE")
        if wanted and (wanted.account, wanted.amount, wanted.status) == (account, amount, "PENDING"):
            wanted.status, wanted.charge = "COMPLETED", charge
            return Answer(place, is_repeat=False)
        return self.write(Row("PURCHASE", account, amount, "COMPLETED", f"charge:{charge}", charge=charge))

    def begin_refund(self, place: int, *, is_forced: bool) -> Outcome:
        row = self.find(place, "PURCHASE")
        if row is None:
            return NoSuchPurchase
        for refund in self.refunds(place):
            if refund.status != "FAILED":
                return Answer(self.rows.index(refund), is_repeat=True)
        if row.status != "COMPLETED":
            return PurchaseNotPaid
        if not is_forced and self.stars(row.account) < row.amount:
            return StarsSpent
        return self.write_refund(place, "PENDING")

    def settle_refund(self, place: int) -> Outcome:
        row = self.find(place, "PURCHASE")
        if row is None:
            return NoSuchPurchase
        live = [refund for refund in self.refunds(place) if refund.status != "FAILED"]
        if row.status == "REFUNDED":
            return Answer(self.rows.index(live[0]), is_repeat=True)
        if row.status != "COMPLETED":
            return PurchaseNotPaid
        row.status = "REFUNDED"
        if live:
            live[0].status = "COMPLETED"
            return Answer(self.rows.index(live[0]), is_repeat=False)
        return self.write_refund(place, "COMPLETED")

    def drop_refund(self, place: int) -> Outcome:
        row = self.find(place, "REFUND")
        if row is None or row.amount > 0:
            return NoSuchRefund
        if row.status == "COMPLETED":
            return HoldEndedOtherwise
        answer = Answer(place, is_repeat=row.status == "FAILED")
        row.status = "FAILED"
        return answer

    def write_refund(self, place: int, status: str) -> Answer:
        row, before = self.rows[place], len(self.refunds(place))
        return self.write(
            Row("REFUND", row.account, -row.amount, status, f"refund:{row.key}:{before}", refund_of=place)
        )

    def write(self, row: Row) -> Answer:
        self.rows.append(row)
        return Answer(len(self.rows) - 1, is_repeat=False)
