"""The server with the real painter: a training is killed in the middle and pictures are painted meanwhile."""

import io
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image
from safetensors.torch import load

from tests.darkroom.albums import likeness
from tests.darkroom.serving import Darkroom, fetch, finished, submit, until
from tests.darkroom.test_server_trainings import FAST, begun, end_early, result, train

STEPS = 400


async def painted(http: httpx.AsyncClient, **changes: Any) -> Image.Image:
    """A picture of 256 pixels."""
    size = {"width": 256, "height": 256}
    lora = "fal-ai/flux-lora"
    request_id = await submit(http, endpoint=lora, image_size=size, seed=3, num_inference_steps=8, **changes)
    await finished(http, request_id, app=lora)
    (image,) = (await http.get(f"/{lora}/requests/{request_id}")).json()["images"]
    return Image.open(io.BytesIO((await fetch(image["url"])).content))


@pytest.mark.slow
class TestKilled:
    async def test_it_goes_on_from_its_checkpoint_and_pictures_do_not_wait_for_it(
        self, tmp_path: Path
    ) -> None:
        darkroom = Darkroom(tmp_path, ("--device", "cpu"))
        darkroom.start()
        try:
            async with darkroom.client() as http:
                request_id = await train(http, steps=STEPS, is_style=True, trigger_word="zxq")
                checkpoint = tmp_path / "trainings" / request_id / "checkpoint.safetensors"
                await until(checkpoint.exists, timeout_s=60)
                await finished(http, await submit(http, image_size={"width": 256, "height": 256}))
                assert (await http.get(f"/{FAST}/requests/{request_id}/status")).status_code == 202
            darkroom.kill()
            darkroom.start()
            async with darkroom.client() as http:
                status = await begun(http, request_id)
                assert status["logs"][0]["message"].startswith("going on after step ")
                assert (await end_early(http, request_id))[0] == 202
                made = (await result(http, request_id)).json()
                assert 1 < made["steps_ran"] < STEPS
                assert load((await fetch(made["diffusers_lora_file"]["url"])).content)
                config = (await fetch(made["config_file"]["url"])).json()
                assert (config["learning_rate"], config["learning_rate_factor"]) == (1e-4, 20.0)
                lora = {"path": made["diffusers_lora_file"]["url"], "scale": 1.0}
                bare, styled = [await painted(http, loras=loras) for loras in ([], [lora])]
                assert likeness(styled) > likeness(bare)
        finally:
            darkroom.kill()
