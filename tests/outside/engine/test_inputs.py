"""A paint order in fal's words."""

import dataclasses
import json

import pytest

from starbooth.outside.engine.contract import EngineRefused, PaintOrder
from starbooth.outside.engine.inputs import arguments


class TestArguments:
    @pytest.mark.parametrize("endpoint", ["fal-ai/flux/dev", "fal-ai/flux/schnell", "fal-ai/flux-lora"])
    def test_flux_takes_everything(self, paint: PaintOrder, endpoint: str) -> None:
        assert arguments(endpoint, paint) == {
            "prompt": "a red boat",
            "image_size": {"width": 256, "height": 128},
            "num_inference_steps": 7,
            "guidance_scale": 3.5,
            "seed": 2**63 - 1,
            "num_images": 1,
            "enable_safety_checker": True,
            "output_format": "png",
        }

    def test_the_seed_keeps_every_digit_on_the_wire(self, paint: PaintOrder) -> None:
        assert '"seed": 9223372036854775807' in json.dumps(arguments("fal-ai/flux/dev", paint))

    def test_flux_pro_chooses_its_own_steps_and_has_no_checker_to_switch(self, paint: PaintOrder) -> None:
        given = arguments("fal-ai/flux-pro/v1.1", paint)
        assert set(given) == {"prompt", "image_size", "seed", "num_images", "output_format"}

    def test_flux_2_pro_paints_one_picture(self, paint: PaintOrder) -> None:
        assert set(arguments("fal-ai/flux-2-pro", paint)) == {"prompt", "image_size", "seed", "output_format"}

    def test_flux_2_pro_refuses_two(self, paint: PaintOrder) -> None:
        with pytest.raises(EngineRefused, match="one_picture_only"):
            arguments("fal-ai/flux-2-pro", dataclasses.replace(paint, count=2))

    def test_an_endpoint_that_needs_a_photo_is_refused(self, paint: PaintOrder) -> None:
        with pytest.raises(EngineRefused, match="unsupported_endpoint"):
            arguments("fal-ai/flux-pulid", paint)
