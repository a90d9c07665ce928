"""Signed links: only our own, only for their path, only until they expire."""

from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from starbooth.outside.storage.links import is_valid, sign

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
SECRET = b"k" * 32
PATH = "/files/pictures/c1/0.png"


def query_of(link: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(link).query).items()}


@pytest.fixture
def query() -> dict[str, str]:
    return query_of(sign(PATH, secret=SECRET, expires_at=LATER))


class TestSign:
    def test_the_link_is_the_path_and_two_fields(self) -> None:
        link = sign(PATH, secret=SECRET, expires_at=LATER)
        assert link.startswith(f"{PATH}?expires={int(LATER.timestamp())}&signature=")
        assert set(query_of(link)) == {"expires", "signature"}

    @pytest.mark.parametrize("path", ["/a?b=c", "/a#b", "/a\nb"])
    def test_only_a_bare_path_is_signed(self, path: str) -> None:
        with pytest.raises(ValueError, match="path"):
            sign(path, secret=SECRET, expires_at=LATER)


class TestIsValid:
    def test_our_link_opens_until_it_expires(self, query: dict[str, str]) -> None:
        assert is_valid(PATH, query, secret=SECRET, now=NOW)
        assert is_valid(PATH, query, secret=SECRET, now=LATER - timedelta(seconds=1))
        assert not is_valid(PATH, query, secret=SECRET, now=LATER)

    def test_another_path_stays_shut(self, query: dict[str, str]) -> None:
        assert not is_valid("/files/pictures/c1/1.png", query, secret=SECRET, now=NOW)

    def test_another_secret_opens_nothing(self, query: dict[str, str]) -> None:
        assert not is_valid(PATH, query, secret=b"o" * 32, now=NOW)

    def test_a_link_cannot_be_made_to_last(self, query: dict[str, str]) -> None:
        longer = query | {"expires": str(int(query["expires"]) + 1)}
        assert not is_valid(PATH, longer, secret=SECRET, now=NOW)

    def test_path_and_time_cannot_be_shifted_into_each_other(self) -> None:
        query = query_of(sign("/1", secret=SECRET, expires_at=LATER))
        assert not is_valid("1", query | {"expires": query["expires"] + "\n/"}, secret=SECRET, now=NOW)

    @pytest.mark.parametrize("missing", ["expires", "signature"])
    def test_half_a_query_opens_nothing(self, query: dict[str, str], missing: str) -> None:
        del query[missing]
        assert not is_valid(PATH, query, secret=SECRET, now=NOW)

    @given(expires=st.text(), signature=st.text())
    def test_no_guess_opens_or_breaks_anything(self, expires: str, signature: str) -> None:
        guess = {"expires": expires, "signature": signature}
        assert not is_valid(PATH, guess, secret=SECRET, now=NOW)
