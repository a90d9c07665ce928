"""Kills, stops and starts: what was accepted ends, once; what cannot work is refused at the start."""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.darkroom.conftest import MakeDarkroom
from tests.darkroom.serving import KEY, Listener, fetch, finished, submit, until
from tests.darkroom.test_server_webhooks import submit_with


@pytest.mark.slow
class TestKill:
    async def test_after_many_kills_every_request_has_ended_once(
        self, make_darkroom: MakeDarkroom, listener: Listener
    ) -> None:
        darkroom = make_darkroom("--instant-seconds", "0.15")
        async with darkroom.client() as http:
            ids = [
                await submit_with(http, listener, prompt=f"boat {number}", seed=number)
                for number in range(20)
            ]
        for _ in range(4):
            await asyncio.sleep(0.5)
            darkroom.kill()
            darkroom.start()
        async with darkroom.client() as http:
            for number, request_id in enumerate(ids):
                status = await finished(http, request_id)
                assert "error" not in status
                result = (await http.get(f"/fal-ai/flux/requests/{request_id}")).json()
                assert (result["prompt"], result["seed"]) == (f"boat {number}", number)
                assert (await fetch(result["images"][0]["url"])).status_code == 200
            stats = (await http.get("/darkroom/stats")).json()
        assert stats == {"accepted": 20, "runs": 20, "failed": 0, "cancelled": 0, "waiting": 0, "running": 0}
        told: dict[str, set[bytes]] = {}
        await until(lambda: len({json.loads(each.body)["request_id"] for each in listener.deliveries}) == 20)
        for delivery in listener.deliveries:
            told.setdefault(json.loads(delivery.body)["request_id"], set()).add(delivery.body)
        assert {len(bodies) for bodies in told.values()} == {1}
        assert set(told) == set(ids)

    async def test_submits_repeated_by_key_through_kills_buy_each_picture_once(
        self, make_darkroom: MakeDarkroom
    ) -> None:
        darkroom = make_darkroom("--instant-seconds", "0.02")

        async def insist(http: httpx.AsyncClient, number: int) -> str:
            headers = {"X-Starbooth-Request-Key": f"order {number}"}
            for _ in range(500):
                try:
                    return await submit(http, headers=headers, prompt=f"boat {number}")
                except httpx.TransportError:
                    await asyncio.sleep(0.05)
            raise AssertionError(f"order {number} was never accepted")

        async def in_turn(http: httpx.AsyncClient, first: int) -> list[str]:
            return [await insist(http, number) for number in range(first, first + 60)]

        async with darkroom.client() as http:
            submitting = [asyncio.create_task(in_turn(http, first)) for first in (0, 60, 120, 180)]
            for _ in range(4):
                await asyncio.sleep(0.15)
                darkroom.kill()
                darkroom.start()
            ids = [each for batch in await asyncio.gather(*submitting) for each in batch]
            assert len(set(ids)) == 240
            for request_id in ids:
                assert "error" not in await finished(http, request_id)
            stats = (await http.get("/darkroom/stats")).json()
        assert (stats["accepted"], stats["runs"]) == (240, 240)

    async def test_a_repeat_by_key_after_a_kill_finds_the_first_request(
        self, make_darkroom: MakeDarkroom
    ) -> None:
        darkroom = make_darkroom("--instant-seconds", "1")
        headers = {"X-Starbooth-Request-Key": "order 1"}
        async with darkroom.client() as http:
            first = await submit(http, headers=headers)
        darkroom.kill()
        darkroom.start()
        async with darkroom.client() as http:
            assert await submit(http, headers=headers) == first
            await finished(http, first)
            assert (await http.get("/darkroom/stats")).json()["accepted"] == 1

    async def test_a_cancel_that_was_answered_stays(self, make_darkroom: MakeDarkroom) -> None:
        darkroom = make_darkroom("--instant-seconds", "1")
        async with darkroom.client() as http:
            await submit(http)
            request_id = await submit(http)
            assert (await http.put(f"/fal-ai/flux/requests/{request_id}/cancel")).status_code == 200
        darkroom.kill()
        darkroom.start()
        async with darkroom.client() as http:
            assert (await finished(http, request_id))["error_type"] == "client_cancelled"

    async def test_low_priority_still_waits_for_normal(self, make_darkroom: MakeDarkroom) -> None:
        darkroom = make_darkroom("--instant-seconds", "2")
        async with darkroom.client() as http:
            await submit(http)
            low = await submit(http, headers={"X-Fal-Queue-Priority": "low"})
            normal = await submit(http)
        darkroom.kill()
        darkroom.start()
        async with darkroom.client() as http:
            positions = [
                (await http.get(f"/fal-ai/flux/requests/{each}/status")).json()["queue_position"]
                for each in (normal, low)
            ]
            assert positions in ([0, 1], [1, 2])


class TestStop:
    async def test_a_stop_in_the_middle_of_a_picture_is_quick_and_the_picture_is_painted_later(
        self, make_darkroom: MakeDarkroom
    ) -> None:
        darkroom = make_darkroom("--instant-seconds", "4")
        async with darkroom.client() as http:
            request_id = await submit(http, num_inference_steps=40)
            await asyncio.sleep(0.5)
        assert darkroom.stop() < 4
        darkroom.start()
        async with darkroom.client() as http:
            status = await finished(http, request_id)
        assert "error" not in status
        assert len(status["logs"]) == 40

    async def test_an_idle_one_stops_at_once_also_with_a_stream_open(
        self, make_darkroom: MakeDarkroom
    ) -> None:
        darkroom = make_darkroom("--instant-seconds", "50")
        async with darkroom.client() as http:
            request_id = await submit(http, num_inference_steps=50)
            async with http.stream("GET", f"/fal-ai/flux/requests/{request_id}/status/stream") as stream:
                await anext(stream.aiter_lines())
                assert await asyncio.to_thread(darkroom.stop) < 8


def refusal(*options: str, **environment: str) -> tuple[int, str]:
    """Exit status and last words of a darkroom that does not want to start."""
    ended = subprocess.run(
        [sys.executable, "-m", "starbooth.darkroom", "--port", "0", *options],
        env={**os.environ, "DARKROOM_KEY": KEY, **environment},
        capture_output=True,
        text=True,
        timeout=60,
    )
    return ended.returncode, ended.stderr


class TestWrongSettings:
    @pytest.mark.parametrize("key", ["", "short", "schlüssel-der-tests"])
    def test_a_missing_or_weak_key_is_named(self, tmp_path: Path, key: str) -> None:
        status, words = refusal("--folder", str(tmp_path), "--painter", "instant", DARKROOM_KEY=key)
        assert status == 2
        assert "DARKROOM_KEY" in words

    def test_weights_that_are_not_there_are_named(self, tmp_path: Path) -> None:
        status, words = refusal("--folder", str(tmp_path), "--weights", str(tmp_path / "none"))
        assert status == 2
        assert "--weights" in words

    def test_a_taken_port_is_named(self, tmp_path: Path, make_darkroom: MakeDarkroom) -> None:
        port = str(make_darkroom().port)
        status, words = refusal("--folder", str(tmp_path / "other"), "--painter", "instant", "--port", port)
        assert status == 2
        assert f"--port {port}" in words

    def test_a_taken_folder_is_named(self, make_darkroom: MakeDarkroom) -> None:
        folder = str(make_darkroom().folder)
        status, words = refusal("--folder", folder, "--painter", "instant")
        assert status == 2
        assert "--folder" in words

    def test_a_folder_that_cannot_be_written_is_named(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        status, words = refusal("--folder", str(tmp_path / "file" / "x"), "--painter", "instant")
        assert status == 2
        assert "--folder" in words

    def test_a_public_url_without_scheme_is_named(self, tmp_path: Path) -> None:
        status, words = refusal("--folder", str(tmp_path), "--painter", "instant", "--public-url", "booth")
        assert status == 2
        assert "--public-url" in words

    def test_weights_that_cannot_be_opened_end_the_process_with_an_error(self, tmp_path: Path) -> None:
        (tmp_path / "weights").mkdir()
        status, words = refusal("--folder", str(tmp_path / "dark"), "--weights", str(tmp_path / "weights"))
        assert status == 1
        assert "cannot go on" in words


class TestStart:
    def test_the_instant_painter_loads_no_torch(self) -> None:
        check = "import sys, starbooth.darkroom.__main__; sys.exit('torch' in sys.modules)"
        assert subprocess.run([sys.executable, "-c", check], timeout=60).returncode == 0

    def test_nothing_else_of_starbooth_is_loaded(self) -> None:
        check = (
            "import sys, starbooth.darkroom.__main__;"
            "sys.exit(str([name for name in sys.modules if name.startswith('starbooth.')"
            " and not name.startswith('starbooth.darkroom')] or ''))"
        )
        ended = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, timeout=60)
        assert ended.stderr.strip() == ""

    async def test_the_public_url_is_what_links_begin_with(self, make_darkroom: MakeDarkroom) -> None:
        darkroom = make_darkroom("--public-url", "https://engine.example/")
        async with darkroom.client() as http:
            body = (await http.post("/fal-ai/flux/dev", json={"prompt": "x"})).json()
        assert body["status_url"].startswith("https://engine.example/fal-ai/flux/requests/")
