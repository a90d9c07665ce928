"""(c) How long the darkroom takes for a picture with the tiny FLUX, by fal's protocol; (d) what it weighs."""

import asyncio
import os
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import httpx

from bench.figures import Figure, Measurement, median, percentile
from bench.processes import memory_mb
from tests.journeys.house import ENGINE_KEY

_PROMPTS = (
    "a red balloon over the sea at sunset",
    "a blue house in the forest at night",
    "a yellow boat on the lake in the morning",
)
_ENDPOINT = "fal-ai/flux/dev"


@dataclass(frozen=True, kw_only=True)
class _Picture:
    """Seconds at the device, and from submit to the answer."""

    inference_s: float
    total_s: float


async def measure(*, pictures: int = 9) -> Measurement:
    """Load the model, then one picture of 256 pixels after the other. About a minute."""
    with tempfile.TemporaryDirectory(prefix="darkroom-", ignore_cleanup_errors=True) as folder:
        began = time.perf_counter()
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "starbooth.darkroom", "--port", "0", "--folder", str(Path(folder))),
            env={**os.environ, "DARKROOM_KEY": ENGINE_KEY},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            url = await _address(process)
            headers = {"Authorization": f"Key {ENGINE_KEY}"}
            async with httpx.AsyncClient(
                base_url=url, headers=headers, trust_env=False, timeout=120
            ) as engine:
                first = await _paint(engine, _PROMPTS[0], seed=0)
                ready_s = time.perf_counter() - began
                made = [
                    await _paint(engine, _PROMPTS[number % len(_PROMPTS)], seed=number)
                    for number in range(1, pictures + 1)
                ]
            resident_mb, peak_mb = memory_mb(process.pid), memory_mb(process.pid, kind="VmHWM")
        finally:
            process.terminate()
            await process.wait()
    inference_s = [each.inference_s for each in made]
    return Measurement(
        figures=(
            Figure(
                name="256-pixel picture, at the painter, p50", value=median(inference_s), unit="s", at_most=3
            ),
            Figure(name="256-pixel picture, at the painter, slowest", value=max(inference_s), unit="s"),
            Figure(
                name="256-pixel picture, submit to result, p90",
                value=percentile([each.total_s for each in made], 90),
                unit="s",
            ),
            Figure(name="from nothing to the first picture", value=ready_s, unit="s"),
            Figure(name="darkroom with the tiny FLUX, resident", value=resident_mb, unit="MB", at_most=800),
            Figure(name="darkroom with the tiny FLUX, at its peak", value=peak_mb, unit="MB"),
        ),
        details={"first_s": first.total_s, "inference_s": inference_s},
    )


async def _address(process: asyncio.subprocess.Process) -> str:
    assert process.stdout is not None
    greeting = (await asyncio.wait_for(process.stdout.readline(), 60)).decode()
    return greeting.removeprefix("darkroom ready on ").split()[0]


async def _paint(engine: httpx.AsyncClient, prompt: str, *, seed: int) -> _Picture:
    began = time.perf_counter()
    wish = {"prompt": prompt, "seed": seed, "image_size": {"width": 256, "height": 256}}
    submitted = (await engine.post(f"/{_ENDPOINT}", json=wish)).raise_for_status().json()
    request = f"/fal-ai/flux/requests/{submitted['request_id']}"
    while (await engine.get(f"{request}/status")).json()["status"] != "COMPLETED":
        assert time.perf_counter() - began < 120, "no picture within two minutes"
        await asyncio.sleep(0.02)
    result = (await engine.get(request)).raise_for_status().json()
    return _Picture(inference_s=float(result["timings"]["inference"]), total_s=time.perf_counter() - began)
