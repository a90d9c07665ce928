"""A word is found however it is written, and a word that only holds it is not it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from starbooth.domain.prompts.lookalikes import TO_LATIN
from starbooth.domain.prompts.matching import Matcher
from starbooth.domain.prompts.normalise import read, read_word

LIST = Matcher(
    ["nude", "naked child*", "porn*", "cunt", "ass", "sex", "голая", "порно*", "裸", "नंगा", "عاري"]
)

DISGUISED = [
    "a nude",
    "NUDE",
    "n.u.d.e",
    "n u d e woman",
    "a N-u-D-e woman",
    "n_u_d_e",
    "n\nu\nd\ne",
    "n🍑u🍑d🍑e",
    "nu-de",
    "nude's",
    "nudе with a Cyrillic letter",
    "ΝUDE with a Greek one",
    "nüdè",
    "n̶u̶d̶e̶",
    "n⃝u⃝d⃝e⃝",
    "n\u200bu\u200dd\u2060e",
    "nu\u00adde",
    "nu\ufe0fde",
    "ｎｕｄｅ",
    "𝓃𝓊𝒹𝑒",
    "ⓝⓤⓓⓔ",
    "🅝🅤🅓🅔",
    "ɴᴜᴅᴇ",
    "nuuuuude",
    "nnuuddee",
    "nud3",
    "n.u.d.3",
    "n4k3d ch1ldren",
    "NAKED   CHILD",
    "p0rnographic",
    "$ex",
    "5ex",
    "ѕех",
    "assss",
    "ГОЛАЯ",
    "г о л а я",
    "гoлaя with Latin letters",
    "г0лая",
    "пoрнография",
    "п0рно",
    "голааая",
    "裸の絵",
    "नंगा आदमी",
    "رجل عَارِي",
]
INNOCENT = [
    "Scunthorpe on a rainy day",
    "a class of assassins, passing by a bass",
    "Nudelsuppe mit Ei",
    "denuded hills",
    "in Essex and Sussex",
    "sextant and sextuplets",
    "he was as tall as a tree",
    "a child, naked trees behind",
    "парнокопытное животное",
    "оголая ветка",
    "головоломка на столе",
    "рот, нос и ухо",
    "кот и сор",
    "die Nudel, ein Gericht",
    "un niño con globos rojos",
    "夏の海",
    "नदी किनारे घर",
    "a 1950s diner, f/1.8, 35 mm, 8k",
    "A B C D, E F G",
    "🇺🇸🇸🇪🇽",
    "",
    "   ",
    "\u200b\u0301",
]


class TestDisguises:
    @pytest.mark.parametrize("prompt", DISGUISED)
    def test_it_is_found(self, prompt: str) -> None:
        assert LIST.find([prompt]) is not None

    @pytest.mark.parametrize("prompt", INNOCENT)
    def test_what_is_innocent_is_left_alone(self, prompt: str) -> None:
        assert LIST.find([prompt]) is None


class TestScripts:
    def test_russian_words_of_letters_that_look_latin_are_no_english_words(self) -> None:
        english = Matcher(["pot", "cop", "hob"])
        assert english.find(["рот и нос, сор в избе, длинная дорога"]) is None
        assert english.find(["a рot of gold"]) == "pot"
        assert english.find(["рот"]) == "pot", "nothing else says that it is Russian"

    def test_accents_do_not_matter_on_either_side(self) -> None:
        assert Matcher(["niño"]).find(["NINO"]) == "niño"
        assert Matcher(["ребенок"]).find(["ребёнок"]) == "ребенок"

    def test_vowels_of_indic_scripts_are_kept(self) -> None:
        assert read_word("कु") != read_word("क")


_MARKS = st.sampled_from(["\u200b", "\u0301", "\u00ad", "\ufe0f", "\u2060", "\u0336"])
_LOOKALIKES = {
    latin: [other for other, meant in TO_LATIN.items() if meant == latin] for latin in TO_LATIN.values()
}


@st.composite
def disguises(draw: st.DrawFn, word: str = "nude") -> str:
    """The word with letters exchanged, drawn out, marked, and perhaps taken apart."""
    letters = []
    for letter in word:
        looks = draw(st.sampled_from([letter, letter.upper(), *_LOOKALIKES[letter]]))
        letters.append(looks + draw(_MARKS | st.just("")))
    separator = draw(st.sampled_from(["", "", ".", " ", "-", "_", " . "]))
    return separator.join(letters)


class TestProperties:
    @given(disguises())
    def test_every_disguise_is_seen_through(self, written: str) -> None:
        assert LIST.find([written]) == "nude"
        assert LIST.find([f"the {written}, painted by a master"]) == "nude"

    @given(st.text(alphabet="bcfghjklmpqtvwxyz", min_size=1, max_size=5), st.booleans())
    def test_a_longer_word_that_holds_it_is_another_word(self, more: str, is_before: bool) -> None:
        word = f"{more}nude" if is_before else f"nude{more}"
        assert LIST.find([f"a {word} here"]) is None

    @given(st.text(max_size=300))
    def test_no_text_is_too_odd_to_be_read(self, text: str) -> None:
        assert all(reading.words is not None for reading in read(text))
        LIST.find([text])
