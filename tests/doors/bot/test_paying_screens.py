"""The screens of buying in every language, with the smallest and largest sums, within Telegram's limits."""

from dataclasses import replace
from datetime import timedelta

import pytest
from markupsafe import Markup

from starbooth.base.errors import Refusal
from starbooth.base.prices import Pack, parse_packs, parse_plan
from starbooth.domain.delivery.screen import Screen
from starbooth.domain.generations.request import Limits
from starbooth.domain.orders.cart import Cart, Wish
from starbooth.domain.payments.errors import (
    InvoiceOfAnother,
    InvoicePaid,
    InvoiceTooOld,
    UnknownInvoice,
)
from starbooth.domain.payments.payment import Credited
from starbooth.domain.payments.purchases import Purchase, PurchaseKind
from starbooth.domain.payments.receive import Received
from starbooth.domain.users.guests import Language
from starbooth.doors.bot import answers
from starbooth.doors.bot import paying_screens as screens
from starbooth.doors.bot.messenger import LONGEST_TOAST
from starbooth.doors.bot.pieces import length_utf16
from starbooth.doors.bot.terms import Terms
from starbooth.doors.bot.words import words_for
from tests.make.payments import PAID_AT

LARGEST = 1_000_000
TERMS = Terms(
    welcome_stars=0,
    limits=Limits(active_orders=3, deadline=timedelta(seconds=60)),
    packs=parse_packs("1=1, 2=2, 5=5, 21=21, 999999+1=999997, 999999+1=999998, 999999+1=999999, 1=1000000"),
    plan=parse_plan("999999+1=10000"),
)
LANGUAGES = list(Language)


def received(*, amount: int, balance: int, price: int | None, is_returned: bool = False) -> Received:
    wish = Wish(request_key="k", user_id="u", request={}, price_stars=price or 0)
    cart = None if price is None else Cart(cart_id="c", wish=wish, funded_at=PAID_AT)
    credited = Credited(
        user_id="u",
        telegram_id=7,
        charge_id="stx",
        amount_stars=amount,
        balance_stars=balance,
        transaction_id="t",
        purchase_id=None,
        flag=None,
        is_repeat=False,
        cart=cart,
    )
    return Received(credited=credited, is_returned=is_returned)


def assert_fits(screen: Screen) -> None:
    assert 0 < length_utf16(screen.html) <= 4096
    for row in screen.rows:
        for button in row:
            assert 0 < length_utf16(button.label) <= 64
            assert 0 < len(button.action.encode()) <= 64


@pytest.mark.parametrize("language", LANGUAGES)
class TestScreens:
    def test_packs_fit(self, language: Language) -> None:
        words = words_for(language)
        for price in (0, 1, 3, LARGEST):
            assert_fits(screens.render_packs(words, TERMS, price_stars=price, balance_stars=-LARGEST))
            assert_fits(screens.render_not_on_sale(words, TERMS, price_stars=price))
            for is_kept in (True, False):
                assert_fits(
                    screens.render_short(words, TERMS, Markup("No."), price_stars=price, is_kept=is_kept)
                )

    def test_thanks_fit(self, language: Language) -> None:
        words = words_for(language)
        for found in (
            received(amount=1, balance=1, price=None),
            received(amount=LARGEST, balance=2**31 - 1, price=3),
            received(amount=LARGEST, balance=-LARGEST, price=LARGEST),
            received(amount=50, balance=0, price=3, is_returned=True),
        ):
            for is_renewal in (True, False):
                assert_fits(screens.render_thanks(words, TERMS, found, price_stars=3, is_renewal=is_renewal))
        assert_fits(screens.render_stuck(words))

    def test_invoices_fit(self, language: Language) -> None:
        words = words_for(language)
        for amount in (1, 2, 5, 21, LARGEST):
            purchase = Purchase(
                purchase_id="c" * 25,
                user_id="u",
                kind=PurchaseKind.PACK,
                amount_stars=amount,
                amount_xtr=amount,
                expires_at=PAID_AT,
                link=None,
            )
            title, description = screens.word_invoice(words, purchase, price_stars=1)
            assert 1 <= length_utf16(title) <= 32
            assert 1 <= length_utf16(description) <= 255
            assert "⭐" in screens.word_pay_button(words, purchase)

    @pytest.mark.parametrize("refusal", [InvoiceOfAnother, InvoicePaid, InvoiceTooOld, UnknownInvoice])
    def test_each_no_has_a_sentence_of_its_own(self, language: Language, refusal: type[Refusal]) -> None:
        words = words_for(language)
        said = answers.word_refusal(refusal(), words)
        assert said == screens.word_payment_refusal(refusal(), words)
        assert "<" not in said
        assert length_utf16(said) <= LONGEST_TOAST

    def test_the_button_that_forgets_answers_shortly(self, language: Language) -> None:
        assert 0 < length_utf16(screens.render_forgotten(words_for(language))) <= LONGEST_TOAST


class TestButtons:
    def test_a_pack_comes_back_as_it_was_shown(self) -> None:
        packs = screens.render_packs(words_for(Language.ENGLISH), TERMS, price_stars=3, balance_stars=0)
        found = [screens.parse_pack_button(row[0].action) for row in packs.rows]
        assert tuple(found[: len(TERMS.packs)]) == TERMS.packs

    def test_it_is_no_prompt_of_another_button(self) -> None:
        assert screens.parse_pack_button(screens.SHOW) is None
        assert screens.parse_pack_button(None) is None
        assert screens.parse_pack_button("buy:pack:1:0:1\n") is None

    def test_without_packs_nothing_is_promised(self) -> None:
        closed = replace(TERMS, packs=())
        words = words_for(Language.ENGLISH)
        no = screens.render_short(words, closed, Markup("No."), price_stars=3, is_kept=True)
        assert no == Screen(html="No.")

    def test_a_picture_that_costs_nothing_is_not_counted(self) -> None:
        words = words_for(Language.ENGLISH)
        shown = screens.render_packs(
            words,
            replace(TERMS, packs=(Pack(stars=5, bonus_stars=0, amount_xtr=5),)),
            price_stars=0,
            balance_stars=0,
        )
        assert "≈" not in shown.html
