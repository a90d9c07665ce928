"""Settings come from the file and the environment; a wrong one is named, a secret one is never shown."""

import stat
from pathlib import Path

import pytest

from starbooth.base.errors import SettingError
from starbooth.base.settings import Settings, read_settings


@pytest.fixture(autouse=True)
def _clean_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder without a file, and an environment without settings of the machine that tests."""
    monkeypatch.chdir(tmp_path)
    for name in Settings.model_fields:
        monkeypatch.delenv(f"STARBOOTH_{name.upper()}", raising=False)
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.delenv("FAL_KEY", raising=False)


def refused(**arguments: object) -> SettingError:
    with pytest.raises(SettingError) as caught:
        read_settings(**arguments)
    return caught.value


class TestReadSettings:
    def test_nothing_has_to_be_set(self) -> None:
        settings = read_settings()
        assert settings.database_url is None
        assert settings.operators == ()

    def test_the_environment_wins_over_the_file(self, monkeypatch: pytest.MonkeyPatch) -> None:
        Path("starbooth.toml").write_text("web_port = 9001\nwelcome_stars = 7\n")
        monkeypatch.setenv("STARBOOTH_WEB_PORT", "9002")
        settings = read_settings()
        assert (settings.web_port, settings.welcome_stars) == (9002, 7)

    def test_an_argument_wins_over_both(self, monkeypatch: pytest.MonkeyPatch) -> None:
        Path("starbooth.toml").write_text("web_port = 9001\n")
        monkeypatch.setenv("STARBOOTH_WEB_PORT", "9002")
        assert read_settings(web_port=9003).web_port == 9003

    def test_database_and_fal_have_the_names_that_the_world_gives_them(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("DATABASE_URL", "postgresql://somewhere/booth")
        monkeypatch.setenv("FAL_KEY", "key-id:key-secret")
        settings = read_settings()
        assert settings.database_url is not None
        assert settings.database_url.get_secret_value() == "postgresql://somewhere/booth"
        assert settings.fal_key is not None
        assert settings.fal_key.get_secret_value() == "key-id:key-secret"

    def test_a_variable_set_to_nothing_counts_as_not_set(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("DATABASE_URL", "FAL_KEY", "STARBOOTH_TELEGRAM_TOKEN", "STARBOOTH_WEB_PORT"):
            monkeypatch.setenv(name, "")
        settings = read_settings()
        assert (settings.database_url, settings.fal_key, settings.telegram_token) == (None, None, None)

    def test_operators_are_numbers_with_commas_between(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("STARBOOTH_OPERATORS", "11, 22,33,")
        assert read_settings().operators == (11, 22, 33)

    def test_operators_in_the_file_are_a_list(self) -> None:
        Path("starbooth.toml").write_text("operators = [11, 22]\n")
        assert read_settings().operators == (11, 22)

    def test_a_final_slash_of_an_address_is_dropped(self) -> None:
        assert read_settings(public_url="https://booth.example/").public_url == "https://booth.example"

    @pytest.mark.parametrize(
        ("variable", "value"),
        [
            ("STARBOOTH_WEB_PORT", "eighty"),
            ("STARBOOTH_WEB_PORT", "65536"),
            ("STARBOOTH_ENGINE_SLOTS", "0"),
            ("STARBOOTH_OPERATORS", "11,@ann"),
            ("STARBOOTH_PUBLIC_URL", "booth.example"),
            ("STARBOOTH_ENGINE_URL", "ftp://engine"),
            ("STARBOOTH_TELEGRAM_API", "telegram"),
            ("STARBOOTH_SECRET", "too short"),
            ("STARBOOTH_LOG_LEVEL", "LOUD"),
            ("STARBOOTH_ORDER_DEADLINE_S", "-1"),
            ("DATABASE_URL", "mysql://somewhere/booth"),
        ],
    )
    def test_a_wrong_variable_is_named(
        self, monkeypatch: pytest.MonkeyPatch, variable: str, value: str
    ) -> None:
        monkeypatch.setenv(variable, value)
        assert refused().setting == variable

    @pytest.mark.parametrize(
        ("line", "setting"),
        [
            ('web_port = "eighty"', "STARBOOTH_WEB_PORT"),
            ("wellcome_stars = 3", "STARBOOTH_WELLCOME_STARS"),
            ('database_url = "mysql://somewhere/booth"', "DATABASE_URL"),
            ("operators = 7", "STARBOOTH_OPERATORS"),
            ("web_port =", "starbooth.toml"),
        ],
    )
    def test_a_wrong_line_of_the_file_is_named(self, line: str, setting: str) -> None:
        Path("starbooth.toml").write_text(line + "\n")
        assert refused().setting == setting

    def test_the_complaint_never_repeats_what_was_written(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("DATABASE_URL", "mysql://booth:hunter2@somewhere/booth")
        assert "hunter2" not in str(refused())
        monkeypatch.delenv("DATABASE_URL")
        monkeypatch.setenv("STARBOOTH_SECRET", "hunter2")
        assert "hunter2" not in str(refused())


class TestSettings:
    def test_no_secret_is_in_the_text_of_the_settings(self) -> None:
        settings = read_settings(
            database_url="postgresql://booth:hunter2@somewhere/booth",
            telegram_token="123:hunter2",
            fal_key="id:hunter2",
            engine_key="hunter2",
            secret="hunter2" * 8,
        )
        for shown in (repr(settings), str(settings), settings.model_dump_json()):
            assert "hunter2" not in shown

    def test_they_do_not_change_any_more(self) -> None:
        with pytest.raises(ValueError, match="frozen"):
            read_settings().web_port = 1

    def test_a_bot_without_a_token_is_told_which_setting_it_needs(self) -> None:
        with pytest.raises(SettingError) as caught:
            _ = read_settings().token
        assert caught.value.setting == "STARBOOTH_TELEGRAM_TOKEN"

    def test_files_are_kept_in_the_home_unless_said_otherwise(self, tmp_path: Path) -> None:
        assert read_settings(home=tmp_path / "h").storage_url == f"file://{tmp_path / 'h' / 'storage'}"
        assert read_settings(storage="s3://bucket/p").storage_url == "s3://bucket/p"


class TestSigningSecret:
    def test_the_setting_is_the_secret(self) -> None:
        assert read_settings(secret="x" * 32).signing_secret() == b"x" * 32

    def test_one_is_made_once_and_kept_for_its_owner_only(self, tmp_path: Path) -> None:
        settings = read_settings(home=tmp_path / "h")
        first = settings.signing_secret()
        assert len(first) == 64
        assert settings.signing_secret() == first
        assert read_settings(home=tmp_path / "h").signing_secret() == first
        assert stat.S_IMODE((tmp_path / "h" / "secret").stat().st_mode) == 0o600
        assert [path.name for path in (tmp_path / "h").iterdir()] == ["secret"]

    def test_two_homes_have_two_secrets(self, tmp_path: Path) -> None:
        first = read_settings(home=tmp_path / "a").signing_secret()
        assert read_settings(home=tmp_path / "b").signing_secret() != first
