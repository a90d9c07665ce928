"""Prices as operators write them."""

import pytest

from starbooth.base.errors import SettingError
from starbooth.base.prices import Pack, parse_packs, parse_plan
from starbooth.base.settings import read_settings


def test_packs_are_read_cheapest_first() -> None:
    assert parse_packs("250+15=240, 50=50") == (
        Pack(stars=50, bonus_stars=0, amount_xtr=50),
        Pack(stars=250, bonus_stars=15, amount_xtr=240),
    )


@pytest.mark.parametrize(
    "text",
    [
        *("", "50", "50=", "=50", "0=50", "50=0", "-5=5", "50=5.5", "10abc=10", "50+=50", "50=50,"),
        *("9999999=1", "1=9999999", "999999+9=5", "50=50 60=60", "10=5,20=5", "1=1,1=1"),
        ",".join(f"{n}={n}" for n in range(1, 10)),
    ],
)
def test_what_is_no_price_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_packs(text)


def test_every_written_pack_reads_as_itself() -> None:
    for pack in parse_packs("50=50, 250+15=250"):
        assert parse_packs(str(pack)) == (pack,)


def test_a_plan_may_be_absent_and_has_a_ceiling() -> None:
    assert parse_plan("  ") is None
    assert parse_plan("300+60=10000") == Pack(stars=300, bonus_stars=60, amount_xtr=10_000)
    with pytest.raises(ValueError, match="10000"):
        parse_plan("300=10001")


def test_settings_name_a_wrong_price(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STARBOOTH_PACKS", "10abc=5")
    with pytest.raises(SettingError, match=r"STARBOOTH_PACKS.*10abc"):
        read_settings()


def test_none_turns_the_plan_off(monkeypatch: pytest.MonkeyPatch) -> None:
    assert read_settings().plan is not None
    monkeypatch.setenv("STARBOOTH_PLAN", "none")
    assert read_settings().plan is None
