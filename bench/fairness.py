"""Turns between guests: how evenly the line serves who asks for one, for ten and for a hundred pictures.

The real line in a real database: orders are placed and claimed by the house's own statements, the greedy
first, so that a line by arrival would serve them first. Only the engine is left out: what was claimed ends
at once.

After every picture served, each guest's share is compared with what max-min fairness gives them of so many
(nobody gets more than they asked for, and what one leaves is shared by the others). Jain's index over these
ratios is 1 where all are served alike, and 1/n where one of n gets everything (Jain, Chiu, Hawe 1984).
Pictures are whole, so even perfect turns are below 1 in the middle of a round.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import timedelta

from bench.contest import open_accounts
from bench.figures import Figure, Measurement
from bench.server import own_server
from starbooth.base.database import Database
from starbooth.domain.generations.request import Limits, PictureRequest, request_pictures
from starbooth.domain.orders import end, run
from starbooth.domain.orders.place import Source

# How many guests ask for so many pictures.
CROWD = {100: 5, 10: 20, 1: 25}
SLOTS = 4
_LIMITS = Limits(active_orders=1000, deadline=timedelta(hours=1))


async def measure(*, crowd: Mapping[int, int] = CROWD) -> Measurement:
    """Place everything, serve everything, look at the shares. About a minute."""
    async with own_server() as url:
        await open_accounts(url, sum(crowd.values()))
        database = Database(url, connections=2)
        try:
            demands = await _place(database, crowd)
            served = await _serve(database)
        finally:
            await database.aclose()
    arrival = [guest for guest, orders in demands.items() for _ in range(orders)]
    turns = [guest for turn in range(max(crowd)) for guest, orders in demands.items() if turn < orders]
    ours, theirs, perfect = (jain_over_time(each, demands) for each in (served, arrival, turns))
    last_single = max(served.index(guest) for guest, orders in demands.items() if orders == 1)
    return Measurement(
        figures=(
            Figure(name="guests, orders", value=len(served), unit=""),
            Figure(
                name="Jain's index, mean over the run", value=sum(ours) / len(ours), unit="", at_least=0.95
            ),
            Figure(name="Jain's index, at its worst", value=min(ours), unit=""),
            Figure(name="Jain's index of perfect turns, at its worst", value=min(perfect), unit=""),
            Figure(name="Jain's index of a line by arrival, mean", value=sum(theirs) / len(theirs), unit=""),
            Figure(name="Jain's index of a line by arrival, at its worst", value=min(theirs), unit=""),
            Figure(
                name="pictures before the last guest with one order has it", value=last_single + 1, unit=""
            ),
        ),
        details={"ours": ours, "by_arrival": theirs},
    )


async def _place(database: Database, crowd: Mapping[int, int]) -> Mapping[str, int]:
    """All orders of all guests, the greediest first. Returns how many each placed, in this order."""
    demands: dict[str, int] = {}
    for orders, guests in crowd.items():
        for _ in range(guests):
            guest = str(len(demands) + 1)
            demands[guest] = orders
            for number in range(orders):
                ask = PictureRequest(
                    request_key=f"measured:{guest}:{number}",
                    user_id=guest,
                    source=Source.COMMAND,
                    prompt="a red balloon over the sea",
                )
                async with database.transaction() as tx:
                    await request_pictures(tx, ask, limits=_LIMITS, recipient=None)
    return demands


async def _serve(database: Database) -> list[str]:
    """Claim and end until nobody waits. Returns whose order was served, in order."""
    served: list[str] = []
    while True:
        async with database.transaction() as tx:
            claims = await run.claim_next(tx, slots=SLOTS, check_in=timedelta(hours=1))
            ended = [await end.end_now(tx, claim.order_id, reason="measured") for claim in claims]
        if not claims:
            return served
        served += [each.user_id for each in ended if each is not None]


def jain_over_time(served: Sequence[str], demands: Mapping[str, int]) -> list[float]:
    """Jain's index after every service, from the moment when each guest could have had one."""
    got: Counter[str] = Counter()
    indexes = []
    for count, guest in enumerate(served, start=1):
        got[guest] += 1
        if count >= len(demands):
            shares = max_min_shares(count, demands)
            indexes.append(jain([got[each] / shares[each] for each in demands]))
    return indexes


def jain(values: Sequence[float]) -> float:
    """(Σx)² / (n·Σx²)."""
    return sum(values) ** 2 / (len(values) * sum(value * value for value in values))


def max_min_shares(total: int, demands: Mapping[str, int]) -> dict[str, float]:
    """Who gets how much of `total` where nobody gets more than they want and the rest is shared alike."""
    shares: dict[str, float] = {}
    left = float(total)
    by_demand = sorted(demands.items(), key=lambda item: item[1])
    for place, (guest, wanted) in enumerate(by_demand):
        shares[guest] = min(float(wanted), left / (len(by_demand) - place))
        left -= shares[guest]
    return shares
