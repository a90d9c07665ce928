"""Commands for a booth that runs: the doctor, and a picture from the command line."""

import io
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from PIL import Image

from tests.journeys.house import House, Plan, opened_house


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with opened_house(tmp_path, Plan()) as house:
        yield house


@pytest.mark.slow
async def test_a_healthy_booth_paints_on_command_and_has_nothing_for_the_doctor(house: House) -> None:
    status, said = await house.command("doctor")
    assert (status, "✗" in said) == (0, False), said
    picture = house.folder / "boat.png"
    status, said = await house.command("generate", "a red boat", "-o", str(picture), "--seed", "7")
    assert status == 0, f"{said}\n{house.last_words()}"
    assert "3 stars, seed 7" in said
    with Image.open(io.BytesIO(picture.read_bytes())) as painted:
        painted.load()
    status, said = await house.command("generate", "a red boat", "-o", str(picture), "--as", "@nobody")
    assert (status, "Nobody is known as '@nobody'" in said) == (1, True), said
    status, said = await house.command("generate", "  ", "-o", str(picture))
    assert (status, "cannot be painted" in said) == (1, True), said
    status, said = await house.command("audit")
    assert (status, "every star is accounted for" in said) == (0, True), said
