"""Missing or wrong settings: the program refuses to start and names the setting."""

from pathlib import Path

import pytest

from tests.cli.commands import starbooth


class TestRefusalsAtStart:
    @pytest.mark.parametrize(
        ("command", "settings", "named"),
        [
            ("bot", {}, "STARBOOTH_TELEGRAM_TOKEN"),
            ("up", {}, "STARBOOTH_TELEGRAM_TOKEN"),
            ("web", {"STARBOOTH_WEB_PORT": "eighty"}, "STARBOOTH_WEB_PORT"),
            ("web", {"STARBOOTH_PUBLIC_URL": "booth.example"}, "STARBOOTH_PUBLIC_URL"),
            ("worker", {"DATABASE_URL": "mysql://localhost/booth"}, "DATABASE_URL"),
            ("worker", {"STARBOOTH_STORAGE": "ftp://somewhere"}, "STARBOOTH_STORAGE"),
            ("web", {"STARBOOTH_SECRET": "short"}, "STARBOOTH_SECRET"),
            ("audit", {"STARBOOTH_OPERATORS": "ada"}, "STARBOOTH_OPERATORS"),
        ],
    )
    def test_the_setting_is_named_and_nothing_starts(
        self, tmp_path: Path, database_url: str, command: str, settings: dict[str, str], named: str
    ) -> None:
        said = starbooth(command, home=tmp_path, **{"DATABASE_URL": database_url, **settings})
        assert said.returncode == 2
        assert named in said.stderr
        assert "Traceback" not in said.stderr

    def test_a_secret_is_never_printed(self, tmp_path: Path) -> None:
        said = starbooth("web", home=tmp_path, STARBOOTH_SECRET="hush-hush")
        assert "hush-hush" not in said.stderr + said.stdout

    def test_an_engine_must_be_named_before_anything_starts(self, tmp_path: Path, database_url: str) -> None:
        said = starbooth("web", home=tmp_path, DATABASE_URL=database_url)
        assert said.returncode == 2
        assert "FAL_KEY" in said.stderr

    def test_a_database_that_is_away_is_told_without_a_traceback(self, tmp_path: Path) -> None:
        said = starbooth("audit", home=tmp_path, DATABASE_URL="postgresql://x@127.0.0.1:9/none")
        assert said.returncode == 1
        assert "doctor" in said.stderr
        assert "Traceback" not in said.stderr


class TestMigrate:
    def test_it_can_be_run_again(self, tmp_path: Path, empty_database_url: str) -> None:
        for _ in range(2):
            said = starbooth("migrate", home=tmp_path, DATABASE_URL=empty_database_url)
            assert (said.returncode, said.stderr) == (0, "")
            assert "revision 0013" in said.stdout


class TestDoctor:
    def test_what_is_missing_is_named_with_what_to_do(self, tmp_path: Path, empty_database_url: str) -> None:
        said = starbooth(
            "doctor",
            home=tmp_path,
            DATABASE_URL=empty_database_url,
            STARBOOTH_ENGINE_URL="http://127.0.0.1:9",
            STARBOOTH_ENGINE_KEY="no engine is here",
        )
        assert said.returncode == 1
        assert "✗ database" in said.stdout
        assert "starbooth migrate" in said.stdout
        assert "✓ storage" in said.stdout
        assert "✗ engine" in said.stdout
        assert "✗ telegram: STARBOOTH_TELEGRAM_TOKEN" in said.stdout
