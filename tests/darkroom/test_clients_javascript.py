"""The official JavaScript client, unchanged but for the address. Needs node and `js/package.json`."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.darkroom.albums import album, album_file
from tests.darkroom.serving import KEY, Darkroom

FOLDER = Path(__file__).parent / "js"
PACKAGE = "@fal-ai/client"


def reason_to_skip() -> str | None:
    """What is missing on this machine, if something is."""
    if shutil.which("node") is None:
        return "node is not installed"
    places = [parent / "node_modules" / PACKAGE for parent in FOLDER.parents]
    if not any(place.is_dir() for place in (*places, FOLDER / "node_modules" / PACKAGE)):
        wish = json.loads((FOLDER / "package.json").read_text())["dependencies"][PACKAGE]
        return f"{PACKAGE} is missing: npm install --no-save --no-package-lock {PACKAGE}@{wish}"
    return None


pytestmark = pytest.mark.skipif(reason_to_skip() is not None, reason=str(reason_to_skip()))


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What every call of the client gave, and the darkroom, still up to serve its files."""
    darkroom = Darkroom(
        tmp_path_factory.mktemp("javascript"), ("--painter", "instant", "--instant-seconds", "1.6")
    )
    darkroom.start()
    photos = album_file(tmp_path_factory.mktemp("photos"), album())
    command = ["node", str(FOLDER / "client.mjs"), darkroom.url, KEY, str(photos)]
    node = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert node.returncode == 0, node.stderr
    yield json.loads(node.stdout)
    darkroom.stop()


STEPS = [f"step {number}/4" for number in (1, 2, 3, 4)]


def messages(logs: list[dict[str, Any]]) -> list[str]:
    """The text of log lines."""
    return [line["message"] for line in logs]


class TestQueue:
    def test_subscribe_with_logs(self, seen: Any) -> None:
        assert len(seen["subscribe"]["data"]["images"]) == 1
        assert seen["subscribe"]["requestId"]
        assert seen["subscribe"]["statuses"][-1] == "COMPLETED"
        assert "IN_PROGRESS" in seen["subscribe"]["statuses"]
        assert messages(seen["subscribe"]["logs"]) == STEPS

    def test_subscribe_in_streaming_mode_adds_each_line_once(self, seen: Any) -> None:
        assert len(seen["subscribeStreaming"]["data"]["images"]) == 1
        assert messages(seen["subscribeStreaming"]["logs"]) == STEPS

    def test_stream_status(self, seen: Any) -> None:
        events = seen["streamStatus"]["events"]
        assert events[-1]["status"] == seen["streamStatus"]["done"]["status"] == "COMPLETED"
        assert messages([line for event in events for line in event.get("logs") or []]) == STEPS

    def test_status_and_result(self, seen: Any) -> None:
        assert seen["status"]["status"] == "COMPLETED"
        assert messages(seen["status"]["logs"]) == STEPS
        assert seen["result"]["requestId"] == seen["result"]["expected"]
        assert seen["result"]["data"]["prompt"] == "a red boat"

    def test_cancel(self, seen: Any) -> None:
        assert seen["cancelled"]["status"] == 499
        assert seen["cancelled"]["body"] == {"detail": "Request cancelled by the client."}

    def test_cancel_while_painting(self, seen: Any) -> None:
        assert seen["stopped"]["status"] == 499

    def test_a_preview_in_a_status_is_passed_over(self, seen: Any) -> None:
        assert any("preview_url" in event for event in seen["streamStatus"]["events"])

    def test_the_blocking_run(self, seen: Any) -> None:
        assert len(seen["run"]["data"]["images"]) == 1


class TestRefusals:
    def test_an_invalid_input_is_a_validation_error(self, seen: Any) -> None:
        assert (seen["invalid"]["name"], seen["invalid"]["status"]) == ("ValidationError", 422)
        assert seen["invalid"]["body"]["detail"][0]["loc"] == ["body", "num_images"]

    def test_a_wrong_key(self, seen: Any) -> None:
        assert (seen["stranger"]["name"], seen["stranger"]["status"]) == ("ApiError", 401)


class TestWebhook:
    def test_it_is_signed_by_a_published_key_and_no_other_bytes_are(self, seen: Any) -> None:
        assert seen["webhook"]["body"]["status"] == "OK"
        assert len(seen["webhook"]["body"]["payload"]["images"]) == 1
        assert (seen["webhook"]["isSigned"], seen["webhook"]["isSignedWhenChanged"]) == (True, False)


class TestTraining:
    def test_a_zip_in_the_input_is_uploaded_and_trained_from(self, seen: Any) -> None:
        assert messages(seen["training"]["logs"]) == STEPS
        made = seen["training"]["data"]
        assert made["steps_ran"] == 4
        weights, config = made["diffusers_lora_file"], made["config_file"]
        assert len(httpx.get(weights["url"]).content) == weights["file_size"]
        assert httpx.get(config["url"]).json()["instance_prompt"] == "zxq"


class TestUpload:
    def test_a_photo_in_the_input_is_uploaded_and_painted_from(self, seen: Any) -> None:
        (image,) = seen["fromPhoto"]["data"]["images"]
        assert (image["width"], image["height"]) == (8, 8)

    def test_a_file(self, seen: Any) -> None:
        assert httpx.get(seen["upload"]).content == b"some text"

    def test_a_file_in_parts(self, seen: Any) -> None:
        served = httpx.get(seen["uploadLarge"])
        assert served.headers["content-type"] == "application/zip"
        assert served.content == b"\x07" * (91 * 1024 * 1024)
