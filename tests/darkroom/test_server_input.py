"""What the endpoints accept and refuse: every default, every range, fal's shape of a refusal."""

import json
from contextlib import suppress
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from starbooth.darkroom.schemas import (
    ENDPOINTS,
    PHOTO_ENDPOINTS,
    InvalidInput,
    choose_seed,
    parse_arguments,
    scene_of,
)
from tests.darkroom.serving import flux

DEV, SCHNELL, LORA = "fal-ai/flux/dev", "fal-ai/flux/schnell", "fal-ai/flux-lora"
DEV_PHOTO, LORA_PHOTO = f"{DEV}/image-to-image", f"{LORA}/image-to-image"


def parse(endpoint: str = DEV, **changes: Any) -> dict[str, Any]:
    """The arguments of an input that differs from a valid one by `changes`."""
    valid = {"prompt": "a boat", **({"image_url": "x"} if endpoint in PHOTO_ENDPOINTS else {})}
    return parse_arguments(endpoint, json.dumps({**valid, **changes}).encode())


def refusal(endpoint: str = DEV, **changes: Any) -> tuple[list[Any], str]:
    """Path and type of the single fault of an input."""
    with pytest.raises(InvalidInput) as refused:
        parse(endpoint, **changes)
    (detail,) = refused.value.details
    return detail["loc"], detail["type"]


class TestDefaults:
    @pytest.mark.parametrize(("endpoint", "steps"), [(DEV, 28), (SCHNELL, 4), (LORA, 28)])
    def test_only_a_prompt_is_needed(self, endpoint: str, steps: int) -> None:
        arguments = parse(endpoint)
        assert arguments == arguments | {
            "image_size": "landscape_4_3",
            "num_inference_steps": steps,
            "guidance_scale": 3.5,
            "num_images": 1,
            "seed": None,
            "output_format": "jpeg",
            "sync_mode": False,
            "enable_safety_checker": True,
            "acceleration": "none",
            "negative_prompt": "",
        }

    @pytest.mark.parametrize(
        ("endpoint", "steps", "strength"), [(DEV_PHOTO, 40, 0.95), (LORA_PHOTO, 28, 0.85)]
    )
    def test_a_photo_is_left_as_far_as_at_fal(self, endpoint: str, steps: int, strength: float) -> None:
        arguments = parse(endpoint)
        assert (arguments["num_inference_steps"], arguments["strength"]) == (steps, strength)
        assert "image_size" not in arguments

    def test_the_scene_of_a_photo_has_its_size(self) -> None:
        photo = Image.new("RGB", (60, 40))
        scene = scene_of(choose_seed(parse(DEV_PHOTO, strength=0.4)), photo)
        assert (scene.photo, scene.width_px, scene.height_px, scene.strength) == (photo, 60, 40, 0.4)

    def test_the_scene_says_what_was_asked(self) -> None:
        arguments = parse(image_size={"width": 320}, seed=2**64 - 1, num_images=3, num_inference_steps=7)
        scene = scene_of(arguments)
        assert (scene.width_px, scene.height_px, scene.seed) == (320, 512, 2**64 - 1)
        assert (scene.prompt, scene.count, scene.steps, scene.guidance) == ("a boat", 3, 7, 3.5)

    def test_the_scene_says_what_should_not_be_seen(self) -> None:
        assert scene_of(choose_seed(parse(negative_prompt="rain"))).negative == "rain"

    def test_a_seed_is_chosen_once_and_a_given_one_is_kept(self) -> None:
        assert choose_seed(parse(seed=0))["seed"] == 0
        chosen = {choose_seed(parse())["seed"] for _ in range(50)}
        assert len(chosen) == 50
        assert all(0 <= seed < 2**63 for seed in chosen)

    def test_unknown_names_are_ignored(self) -> None:
        assert "wings" not in parse(wings=2)

    @pytest.mark.parametrize(
        ("preset", "size"),
        [
            ("square_hd", (1024, 1024)),
            ("square", (512, 512)),
            ("portrait_4_3", (768, 1024)),
            ("portrait_16_9", (576, 1024)),
            ("landscape_4_3", (1024, 768)),
            ("landscape_16_9", (1024, 576)),
        ],
    )
    def test_presets_are_fals(self, preset: str, size: tuple[int, int]) -> None:
        scene = scene_of(choose_seed(parse(image_size=preset)))
        assert (scene.width_px, scene.height_px) == size


RANGES = [
    (DEV, "num_inference_steps", 1, 50),
    (SCHNELL, "num_inference_steps", 1, 12),
    (LORA, "num_inference_steps", 1, 50),
    (DEV, "guidance_scale", 1, 20),
    (SCHNELL, "guidance_scale", 1, 20),
    (LORA, "guidance_scale", 0, 35),
    (LORA_PHOTO, "guidance_scale", 0, 35),
    (DEV_PHOTO, "num_inference_steps", 1, 50),
    (LORA_PHOTO, "num_inference_steps", 1, 50),
    *[(endpoint, "num_images", 1, 4) for endpoint in ENDPOINTS],
    *[(endpoint, "seed", 0, 2**64 - 1) for endpoint in ENDPOINTS],
]


class TestRanges:
    @pytest.mark.parametrize(("endpoint", "name", "least", "most"), RANGES)
    def test_the_ends_are_accepted_and_what_lies_beyond_is_refused(
        self, endpoint: str, name: str, least: int, most: int
    ) -> None:
        assert parse(endpoint, **{name: least})[name] == least
        assert parse(endpoint, **{name: most})[name] == most
        assert refusal(endpoint, **{name: least - 1}) == (["body", name], "greater_than_equal")
        assert refusal(endpoint, **{name: most + 1}) == (["body", name], "less_than_equal")

    @pytest.mark.parametrize("side", ["width", "height"])
    def test_sides_go_from_1_to_14142(self, side: str) -> None:
        other = {"width": "height", "height": "width"}[side]
        for length in (1, 14142):
            parse(image_size={side: length, other: 1})
        assert refusal(image_size={side: 0, other: 1}) == (["body", "image_size", side], "greater_than_equal")
        assert refusal(image_size={side: 14143, other: 1}) == (
            ["body", "image_size", side],
            "less_than_equal",
        )

    def test_a_picture_too_large_for_any_engine_is_refused(self) -> None:
        parse(image_size={"width": 2048, "height": 2048})
        assert refusal(image_size={"width": 2049, "height": 2048}) == (
            ["body", "image_size"],
            "image_too_large",
        )

    def test_a_very_long_prompt_is_refused(self) -> None:
        parse(prompt="x" * 20_000)
        assert refusal(prompt="x" * 20_001) == (["body", "prompt"], "string_too_long")
        assert refusal(negative_prompt="x" * 20_001) == (["body", "negative_prompt"], "string_too_long")

    @pytest.mark.parametrize(
        ("endpoint", "changes", "where", "kind"),
        [
            (DEV, {"prompt": None}, "prompt", "string_type"),
            (DEV, {"prompt": ["a"]}, "prompt", "string_type"),
            (DEV, {"image_size": "huge"}, "image_size", "enum"),
            (DEV, {"image_size": 5}, "image_size", "enum"),
            (DEV, {"output_format": "gif"}, "output_format", "literal_error"),
            (DEV, {"acceleration": "warp"}, "acceleration", "literal_error"),
            (LORA, {"acceleration": "high"}, "acceleration", "literal_error"),
            (DEV, {"num_images": "many"}, "num_images", "int_parsing"),
            (DEV, {"num_images": 1.5}, "num_images", "int_from_float"),
            (DEV, {"seed": -1}, "seed", "greater_than_equal"),
            (DEV, {"sync_mode": "perhaps"}, "sync_mode", "bool_parsing"),
            (LORA, {"loras": [{"path": "x"}] * 4}, "loras", "too_long"),
            (DEV_PHOTO, {"image_url": ""}, "image_url", "string_too_short"),
            (DEV_PHOTO, {"image_url": None}, "image_url", "string_type"),
            (DEV_PHOTO, {"strength": 0}, "strength", "greater_than_equal"),
            (LORA_PHOTO, {"strength": 1.1}, "strength", "less_than_equal"),
        ],
    )
    def test_other_nonsense_is_refused(
        self, endpoint: str, changes: dict[str, Any], where: str, kind: str
    ) -> None:
        assert refusal(endpoint, **changes) == (["body", where], kind)

    @pytest.mark.parametrize(
        "lora", [{}, {"path": ""}, {"path": "x", "scale": 4.1}, {"path": "x", "scale": -1}]
    )
    def test_a_lora_without_path_or_out_of_range_is_refused(self, lora: dict[str, Any]) -> None:
        assert refusal(LORA, loras=[lora])[0][:3] == ["body", "loras", 0]

    def test_an_empty_list_of_loras_is_fine(self) -> None:
        assert parse(LORA, loras=[])["loras"] == []

    def test_every_fault_is_named_at_once(self) -> None:
        with pytest.raises(InvalidInput) as refused:
            parse_arguments(DEV, b'{"num_images": 9, "seed": -4}')
        assert [detail["loc"][1] for detail in refused.value.details] == ["prompt", "seed", "num_images"]

    @pytest.mark.parametrize(
        "body", [b"", b"{}", b"[]", b"null", b"7", b"{", b"\xff", b'{"prompt": "\\ud800"}']
    )
    def test_what_is_no_object_with_a_prompt_is_refused(self, body: bytes) -> None:
        with pytest.raises(InvalidInput):
            parse_arguments(DEV, body)

    @pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
    def test_numbers_that_are_none_are_refused(self, number: str) -> None:
        with pytest.raises(InvalidInput):
            parse_arguments(DEV, f'{{"prompt": "x", "guidance_scale": {number}}}'.encode())

    @settings(deadline=None)
    @given(st.binary(max_size=200))
    def test_no_bytes_at_all_lead_to_anything_but_arguments_or_a_refusal(self, body: bytes) -> None:
        with suppress(InvalidInput):
            assert isinstance(parse_arguments(DEV, body)["prompt"], str)

    @settings(deadline=None)
    @given(st.text(max_size=50))
    def test_any_text_is_a_prompt_and_comes_through_unchanged(self, prompt: str) -> None:
        assert parse(prompt=prompt)["prompt"] == prompt


class TestRefusalOverHttp:
    async def test_it_has_fals_shape(self, http: httpx.AsyncClient) -> None:
        answer = await http.post(f"/{DEV}", json={})
        assert answer.status_code == 422
        detail = {"loc": ["body", "prompt"], "msg": "Field required", "type": "missing"}
        assert answer.json() == {"detail": [detail]}

    async def test_the_refused_input_is_not_repeated(self, http: httpx.AsyncClient) -> None:
        answer = await http.post(f"/{DEV}", json=flux(num_images="a secret wish"))
        assert answer.status_code == 422
        assert "secret" not in answer.text

    async def test_a_refused_request_is_not_accepted(self, http: httpx.AsyncClient) -> None:
        before = (await http.get("/darkroom/stats")).json()["accepted"]
        await http.post(f"/{DEV}", json=flux(num_images=5))
        assert (await http.get("/darkroom/stats")).json()["accepted"] == before

    @pytest.mark.parametrize("path", ["/fal-ai/flux-pro", "/fal-ai/flux", "/x", "/run/fal-ai/sdxl"])
    async def test_an_unknown_endpoint_is_not_found(self, http: httpx.AsyncClient, path: str) -> None:
        answer = await http.post(path, json=flux())
        assert answer.status_code == 404
        assert answer.json() == {"detail": f"Path {path.removeprefix('/run')} not found"}

    @pytest.mark.parametrize("piecewise", [False, True])
    async def test_a_huge_body_is_refused(self, http: httpx.AsyncClient, piecewise: bool) -> None:
        async def pieces() -> Any:
            for _ in range(33):
                yield b" " * 65536

        answer = await http.post(f"/{DEV}", content=pieces() if piecewise else b" " * 33 * 65536)
        assert answer.status_code == 413

    @pytest.mark.parametrize(
        ("header", "value"),
        [
            ("X-Fal-Queue-Priority", "urgent"),
            ("X-Fal-Request-Timeout", "soon"),
            ("X-Fal-Request-Timeout", "-1"),
            ("X-Fal-Request-Timeout", "nan"),
            ("X-Fal-Object-Lifecycle-Preference", "tomorrow"),
            ("X-Fal-Object-Lifecycle-Preference", "[1]"),
            ("X-Fal-Object-Lifecycle-Preference", "[" * 20_000),
            ("X-Fal-Object-Lifecycle-Preference", '{"expiration_duration_seconds": 1e999}'),
            ("X-Starbooth-Request-Key", ""),
            ("X-Starbooth-Request-Key", "k" * 256),
        ],
    )
    async def test_a_header_without_sense_is_refused(
        self, http: httpx.AsyncClient, header: str, value: str
    ) -> None:
        answer = await http.post(f"/{DEV}", json=flux(), headers={header: value})
        assert answer.status_code == 422
        assert answer.json()["detail"][0]["loc"] == ["header", header.lower()]

    @pytest.mark.parametrize(
        "url", ["ftp://x/y", "file:///etc/passwd", "x", "http://", "http://a:b@c/", "http://[/"]
    )
    async def test_a_webhook_goes_to_plain_web_addresses_only(
        self, http: httpx.AsyncClient, url: str
    ) -> None:
        answer = await http.post(f"/{DEV}", json=flux(), params={"fal_webhook": url})
        assert answer.status_code == 422
        assert answer.json()["detail"][0]["loc"] == ["query", "fal_webhook"]
