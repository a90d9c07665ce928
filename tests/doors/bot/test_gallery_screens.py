"""What a gallery says and its buttons carry: within Telegram's limits whatever guests wrote and chose."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from starbooth.domain.gallery.galleries import Gallery
from starbooth.domain.gallery.pages import Page, PageEntry, Place, Wanted
from starbooth.domain.gallery.pictures import KeptPicture, UsedLora
from starbooth.domain.users.guests import Language
from starbooth.doors.bot import gallery_screens as screens
from starbooth.doors.bot.gallery_moves import Move, Verb, parse_move
from starbooth.doors.bot.words import words_for
from tests.doors.bot.test_screens import shown_length
from tests.doors.bot.test_words import Tags

LANGUAGES = list(Language)
AT = datetime(2026, 11, 24, 19, 4, 5, 678000)  # noqa: DTZ001 - as the contract stores it
ID = "c" + "z" * 24
CAPTION = 1024
LONG = "<b>&amp; 𝕏 " * 400
GALLERY = Gallery(gallery_id=2**53, wanted=Wanted(user_id=ID, favourites_only=True, words=("𝕏" * 40,) * 8))


def entry(number: int) -> PageEntry:
    return PageEntry(
        picture_id=ID, at=AT, prompt=LONG, file_key=None, order_id=ID, number=number, is_favourite=True
    )


FULL_PAGE = Page(
    pictures=tuple(map(entry, range(9))),
    newer=Place(at=AT, picture_id=ID),
    older=Place(at=AT, picture_id=ID),
    searched_to=AT,
)
FULL_PICTURE = KeptPicture(
    picture_id=ID,
    user_id=ID,
    at=AT,
    prompt=LONG,
    negative=LONG,
    model_name="Flux portrait",
    base_model_id=ID,
    seed=2**63 - 1,
    stars=1_000_000,
    is_favourite=True,
    file_key=None,
    order_id=ID,
    number=3,
    words=LONG + "!",
    size_px=(1024, 576),
    steps=50,
    guidance=3.5,
    strength=0.85,
    has_photo=True,
    loras=tuple(UsedLora(name=LONG[:200], weight=0.7) for _ in range(3)),
)


@pytest.mark.parametrize("language", LANGUAGES)
class TestLimits:
    @pytest.mark.parametrize(
        "page", [FULL_PAGE, Page(pictures=(), newer=None, older=None, searched_to=AT)], ids=["full", "none"]
    )
    def test_a_page_fits_a_caption_and_its_buttons_fit_theirs(self, language: Language, page: Page) -> None:
        screen = screens.render_page(words_for(language), GALLERY, page)
        Tags(screen.html)
        assert shown_length(screen) <= CAPTION
        assert all(0 < len(each.action.encode()) <= 64 for row in screen.rows for each in row)

    @pytest.mark.parametrize("asks_delete", [False, True])
    def test_a_picture_with_everything_fits_too(self, language: Language, asks_delete: bool) -> None:
        screen = screens.render_picture(
            words_for(language), GALLERY, FULL_PICTURE, again_stars=1_000_000, asks_delete=asks_delete
        )
        Tags(screen.html)
        assert shown_length(screen) <= CAPTION
        assert all(0 < len(each.action.encode()) <= 64 for row in screen.rows for each in row)


class TestHonesty:
    def test_a_search_that_looked_at_a_part_says_how_far_and_offers_the_rest(self) -> None:
        screen = screens.render_page(words_for(Language.ENGLISH), GALLERY, FULL_PAGE)
        assert "I got to Nov 24, 2026 and have not looked at the others yet." in screen.html
        assert "Search older ›" in [each.label for row in screen.rows for each in row]

    def test_a_search_that_found_nothing_in_a_part_does_not_say_that_there_is_nothing(self) -> None:
        page = Page(pictures=(), newer=None, older=FULL_PAGE.older, searched_to=AT)
        html = screens.render_page(words_for(Language.ENGLISH), GALLERY, page).html
        assert "None of those that I looked through has all of these words." in html
        assert "Nothing here has all" not in html


class TestMoves:
    @given(
        gallery_id=st.integers(1, 2**46),
        at=st.datetimes(datetime(1, 1, 1), datetime(2300, 1, 1)),  # noqa: DTZ001
        picture_id=st.from_regex(r"[A-Za-z0-9_-]{1,36}", fullmatch=True),
        verb=st.sampled_from(list(Verb)),
    )
    def test_what_a_button_says_is_read_back(
        self, gallery_id: int, at: datetime, picture_id: str, verb: Verb
    ) -> None:
        at -= timedelta(microseconds=at.microsecond % 1000)
        if verb in (Verb.OLDER, Verb.NEWER):
            move = Move(verb=verb, gallery_id=gallery_id, place=Place(at=at, picture_id=picture_id))
        elif verb in (Verb.PAGE, Verb.ALL, Verb.FAVOURITES, Verb.SEARCH):
            move = Move(verb=verb, gallery_id=gallery_id)
        else:
            move = Move(verb=verb, gallery_id=gallery_id, picture_id=picture_id)
        assert parse_move(str(move)) == move
        assert len(str(move).encode()) <= 64

    @pytest.mark.parametrize(
        "said",
        [
            *(
                None,
                "",
                "g:",
                "g:o",
                "g:o:1",
                "g:o:1:zzzzzzzzzz:c",
                "g:o:1:--1:c",
                "g:o:1:-zzzzzzzzz:c",
                "g:b:-1",
                "g:v:1",
                "g:v:1:c:c",
                "g:b:1:c",
            ),
            *("g:b:", "g:b:ABC", "g:v:1:c'--", "g:zz:1", "x:b:1", "g:b:1\n"),
        ],
    )
    def test_what_no_button_says_is_nothing(self, said: str | None) -> None:
        assert parse_move(said) is None
