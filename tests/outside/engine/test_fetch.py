"""Fetching pictures: from the engine's own hosts only, within a limit, and without our key."""

import base64

import pytest

from starbooth.base.settings import read_settings
from starbooth.outside.engine.client import open_engines
from starbooth.outside.engine.contract import Engine, EngineRefused, EngineUnavailable
from tests.outside.scripted import Reply, ScriptedServer


class TestFetch:
    async def test_the_bytes_come_without_our_key(
        self, darkroom_client: Engine, scripted: ScriptedServer
    ) -> None:
        scripted.will_answer(Reply(body=b"\x89PNG"))
        assert await darkroom_client.fetch(f"{scripted.url}/files/1.png", limit_bytes=4) == b"\x89PNG"
        assert "authorization" not in scripted.asked[0].headers

    async def test_more_than_the_limit_is_refused(
        self, darkroom_client: Engine, scripted: ScriptedServer
    ) -> None:
        scripted.will_answer(Reply(body=b"12345"))
        with pytest.raises(EngineRefused) as refused:
            await darkroom_client.fetch(f"{scripted.url}/files/1.png", limit_bytes=4)
        assert refused.value.code == "too_large"

    @pytest.mark.parametrize(
        "url",
        [
            "http://127.0.0.1:1/x.png",
            "https://{host}/x.png",
            "http://user@{host}/x.png",
            "http://169.254.169.254/latest/meta-data",
            "file:///etc/passwd",
            "https://v3.fal.media/x.png",
            "//x",
            "",
            "http://[",
        ],
    )
    async def test_an_address_that_is_not_the_darkrooms_is_refused(
        self, darkroom_client: Engine, scripted: ScriptedServer, url: str
    ) -> None:
        with pytest.raises(EngineRefused) as refused:
            await darkroom_client.fetch(url.format(host=scripted.url.removeprefix("http://")), limit_bytes=9)
        assert (refused.value.code, scripted.asked) == ("foreign_address", [])

    @pytest.mark.parametrize(
        "url",
        [
            "http://v3.fal.media/x.png",
            "https://fal.media.example.com/x",
            "https://evilfal.media/x",
            "https://fal.media:8443/x",
            "https://fal.media@example.com/x",
            "https://127.0.0.1/x",
        ],
    )
    async def test_an_address_that_is_not_fals_is_refused(self, url: str) -> None:
        engine = next(iter(open_engines(read_settings(fal_key="a:b")).values()))
        with pytest.raises(EngineRefused) as refused:
            await engine.fetch(url, limit_bytes=9)
        await engine.aclose()
        assert refused.value.code == "foreign_address"

    async def test_a_redirect_is_not_followed(
        self, darkroom_client: Engine, scripted: ScriptedServer
    ) -> None:
        scripted.will_answer(Reply(status=302, headers={"location": "http://127.0.0.1:1/"}))
        with pytest.raises(EngineUnavailable) as failed:
            await darkroom_client.fetch(f"{scripted.url}/x.png", limit_bytes=9)
        assert failed.value.cause == "http_302"

    async def test_a_data_url_needs_no_network(self, darkroom_client: Engine) -> None:
        url = "data:image/png;base64," + base64.b64encode(b"four").decode()
        assert await darkroom_client.fetch(url, limit_bytes=4) == b"four"

    async def test_a_data_url_is_limited_too(self, darkroom_client: Engine) -> None:
        url = "data:image/png;base64," + base64.b64encode(b"fives").decode()
        with pytest.raises(EngineRefused):
            await darkroom_client.fetch(url, limit_bytes=4)

    @pytest.mark.parametrize("url", ["data:,x", "data:image/png;base64,!!", "data:image/png;base64"])
    async def test_a_broken_data_url_is_rubbish(self, darkroom_client: Engine, url: str) -> None:
        with pytest.raises(EngineUnavailable) as failed:
            await darkroom_client.fetch(url, limit_bytes=100)
        assert failed.value.cause == "rubbish"
