"""The bot's Telegram Stars: the rows of `getStarTransactions` and the balance that they add up to.

Rows are never changed: what goes back is a row of its own under the same id. Knows no guest's wallet.
"""

from dataclasses import dataclass

from starbooth.playground.errors import GuestError, Json
from starbooth.playground.records import Records

MAX_TRANSACTIONS = 100_000


@dataclass(frozen=True, slots=True)
class Charge:
    """One payment of a guest, as its incoming row tells it. is_given_back: refunded or charged back."""

    charge_id: str
    user_id: int
    amount_xtr: int
    payload: str
    is_given_back: bool


class StarLedger:
    """All transactions, oldest first. Records are written at the next `commit` of `records`."""

    def __init__(self, records: Records) -> None:
        self.balance_xtr = 0
        self._records = records
        self._rows: list[Json] = []
        self._incoming: dict[str, Json] = {}
        self._given_back: set[str] = set()
        for row in records.all("star_row"):
            self._count(row)

    def __len__(self) -> int:
        return len(self._rows)

    def check_has_room(self) -> None:
        """Raises: GuestError 409 when no further payments can be kept; refunds always can."""
        if len(self._incoming) >= MAX_TRANSACTIONS:
            raise GuestError(409, f"there are already {MAX_TRANSACTIONS} payments")

    def receive(
        self, charge_id: str, user: Json, *, amount_xtr: int, payload: str, period_s: int, at: int
    ) -> None:
        """Book a payment; `period_s` above 0 marks it as one of a subscription."""
        partner: Json = {
            "type": "user",
            "transaction_type": "invoice_payment",
            "user": user,
            "invoice_payload": payload,
            **({"subscription_period": period_s} if period_s else {}),
        }
        self._add({"id": charge_id, "amount": amount_xtr, "date": at, "source": partner})

    def give_back(self, charge_id: str, *, at: int) -> None:
        """Book that a payment went back as a whole. The caller has looked that it has not gone back yet."""
        paid = self._incoming[charge_id]
        self._add({"id": charge_id, "amount": paid["amount"], "date": at, "receiver": paid["source"]})

    def find(self, charge_id: str) -> Charge | None:
        row = self._incoming.get(charge_id)
        if row is None:
            return None
        partner = row["source"]
        return Charge(
            charge_id=charge_id,
            user_id=partner["user"]["id"],
            amount_xtr=row["amount"],
            payload=partner["invoice_payload"],
            is_given_back=charge_id in self._given_back,
        )

    def rows(self, *, offset: int = 0, limit: int | None = None) -> list[Json]:
        """Rows from number `offset` on, oldest first; all of them without a limit."""
        return self._rows[offset : None if limit is None else offset + limit]

    def clear(self) -> None:
        for number in range(len(self._rows)):
            self._records.delete("star_row", number)
        self._rows.clear()
        self._incoming.clear()
        self._given_back.clear()
        self.balance_xtr = 0

    def _add(self, row: Json) -> None:
        self._records.put("star_row", len(self._rows), row)
        self._count(row)

    def _count(self, row: Json) -> None:
        self._rows.append(row)
        if "source" in row:
            self._incoming[row["id"]] = row
            self.balance_xtr += row["amount"]
        else:
            self._given_back.add(row["id"])
            self.balance_xtr -= row["amount"]
