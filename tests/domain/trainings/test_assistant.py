"""The assistant names what is bad, says what is missing, and leaves good photos alone."""

import pytest

from starbooth.domain.catalog.tables import LoraType
from starbooth.domain.pictures.faces import Face
from starbooth.domain.trainings.assistant import Advice, Flaw, Note, cut_of, review
from starbooth.domain.trainings.photo_sets import SetPhoto
from tests.make.photos import make_looks, make_set_photo

FACE = Face(left=0.4, top=0.2, width=0.2, height=0.3)


def person(number: int, *, high: float = 0.3, sided: float = 0.1, light: float = 120.0) -> SetPhoto:
    face = Face(left=0.4, top=0.2, width=0.2, height=high)
    looks = make_looks(
        shape=0x0F0F << number, colours=(number * 20,) * 27, faces=(face,), sided=sided, light=light
    )
    return make_set_photo(number, looks=looks)


def notes(*photos: SetPhoto, lora_type: LoraType | None = LoraType.STYLE) -> list[Note]:
    return list(review(photos, lora_type, least=4, good=4).notes)


class TestNotes:
    def test_good_photos_have_none(self) -> None:
        assert notes(*(make_set_photo(number) for number in range(1, 11))) == []

    @pytest.mark.parametrize(
        ("facts", "flaw"),
        [
            ({"given_px": 400}, Flaw.SMALL),
            ({"looks": make_looks(sharpness=5.0)}, Flaw.BLURRED),
            ({"looks": make_looks(light=20.0)}, Flaw.DARK),
        ],
    )
    def test_each_flaw_is_named_with_its_number(self, facts: dict[str, object], flaw: Flaw) -> None:
        assert notes(make_set_photo(1), make_set_photo(7, **facts)) == [Note(number=7, flaw=flaw)]

    def test_of_a_dark_photo_nobody_says_that_it_is_blurred_too(self) -> None:
        dark = make_set_photo(3, looks=make_looks(light=20.0, sharpness=1.0))
        assert notes(dark) == [Note(number=3, flaw=Flaw.DARK)]

    def test_of_twins_the_later_one_is_named(self) -> None:
        one = make_set_photo(2, looks=make_looks(shape=0b1111, colours=(50,) * 27))
        other = make_set_photo(5, looks=make_looks(shape=0b1011, colours=(53,) * 27))
        assert notes(make_set_photo(1), one, other) == [Note(number=5, flaw=Flaw.TWIN, twin_of=2)]

    def test_faces_matter_for_a_person_alone(self) -> None:
        nobody = make_set_photo(1, looks=make_looks(shape=1, colours=(0,) * 27, faces=()))
        two = make_set_photo(2, looks=make_looks(shape=2**30 - 1, colours=(200,) * 27, faces=(FACE, FACE)))
        assert notes(nobody, two) == []
        found = notes(nobody, two, lora_type=LoraType.PORTRAIT)
        assert [each.flaw for each in found] == [Flaw.NO_FACE, Flaw.SEVERAL_FACES]

    def test_where_nobody_could_look_nothing_is_said_of_faces(self) -> None:
        assert notes(make_set_photo(1), lora_type=LoraType.PORTRAIT) == []


class TestWhatIsMissing:
    @pytest.mark.parametrize(
        ("count", "missing", "wanted"), [(0, 4, 10), (3, 1, 7), (4, 0, 6), (10, 0, 0), (30, 0, 0)]
    )
    def test_it_is_counted(self, count: int, missing: int, wanted: int) -> None:
        found = review([make_set_photo(n) for n in range(count)], LoraType.PORTRAIT, least=4, good=10)
        assert (found.missing, found.wanted) == (missing, wanted)

    def advice(self, *photos: SetPhoto, lora_type: LoraType = LoraType.PORTRAIT) -> tuple[Advice, ...]:
        return review(photos, lora_type, least=4, good=10).advice

    def test_all_from_the_front_wants_two_from_the_side(self) -> None:
        lights = (60, 100, 160)
        photos = [
            person(n, high=high, light=light)
            for n, high, light in zip(range(3), (0.2, 0.3, 0.5), lights, strict=True)
        ]
        assert self.advice(*photos) == (Advice.SIDES,)

    def test_two_things_at_a_time(self) -> None:
        assert self.advice(*(person(n, high=0.2) for n in range(4))) == (Advice.SIDES, Advice.CLOSE)
        assert self.advice(*(person(n, high=0.5, sided=0.3) for n in range(4))) == (Advice.FAR, Advice.LIGHT)

    def test_a_style_and_few_photos_want_nothing(self) -> None:
        photos = [person(n) for n in range(5)]
        assert self.advice(*photos, lora_type=LoraType.STYLE) == ()
        assert self.advice(*photos[:2]) == ()


class TestCuts:
    def photo(self, **facts: object) -> SetPhoto:
        looks = make_looks(faces=(Face(left=0.6, top=0.2, width=0.12, height=0.15),))
        return make_set_photo(1, width_px=2048, height_px=1536, **{"looks": looks, **facts})

    def test_a_person_is_cut_out(self) -> None:
        assert cut_of(self.photo(), LoraType.PORTRAIT) is not None

    @pytest.mark.parametrize(
        "facts",
        [
            {"keeps_whole": True},
            {"is_cut": True},
            {"looks": make_looks(faces=(FACE, FACE))},
            {"looks": make_looks()},
        ],
    )
    def test_unless_the_guest_or_the_photo_is_against_it(self, facts: dict[str, object]) -> None:
        assert cut_of(self.photo(**facts), LoraType.PORTRAIT) is None

    def test_a_style_is_learned_whole(self) -> None:
        assert cut_of(self.photo(), LoraType.STYLE) is None
