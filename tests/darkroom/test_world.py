"""The small world: its words, its pictures, and what it understands of what guests write."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

from starbooth.darkroom.training.scenes import all_views, is_kept_for_judging, labels_of, view_of
from starbooth.darkroom.world.drawing import draw
from starbooth.darkroom.world.understanding import MOST_WORDS, TABLE, understood
from starbooth.darkroom.world.words import (
    Colour,
    Place,
    Position,
    Style,
    Thing,
    Time,
    View,
    caption_of,
    filled_in,
    view_by_seed,
)

FOX = View(
    thing=Thing.FOX,
    colour=Colour.RED,
    place=Place.FOREST,
    time=Time.NIGHT,
    style=Style.WATERCOLOR,
    position=Position.LEFT,
)


def drawn(view: View, *, seed: int = 1, side_px: int = 96) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.asarray(draw(view, width_px=side_px, height_px=side_px, seed=seed)[0])


class TestDraw:
    def test_same_view_and_seed_give_the_same_pixels(self) -> None:
        assert np.array_equal(drawn(FOX), drawn(FOX))

    def test_another_seed_gives_another_picture_of_the_same_view(self) -> None:
        assert not np.array_equal(drawn(FOX, seed=1), drawn(FOX, seed=2))

    def test_the_picture_and_its_mask_have_the_size_asked_for(self) -> None:
        picture, mask = draw(FOX, width_px=120, height_px=80, seed=0)
        assert picture.size == mask.size == (120, 80)
        assert picture.mode == "RGB"

    def test_every_two_things_differ_in_silhouette(self) -> None:
        masks = {
            thing: np.asarray(draw(View(thing=thing), width_px=96, height_px=96, seed=3)[1]) > 128
            for thing in Thing
        }
        shapes = {thing: mask[:, mask.any(axis=0)] for thing, mask in masks.items()}
        for one, other in itertools.combinations(Thing, 2):
            first, second = masks[one], masks[other]
            overlap = (first & second).sum() / (first | second).sum()
            assert overlap < 0.9, f"{one} and {other} look alike"
            assert shapes[one].any()

    @pytest.mark.parametrize(
        ("position", "low", "high"),
        [(Position.LEFT, 0.15, 0.4), (Position.MIDDLE, 0.4, 0.6), (Position.RIGHT, 0.6, 0.85)],
    )
    def test_the_thing_stands_where_the_view_says(self, position: Position, low: float, high: float) -> None:
        for thing in Thing:
            view = View(thing=thing, position=position)
            columns = np.asarray(draw(view, width_px=96, height_px=96, seed=5)[1]).sum(axis=0)
            assert low < (columns * np.arange(96)).sum() / columns.sum() / 96 < high

    def test_a_view_without_a_thing_has_an_empty_mask(self) -> None:
        assert not np.asarray(draw(View(place=Place.BEACH), width_px=64, height_px=64, seed=0)[1]).any()

    def test_colour_place_time_and_style_each_change_the_picture(self) -> None:
        changes = [
            replace(FOX, colour=Colour.BLUE),
            replace(FOX, place=Place.CITY),
            replace(FOX, time=Time.DAY),
            replace(FOX, style=Style.PENCIL),
        ]
        for change in changes:
            difference = np.abs(drawn(change).astype(int) - drawn(FOX)).mean()
            assert difference > 1, f"{caption_of(change)} looks the same"


class TestCaptionOf:
    def test_a_whole_view_reads_as_a_sentence(self) -> None:
        assert caption_of(FOX) == "a red fox on the left in the forest at night in watercolor"

    def test_what_is_left_open_is_left_out(self) -> None:
        assert caption_of(View(thing=Thing.CAT, place=Place.SNOW)) == "a cat in the snow"
        assert caption_of(View(colour=Colour.RED)) == "a red thing"

    def test_an_empty_view_gives_the_empty_caption(self) -> None:
        assert View().is_empty()
        assert caption_of(View()) == ""

    def test_no_two_whole_views_share_a_caption(self) -> None:
        captions = {caption_of(view) for view in all_views()}
        assert len(captions) == 12 * 8 * 5 * 3 * 3 * 3


class TestViewBySeed:
    def test_the_same_seed_gives_the_same_whole_view(self) -> None:
        assert view_by_seed(2**63) == view_by_seed(2**63)
        assert len({view_by_seed(seed) for seed in range(50)}) > 40

    def test_a_seed_fills_in_what_is_open_and_changes_nothing_that_was_said(self) -> None:
        said = View(thing=Thing.FOX, colour=Colour.RED, time=Time.NIGHT)
        views = [filled_in(said, seed=seed) for seed in range(50)]
        assert {(view.thing, view.colour, view.time) for view in views} == {
            (said.thing, said.colour, said.time)
        }
        assert len({(view.place, view.style, view.position) for view in views}) > 20
        assert filled_in(said, seed=7) == filled_in(said, seed=7)
        assert all(None not in (view.place, view.style, view.position) for view in views)
        assert Style.PENCIL not in {view.style for view in views}

    def test_a_place_alone_stays_without_a_thing(self) -> None:
        assert filled_in(View(place=Place.FOREST), seed=1).thing is None
        assert filled_in(View(), seed=1).thing is not None


class TestLabels:
    def test_labels_and_views_are_each_others_reverse(self) -> None:
        for view in (*all_views()[::997], View(), View(place=Place.CITY)):
            assert view_of(labels_of(view)) == view

    def test_about_one_view_in_twenty_is_kept_for_judging(self) -> None:
        kept = sum(is_kept_for_judging(view) for view in all_views())
        assert 0.04 < kept / len(all_views()) < 0.06


class TestUnderstood:
    @pytest.mark.parametrize("view", all_views()[::431])
    def test_a_caption_is_understood_as_its_own_view(self, view: View) -> None:
        assert understood(caption_of(view)) == view

    @pytest.mark.parametrize(
        ("prompt", "caption"),
        [
            (
                "A RED Fox in the woods, at midnight (watercolour)!",
                "a red fox in the forest at night in watercolor",
            ),
            ("un gato azul en la playa al atardecer", "a blue cat in the beach at sunset"),
            ("рыжая лиса в зимнем поле ночью, акварель", "a orange fox in the snow at night in watercolor"),
            ("Синяя ракета слева в пустыне, карандашом", "a blue rocket on the left in the desert in pencil"),
            ("zwei kleine zebras", ""),
            ("", ""),
            ("🦊🦊 <b>cat</b> _robot_", "a cat"),
            ("بيت boat", "a boat"),
        ],
    )
    def test_prompts_of_guests(self, prompt: str, caption: str) -> None:
        assert caption_of(understood(prompt)) == caption

    def test_a_colour_beside_the_place_is_not_the_things_colour(self) -> None:
        assert understood("a cat in the green forest").colour is None
        assert understood("un zorro rojo en el bosque verde").colour is Colour.RED

    def test_words_far_behind_are_passed_over(self) -> None:
        assert understood("blah " * MOST_WORDS + "cat").is_empty()

    def test_no_spelling_means_two_things(self) -> None:
        spellings = [spelling for row in TABLE.values() for spelling in row.split()]
        assert len(spellings) == len(set(spellings))
