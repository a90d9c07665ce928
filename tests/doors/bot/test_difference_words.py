"""Differences and alerts in words: each kind in each language, with foreign pieces escaped."""

from datetime import UTC, datetime
from typing import Any

import pytest

from starbooth.domain.payments.differences import Difference, Kind
from starbooth.domain.payments.reconcile import Balance, Report, xtr_text
from starbooth.domain.users.guests import Language
from starbooth.domain.users.operators import Alert
from starbooth.doors.bot.difference_words import charge_in, render_alert, render_report, word_difference
from starbooth.doors.bot.words import words_for

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
CHARGE = {"xtr": 50, "telegram_id": 7, "stars": 50, "reason": "<b>why", "user": "c1"}
FACTS: dict[Kind, dict[str, Any]] = {
    Kind.CREDITED_LATE: CHARGE,
    Kind.REFUND_FOUND: CHARGE,
    Kind.LIST_ANEW: {},
    Kind.NOT_CREDITED: CHARGE,
    Kind.NOT_TAKEN_BACK: CHARGE,
    Kind.UNKNOWN_PAYMENT: CHARGE,
    Kind.UNKNOWN_REFUND: CHARGE,
    Kind.OTHER_AMOUNT: {**CHARGE, "listed_xtr": 51},
    Kind.OTHER_PAYER: {**CHARGE, "listed_telegram_id": 8},
    Kind.STUCK_REFUND: {"operator": "telegram:7", "tries": 9, "reason": "<b>gone"},
    Kind.BALANCE: {"telegram_nanos": 1_500_000_000, "listed_nanos": -1},
    Kind.BEFORE_BOOTH: {"payments": 20, "xtr": 1000},
}
ALERTS: dict[str, dict[str, Any]] = {
    "payment_returned": {"charge": "stx", "telegram_id": 7, "xtr": 50, "balance_stars": -3},
    "refund_refused": {"charge": "stx", "telegram_id": 7, "reason": "<b>no"},
    "refund_stuck": {"charge": "stx", "telegram_id": 7, "reason": "<b>no"},
    "payment_flagged": {"charge": "stx", "telegram_id": 7, "xtr": 50, "stars": 50, "flag": "other_payer"},
    "payment_stuck": {"charge": None, "telegram_id": None, "xtr": None, "update": 5},
    "payment_not_credited": {
        "charge": "stx",
        "telegram_id": 7,
        "amount": 5,
        "currency": "EUR",
        "reason": "<b>",
    },
    "support": {
        "reference": "AB12",
        "telegram_id": 7,
        "username": "<ada>",
        "text": "<b>" * 2000,
        "charges": ["stx" + "a" * 64] * 5,
    },
    "of_another_release": {"charge": "stx", "thing": "<b>"},
}


def difference(kind: Kind) -> Difference:
    return Difference(kind=kind, subject="stx_<1>", facts=FACTS[kind])


def alert(kind: str, facts: dict[str, Any]) -> Alert:
    return Alert(key="k", kind=kind, facts=facts, told=frozenset(), created_at=NOW, due_at=NOW)


@pytest.mark.parametrize("language", Language)
class TestInEveryLanguage:
    @pytest.mark.parametrize("kind", Kind)
    def test_a_difference_says_what_is_so_and_what_to_do_unless_it_is_put_right(
        self, language: Language, kind: Kind
    ) -> None:
        what, advice = word_difference(words_for(language), difference(kind))
        assert what
        assert "<b>" not in what
        assert bool(advice) or difference(kind).is_mended

    @pytest.mark.parametrize("kind", ALERTS)
    def test_an_alert_is_worded_and_fits_into_a_message(self, language: Language, kind: str) -> None:
        screen = render_alert(words_for(language), alert(kind, ALERTS[kind]), row_id="c" + "a" * 24)
        assert "<b>no" not in screen.html
        assert "<ada>" not in screen.html
        assert len(screen.html) < 16_000  # entities apart, below the 4096 letters that Telegram shows
        assert len(screen.rows) == 1

    def test_an_alert_of_a_difference_names_its_charge(self, language: Language) -> None:
        told = alert("difference", difference(Kind.NOT_CREDITED).as_json())
        assert charge_in(told) == "stx_<1>"
        screen = render_alert(words_for(language), told, row_id=None)
        assert "<code>stx_&lt;1&gt;</code>" in screen.html
        assert screen.rows == ()


class TestReport:
    def test_every_difference_is_shown_up_to_ten_and_the_rest_counted(self) -> None:
        report = Report(
            at=NOW,
            cursor=5,
            rows_read=5,
            is_complete=True,
            balance=Balance(telegram_nanos=5 * 10**9, listed_nanos=0),
            differences=tuple(difference(Kind.NOT_CREDITED) for _ in range(12)),
        )
        said = render_report(words_for(Language.ENGLISH), report).html
        assert "ours differ." in said
        assert said.count("could not be credited") == 10
        assert "And 2 more" in said
        assert "The bot has 5 XTR." in said

    @pytest.mark.parametrize(("is_complete", "head"), [(True, "ours agree."), (False, "not read to its end")])
    def test_only_books_that_were_compared_agree(self, is_complete: bool, head: str) -> None:
        report = Report(at=NOW, cursor=5, rows_read=5, is_complete=is_complete, balance=None, differences=())
        assert head in render_report(words_for(Language.ENGLISH), report).html.split("\n")[0]


@pytest.mark.parametrize(
    ("nanos", "text"),
    [(0, "0"), (5 * 10**9, "5"), (-35 * 10**8, "-3.5"), (1, "0.000000001"), (-1, "-0.000000001")],
)
def test_amounts_have_as_many_decimals_as_there_are(nanos: int, text: str) -> None:
    assert xtr_text(nanos) == text
