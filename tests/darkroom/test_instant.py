"""The instant painter: its colour tells whether everything that was asked had its say."""

from dataclasses import replace
from pathlib import Path

from PIL import Image

from starbooth.darkroom.instant import InstantPainter
from starbooth.darkroom.painter import Lora, Peek, Scene

SCENE = Scene(prompt="a boat", width_px=64, height_px=32, steps=4, guidance=3.5, seed=7)


def painted(scene: Scene) -> list[bytes]:
    """The pixels of each picture."""

    def go_on(_step: int, _steps: int, _peek: Peek) -> bool:
        return True

    return [picture.tobytes() for picture in InstantPainter().paint(scene, go_on)]


class TestPaint:
    def test_everything_asked_counts_and_the_same_gives_the_same(self, tmp_path: Path) -> None:
        first, second = tmp_path / "1", tmp_path / "2"
        first.write_bytes(b"weights")
        second.write_bytes(b"other weights")
        photo = Image.new("RGB", (64, 32), "teal")
        wishes = [
            SCENE,
            replace(SCENE, prompt="a car"),
            replace(SCENE, seed=8),
            replace(SCENE, negative="rain"),
            replace(SCENE, photo=photo),
            replace(SCENE, photo=Image.new("RGB", (64, 32), "tan")),
            replace(SCENE, photo=photo, strength=0.5),
            replace(SCENE, loras=(Lora(path=first),)),
            replace(SCENE, loras=(Lora(path=first, scale=0.5),)),
            replace(SCENE, loras=(Lora(path=second),)),
            replace(SCENE, loras=(Lora(path=first), Lora(path=second))),
        ]
        pictures = [painted(wish)[0] for wish in wishes]
        assert len(set(pictures)) == len(wishes)
        assert [painted(wish)[0] for wish in wishes] == pictures

    def test_every_picture_of_a_batch_is_the_one_that_its_seed_gives_alone(self) -> None:
        alone = [painted(replace(SCENE, seed=7 + number))[0] for number in range(4)]
        assert painted(replace(SCENE, count=4)) == alone
