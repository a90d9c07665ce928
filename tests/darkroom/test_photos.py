"""Photos: where they may come from, and that no bytes do harm."""

import base64
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from starbooth.darkroom.files import FileStore
from starbooth.darkroom.photos import LARGEST_PHOTO_BYTES, Photos, decoded
from starbooth.darkroom.schemas import LARGEST_AREA_PX, InvalidInput
from tests.darkroom.conftest import MakeDarkroom
from tests.darkroom.serving import Darkroom, fetch, finished, flux, submit

FROM_A_PHOTO = "fal-ai/flux/dev/image-to-image"
QUARTER_TURN = 6


def encoded(picture: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    """The file of a picture."""
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def data_url(content: bytes) -> str:
    """The content inline."""
    return f"data:image/png;base64,{base64.b64encode(content).decode()}"


def refusal(work: Callable[[], object]) -> str:
    """fal's type of the refusal that `work` ends with; it is always about the photo."""
    with pytest.raises(InvalidInput) as refused:
        work()
    (detail,) = refused.value.details
    assert detail["loc"] == ["body", "image_url"]
    kind: str = detail["type"]
    return kind


PHOTO = encoded(Image.new("RGB", (60, 40), "teal"))


class TestDecoded:
    @pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
    def test_the_usual_kinds_become_rgb(self, kind: str) -> None:
        picture = decoded(encoded(Image.new("RGB", (60, 40), "teal"), kind))
        assert (picture.mode, picture.size, picture.format) == ("RGB", (60, 40), kind)

    def test_it_is_turned_as_its_exif_says(self) -> None:
        exif = Image.Exif()
        exif[0x0112] = QUARTER_TURN
        assert decoded(encoded(Image.new("RGB", (60, 40)), "JPEG", exif=exif)).size == (40, 60)

    def test_what_is_transparent_becomes_white(self) -> None:
        assert decoded(encoded(Image.new("RGBA", (9, 9), (0, 0, 0, 0)))).getpixel((4, 4)) == (255, 255, 255)

    def test_a_large_one_is_brought_down_to_what_can_be_painted(self) -> None:
        picture = decoded(encoded(Image.new("L", (6000, 3000)), "JPEG"))
        assert picture.width * picture.height <= LARGEST_AREA_PX
        assert picture.width == pytest.approx(2 * picture.height, abs=2)

    @pytest.mark.parametrize(
        ("content", "kind"),
        [
            (b"", "unsupported_image_format"),
            (b"<html>no picture</html>", "unsupported_image_format"),
            (encoded(Image.new("RGB", (60, 40)), "GIF"), "unsupported_image_format"),
            (encoded(Image.new("RGB", (60, 40)), "TIFF"), "unsupported_image_format"),
            (PHOTO[: len(PHOTO) // 2], "image_load_error"),
            (encoded(Image.effect_noise((90, 60), 50), "JPEG")[:900], "image_load_error"),
            (encoded(Image.new("RGB", (7, 400))), "image_too_small"),
            (encoded(Image.new("1", (10_000, 5_001))), "image_too_large"),
            (encoded(Image.new("1", (20_000, 20_000))), "image_too_large"),
        ],
    )
    def test_all_else_is_refused_by_its_name(self, content: bytes, kind: str) -> None:
        assert refusal(lambda: decoded(content)) == kind


class TestTakeIn:
    @pytest.fixture
    def photos(self, tmp_path: Path) -> Photos:
        return Photos(files=FileStore(tmp_path, now=lambda: 0.0), files_url="http://engine/files/")

    def test_a_data_url_becomes_a_file(self, photos: Photos) -> None:
        address = photos.take_in(data_url(PHOTO))
        assert address.startswith("http://engine/files/")
        assert address.endswith(".png")
        assert photos.open(address).size == (60, 40)

    def test_a_file_of_this_server_stays_where_it_is(self, photos: Photos) -> None:
        address = photos.take_in(data_url(PHOTO))
        assert photos.take_in(address) == address

    @pytest.mark.parametrize(
        "address",
        [
            "http://example.com/photo.png",
            "http://engine:80@example.com/files/x",
            "http://engine/files/../journal.sqlite",
            "http://engine/files/f-nothing.png",
            "http://engine/health",
            "file:///etc/passwd",
            "http://169.254.169.254/latest/meta-data/",
            "photo.png",
        ],
    )
    def test_nothing_else_is_looked_up(self, photos: Photos, address: str) -> None:
        assert refusal(lambda: photos.take_in(address)) == "file_download_error"

    @pytest.mark.parametrize(
        ("address", "kind"),
        [
            ("data:image/png,plain", "image_load_error"),
            ("data:image/png;base64", "image_load_error"),
            ("data:image/png;base64,!!!!", "image_load_error"),
            ("data:image/png;base64,é", "image_load_error"),
            (data_url(b"no picture"), "unsupported_image_format"),
            ("data:image/png;base64," + "A" * (LARGEST_PHOTO_BYTES * 4 // 3 + 8), "file_too_large"),
        ],
    )
    def test_a_data_url_without_a_photo_is_refused(self, photos: Photos, address: str, kind: str) -> None:
        assert refusal(lambda: photos.take_in(address)) == kind

    def test_a_file_of_too_many_bytes_is_not_even_read(self, photos: Photos) -> None:
        name = photos.files.new_name("image/png", lifetime_s=60)
        photos.files.keep(name, PHOTO + b"\0" * LARGEST_PHOTO_BYTES)
        assert refusal(lambda: photos.open(photos.files_url + name)) == "file_too_large"


async def upload(http: httpx.AsyncClient, content: bytes, **headers: str) -> str:
    """Upload a photo; its address."""
    answer = await http.post(
        "/files/upload", content=content, headers={"Content-Type": "image/png", **headers}
    )
    url: str = answer.json()["access_url"]
    return url


async def painted(http: httpx.AsyncClient, **changes: Any) -> Image.Image:
    """The picture that comes of a photo."""
    request_id = await submit(http, endpoint=FROM_A_PHOTO, output_format="png", seed=1, **changes)
    await finished(http, request_id)
    (image,) = (await http.get(f"/fal-ai/flux/requests/{request_id}")).json()["images"]
    assert (image["width"], image["height"]) == (20, 30)
    return Image.open(io.BytesIO((await fetch(image["url"])).content))


class TestOverHttp:
    async def test_photo_strength_and_seed_each_count(self, http: httpx.AsyncClient) -> None:
        photo, other = (encoded(Image.new("RGB", (20, 30), colour)) for colour in ("teal", "tan"))
        wishes: list[dict[str, Any]] = [
            {"image_url": data_url(photo)},
            {"image_url": data_url(other)},
            {"image_url": data_url(photo), "strength": 0.5},
        ]
        first, another_photo, weaker = [(await painted(http, **wish)).getpixel((0, 0)) for wish in wishes]
        assert len({first, another_photo, weaker}) == 3
        uploaded = await painted(http, image_url=await upload(http, photo))
        assert uploaded.getpixel((0, 0)) == first

    async def test_a_foreign_address_is_refused_at_submit(self, http: httpx.AsyncClient) -> None:
        accepted = (await http.get("/darkroom/stats")).json()["accepted"]
        answer = await http.post(f"/{FROM_A_PHOTO}", json=flux(image_url="https://example.com/x.png"))
        assert answer.status_code == 422
        (detail,) = answer.json()["detail"]
        assert (detail["loc"], detail["type"]) == (["body", "image_url"], "file_download_error")
        assert (await http.get("/darkroom/stats")).json()["accepted"] == accepted

    async def test_a_repeat_with_its_key_is_the_first_request(self, http: httpx.AsyncClient) -> None:
        headers = {"X-Starbooth-Request-Key": "a photo once"}
        wish: dict[str, Any] = {"endpoint": FROM_A_PHOTO, "headers": headers, "image_url": data_url(PHOTO)}
        assert await submit(http, **wish) == await submit(http, **wish)

    async def test_a_photo_may_be_larger_than_other_inputs(self, http: httpx.AsyncClient) -> None:
        large = encoded(Image.effect_noise((1100, 1100), 90))
        assert len(large) > 1024 * 1024
        await submit(http, endpoint=FROM_A_PHOTO, image_url=data_url(large))

    async def test_one_that_expired_while_the_request_waited_ends_it_with_fals_422(
        self, make_darkroom: MakeDarkroom
    ) -> None:
        darkroom: Darkroom = make_darkroom("--instant-seconds", "1.2")
        async with darkroom.client() as http:
            lifetime = {"X-Fal-Object-Lifecycle": '{"expiration_duration_seconds": 2}'}
            url = await upload(http, PHOTO, **lifetime)
            await submit(http)
            await submit(http)
            request_id = await submit(http, endpoint=FROM_A_PHOTO, image_url=url)
            assert (await finished(http, request_id))["error_type"] == "bad_request"
            result = await http.get(f"/fal-ai/flux/requests/{request_id}")
        assert result.status_code == 422
        assert result.json()["detail"][0]["type"] == "file_download_error"
