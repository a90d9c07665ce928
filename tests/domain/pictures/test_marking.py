"""A mark stands in the file and not in the pixels, tells the whole recipe, and can be read by others."""

import contextlib
import io
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from starbooth.domain.generations.picture import examine
from starbooth.domain.pictures.marking import Unmarkable, mark, read_mark
from starbooth.domain.pictures.recipe import SOURCE_TYPE, Recipe

PLAIN = Recipe(prompt="a red boat", model="Flux v1.1", seed=7)
FULL = Recipe(
    prompt="лодка 🚤 <&>\r\n\t\x00\ufffe\ud800 ]]> </starbooth:recipe>",
    negative="no \x0b rain",
    model="Flux & Co",
    seed=2**63 - 1,
    steps=28,
    guidance=3.5,
    strength=0.85,
    loras=(("Me <3", 0.9), ("Style", 1.0)),
)
IPTC = "{http://iptc.org/std/Iptc4xmpExt/2008-02-29/}"


def written(kind: str, mode: str = "RGB", **options: Any) -> bytes:
    body = io.BytesIO()
    noise = Image.merge("RGBA", [Image.effect_noise((33, 17), 90) for _ in range(4)])
    noise.convert(mode).save(body, kind, **options)
    return body.getvalue()


FILES = {
    "png": written("PNG"),
    "png with alpha": written("PNG", "RGBA"),
    "jpeg": written("JPEG"),
    "jpeg of grey": written("JPEG", "L", progressive=True),
    "jpeg with exif": written("JPEG", exif=b"Exif\0\0MM\0*\0\0\0\x08\0\0\0\0\0\0", comment=b"kept"),
    "webp": written("WEBP"),
    "webp without loss": written("WEBP", lossless=True),
    "webp with alpha": written("WEBP", "RGBA", lossless=True, exact=True),
    "webp with alpha and loss": written("WEBP", "RGBA"),
    "webp with more": written("WEBP", exif=b"Exif\0\0MM\0*\0\0\0\x08\0\0\0\0\0\0", icc_profile=b"x" * 131),
}


def pixels(body: bytes) -> tuple[str, tuple[int, int], bytes]:
    image = Image.open(io.BytesIO(body))
    image.load()
    return image.mode, image.size, image.tobytes()


def xmp(body: bytes) -> ElementTree.Element:
    """The packet as Pillow finds it, read by a real reader of XML."""
    image = Image.open(io.BytesIO(body))
    image.load()
    return ElementTree.fromstring(image.info["xmp"])


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("recipe", [PLAIN, FULL], ids=["plain", "full"])
class TestEveryKind:
    def test_the_pixels_stay_and_the_mark_reads_back(self, name: str, recipe: Recipe) -> None:
        body = FILES[name]
        assert read_mark(body) is None
        marked = mark(body, recipe)
        assert pixels(marked) == pixels(body)
        assert read_mark(marked) == recipe
        assert examine(marked) == examine(body)

    def test_others_read_that_a_model_made_it(self, name: str, recipe: Recipe) -> None:
        packet = xmp(mark(FILES[name], recipe))
        assert packet.findtext(f".//{IPTC}DigitalSourceType") == SOURCE_TYPE
        assert packet.findtext(f".//{IPTC}AISystemUsed") == recipe.model
        assert packet.findtext(".//{http://ns.adobe.com/xap/1.0/}CreatorTool") == "Starbooth"
        described = packet.findtext(".//{http://www.w3.org/1999/02/22-rdf-syntax-ns#}li")
        assert described
        assert described.split()[0] == recipe.prompt.split()[0]

    def test_a_second_mark_replaces_the_first(self, name: str, recipe: Recipe) -> None:
        once, twice = mark(FILES[name], recipe), mark(mark(FILES[name], FULL), recipe)
        assert twice == once
        assert once.count(b"trainedAlgorithmicMedia") == 1


class TestWhatWasThere:
    def test_other_metadata_stay(self) -> None:
        image = Image.open(io.BytesIO(mark(FILES["jpeg with exif"], PLAIN)))
        assert (image.info["comment"], "exif" in image.info) == (b"kept", True)
        image = Image.open(io.BytesIO(mark(FILES["webp with more"], PLAIN)))
        assert (image.info["icc_profile"], "exif" in image.info) == (b"x" * 131, True)

    @pytest.mark.parametrize("kind", ["JPEG", "WEBP"])
    def test_a_packet_of_somebody_else_goes(self, kind: str) -> None:
        marked = mark(written(kind, xmp=b"<x:xmpmeta>theirs</x:xmpmeta>"), PLAIN)
        assert b"theirs" not in marked
        assert read_mark(marked) == PLAIN

    def test_a_packet_of_somebody_else_is_no_recipe(self) -> None:
        assert read_mark(written("JPEG", xmp=b"<x:xmpmeta>theirs</x:xmpmeta>")) is None
        for told in (b"{}", b"[]", b"7", b"{", b'{"seed": "x"}', b'{"prompt": "", "evil": 1}'):
            packet = b"<starbooth:recipe>" + told + b"</starbooth:recipe>"
            assert read_mark(written("JPEG", xmp=packet)) is None


class TestAnyRecipe:
    @settings(max_examples=200, deadline=None)
    @given(
        name=st.sampled_from(sorted(FILES)),
        prompt=st.text(max_size=2000),
        negative=st.text(max_size=500),
        seed=st.integers(0, 2**63 - 1),
        loras=st.lists(st.tuples(st.text(max_size=50), st.floats(0.1, 2)), max_size=3),
    )
    def test_it_reads_back_as_it_was(
        self, name: str, prompt: str, negative: str, seed: int, loras: list[tuple[str, float]]
    ) -> None:
        recipe = Recipe(prompt=prompt, negative=negative, model="m", seed=seed, loras=tuple(loras))
        marked = mark(FILES[name], recipe)
        assert read_mark(marked) == recipe
        assert xmp(marked).findtext(f".//{IPTC}DigitalSourceType") == SOURCE_TYPE
        assert pixels(marked) == pixels(FILES[name])

    @pytest.mark.parametrize("length", [20_000, 70_000])
    def test_what_no_file_could_hold_is_cut_but_the_mark_stays(self, length: int) -> None:
        recipe = Recipe(prompt="&" * length, model="m" * length, seed=7)
        marked = mark(FILES["jpeg"], recipe)
        assert xmp(marked).findtext(f".//{IPTC}DigitalSourceType") == SOURCE_TYPE
        assert pixels(marked) == pixels(FILES["jpeg"])


class TestBrokenFiles:
    @pytest.mark.parametrize("body", [b"", b"GIF89a", b"\x89PNG", b"\xff", b"RIFF", b"RIFF\0\0\0\0WEB_"])
    def test_other_bytes_cannot_be_marked(self, body: bytes) -> None:
        with pytest.raises(Unmarkable):
            mark(body, PLAIN)

    @settings(max_examples=300, deadline=None)
    @given(
        name=st.sampled_from(sorted(FILES)),
        at=st.floats(0, 1),
        change=st.binary(max_size=8),
        cut=st.booleans(),
    )
    def test_whatever_is_changed_it_is_marked_or_unmarkable_and_nothing_else(
        self, name: str, at: float, change: bytes, cut: bool
    ) -> None:
        body = FILES[name]
        place = int(at**3 * len(body))
        changed = body[:place] + change + (b"" if cut else body[place + len(change) :])
        with contextlib.suppress(Unmarkable):
            assert read_mark(mark(changed, PLAIN)) == PLAIN
