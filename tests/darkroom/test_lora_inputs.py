"""The inputs of the two trainers: fal's names, defaults and ranges."""

import json
from typing import Any

import pytest

from starbooth.darkroom.lora_training.inputs import FAST, PORTRAIT, parse_training
from starbooth.darkroom.schemas import InvalidInput


def parse(endpoint: str = FAST, **changes: Any) -> dict[str, Any]:
    """A valid input with changes, read."""
    return parse_training(endpoint, json.dumps({"images_data_url": "x", **changes}).encode())


def refused(endpoint: str = FAST, **changes: Any) -> list[dict[str, Any]]:
    """The details of the refusal of a valid input with changes."""
    with pytest.raises(InvalidInput) as error:
        parse(endpoint, **changes)
    return error.value.details


class TestDefaults:
    def test_those_of_the_fast_trainer(self) -> None:
        assert parse() == {
            "images_data_url": "x",
            "create_masks": False,
            "data_archive_format": None,
            "trigger_word": None,
            "steps": 1000,
            "is_style": False,
            "is_input_format_already_preprocessed": False,
            "learning_rate": 1e-4,
        }
        assert parse(steps=None)["steps"] == 1000

    def test_those_of_the_portrait_trainer(self) -> None:
        assert parse(PORTRAIT) == {
            "images_data_url": "x",
            "create_masks": False,
            "data_archive_format": None,
            "trigger_phrase": None,
            "steps": 2500,
            "learning_rate": 9e-5,
            "multiresolution_training": True,
            "subject_crop": False,
            "resume_from_checkpoint": "",
        }

    def test_unknown_names_are_ignored_as_fal_does(self) -> None:
        assert "moon" not in parse(moon=1)


class TestRanges:
    @pytest.mark.parametrize(
        ("endpoint", "name", "least", "most"),
        [
            (FAST, "steps", 1, 10_000),
            (PORTRAIT, "steps", 1, 10_000),
            (FAST, "learning_rate", 1e-6, 1e-3),
            (PORTRAIT, "learning_rate", 1e-6, 1e-3),
        ],
    )
    def test_both_ends_are_fine_and_beyond_is_refused(
        self, endpoint: str, name: str, least: float, most: float
    ) -> None:
        for value in (least, most):
            assert parse(endpoint, **{name: value})[name] == value
        for value, kind in ((0, "greater_than_equal"), (most * 2, "less_than_equal")):
            (detail,) = refused(endpoint, **{name: value})
            assert (detail["loc"], detail["type"]) == (["body", name], kind)

    def test_photos_are_wanted(self) -> None:
        for endpoint in (FAST, PORTRAIT):
            with pytest.raises(InvalidInput) as error:
                parse_training(endpoint, b"")
            assert error.value.details[0]["type"] == "missing"

    def test_another_archive_than_a_zip_is_refused(self) -> None:
        assert parse(data_archive_format="zip")["data_archive_format"] == "zip"
        assert refused(data_archive_format="tar")[0]["loc"] == ["body", "data_archive_format"]

    def test_a_trigger_of_a_whole_novel_is_refused(self) -> None:
        assert refused(trigger_word="x" * 201)[0]["type"] == "string_too_long"
        assert refused(PORTRAIT, trigger_phrase="x" * 201)[0]["type"] == "string_too_long"


class TestWhatThisEngineCannotDo:
    @pytest.mark.parametrize(
        ("endpoint", "name"),
        [(FAST, "create_masks"), (PORTRAIT, "create_masks"), (PORTRAIT, "subject_crop")],
    )
    def test_it_is_refused_where_it_is_asked_for(self, endpoint: str, name: str) -> None:
        (detail,) = refused(endpoint, **{name: True})
        assert (detail["loc"], detail["type"]) == (["body", name], "feature_not_supported")

    def test_a_style_has_no_masks_at_fal_either(self) -> None:
        assert parse(is_style=True, create_masks=True)["is_style"]
