"""The catalogues hold exactly the texts that the code uses, in every language, and each is fit to be sent."""

import html
import string
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

import starbooth.doors.bot
from starbooth.domain.users.guests import Language
from starbooth.doors.bot.words import Words, catalogue_path, words_for

KEYWORDS = {"say": None, "plain": None, "say_n": (1, 2), "plain_n": (1, 2)}
TELEGRAM_TAGS = {"b", "i", "u", "s", "code", "pre", "blockquote", "a"}
LANGUAGES = list(Language)

Id = str | tuple[str, ...]


def read_catalogue(language: Language) -> Catalog:
    with catalogue_path(language).open("rb") as source:
        return read_po(source, locale=language.value)


def id_of(message: Message) -> Id:
    return tuple(message.id) if isinstance(message.id, list | tuple) else message.id


def entries(language: Language) -> Iterator[Message]:
    return (message for message in read_catalogue(language) if message.id)


def forms(text: object) -> tuple[str, ...]:
    return (text,) if isinstance(text, str) else tuple(str(form) for form in text)  # type: ignore[attr-defined]


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


class Tags(HTMLParser):
    """Whether every tag is one of Telegram's, and closed."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=False)
        self.open: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in TELEGRAM_TAGS
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def used() -> set[Id]:
    """Every text in the code of the bot."""
    folder = Path(starbooth.doors.bot.__file__).parent
    found = extract_from_dir(folder, keywords=KEYWORDS, method_map=[("**.py", "python")])
    return {tuple(text) if isinstance(text, list | tuple) else text for _, _, text, _, _ in found}


@pytest.mark.parametrize("language", LANGUAGES)
class TestCatalogues:
    def test_they_hold_exactly_the_texts_in_use(self, language: Language, used: set[Id]) -> None:
        assert len(used) > 60
        assert {id_of(message) for message in entries(language)} == used

    def test_no_text_is_empty_or_a_guess(self, language: Language) -> None:
        assert not read_catalogue(language).fuzzy
        for message in entries(language):
            assert not message.fuzzy
            assert all(form.strip() for form in forms(message.string)), message.id

    def test_every_plural_has_all_forms_of_its_language(self, language: Language) -> None:
        wanted = {Language.ENGLISH: 2, Language.SPANISH: 2, Language.RUSSIAN: 3}[language]
        plurals = [message for message in entries(language) if message.pluralizable]
        assert plurals
        assert {len(forms(message.string)) for message in plurals} == {wanted}

    def test_placeholders_are_those_of_the_english_text(self, language: Language) -> None:
        for message in entries(language):
            wanted = placeholders(forms(message.id)[0])
            for form in forms(message.string):
                assert placeholders(form) == wanted, message.id

    def test_marks_are_those_of_the_english_text_and_valid(self, language: Language) -> None:
        for message in entries(language):
            for form in forms(message.string):
                Tags(form)
                assert set(form) & set("<&") <= set(forms(message.id)[0]), message.id

    def test_line_breaks_and_emoji_are_kept(self, language: Language) -> None:
        for message in entries(language):
            original = forms(message.id)[0]
            for form in forms(message.string):
                assert form.count("\n") == original.count("\n")
                assert [letter for letter in form if letter in "👋🎨⏳⭐"] == [
                    letter for letter in original if letter in "👋🎨⏳⭐"
                ]


class TestEnglish:
    def test_the_english_texts_are_the_ids(self) -> None:
        for message in entries(Language.ENGLISH):
            assert forms(message.string) == forms(message.id)


class TestForeignTexts:
    @pytest.mark.parametrize("language", [Language.SPANISH, Language.RUSSIAN])
    def test_nothing_was_left_in_english(self, language: Language) -> None:
        left = [message.id for message in entries(language) if message.id == message.string]
        assert left == []


class TestPlurals:
    @pytest.mark.parametrize(
        ("language", "texts"),
        [
            (Language.ENGLISH, {0: "0 stars", 1: "1 star", 2: "2 stars", 21: "21 stars"}),
            (Language.SPANISH, {0: "0 estrellas", 1: "1 estrella", 2: "2 estrellas", 21: "21 estrellas"}),
            (
                Language.RUSSIAN,
                {
                    0: "0 звёзд",
                    1: "1 звезда",
                    2: "2 звезды",
                    4: "4 звезды",
                    5: "5 звёзд",
                    11: "11 звёзд",
                    12: "12 звёзд",
                    21: "21 звезда",
                    22: "22 звезды",
                    111: "111 звёзд",
                    1001: "1001 звезда",
                },
            ),
        ],
    )
    def test_numbers_bend_their_noun(self, language: Language, texts: dict[int, str]) -> None:
        words = words_for(language)
        assert {n: words.plain_n("{n} star", "{n} stars", n) for n in texts} == texts


class TestEscaping:
    def test_facts_cannot_bring_marks_along(self) -> None:
        said = Words(Language.ENGLISH).say("👋 <b>Hello, {name}!</b>", name='<a href="x">&{name}')
        assert str(said) == "👋 <b>Hello, &lt;a href=&#34;x&#34;&gt;&amp;{name}!</b>"
        assert html.unescape(said.striptags()) == '👋 Hello, <a href="x">&{name}!'

    def test_bare_texts_are_left_as_they_are(self) -> None:
        assert words_for(Language.SPANISH).plain("On its way: {stars}.", stars="<3>") == "En camino: <3>."

    def test_a_catalogue_is_read_once(self) -> None:
        assert words_for(Language.RUSSIAN) is words_for(Language.RUSSIAN)
