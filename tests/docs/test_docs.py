"""The documents say what is: every file they name exists, every setting and command is told."""

import re
from pathlib import Path

import pytest

from starbooth.base.settings import Settings

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
_LINK = re.compile(r"\]\(([^)#]+)(?:#[^)]*)?\)|src=\"([^\"]+)\"")
_FILE = re.compile(r"`([a-z_0-9/]+\.(?:py|sql|po|html|js|css))`")


def names_of_files(document: Path) -> list[str]:
    return _FILE.findall(document.read_text())


class TestDocuments:
    @pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
    def test_every_link_leads_somewhere(self, document: Path) -> None:
        targets = [one or other for one, other in _LINK.findall(document.read_text())]
        local = [target for target in targets if "://" not in target]
        assert [target for target in local if not (document.parent / target).exists()] == []

    @pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
    def test_every_file_it_names_exists(self, document: Path) -> None:
        places = [ROOT, ROOT / "src/starbooth", ROOT / "src/starbooth/darkroom", document.parent]
        missing = [
            name
            for name in names_of_files(document)
            if not any((place / name).exists() for place in places)
            and not any((ROOT / "src/starbooth").rglob(name))
        ]
        assert missing == []

    def test_the_story_names_the_files_of_a_generation_by_their_paths(self) -> None:
        named = names_of_files(ROOT / "docs/story.md")
        assert len(named) >= 15
        assert [name for name in named if not (ROOT / "src/starbooth" / name).exists()] == []


class TestSettings:
    def test_the_table_for_operators_tells_every_setting_and_no_other(self) -> None:
        told = set(
            re.findall(
                r"`((?:STARBOOTH_[A-Z_]+)|DATABASE_URL|FAL_KEY)`", (ROOT / "docs/running.md").read_text()
            )
        )
        named = {
            name.upper() if name in ("database_url", "fal_key") else f"STARBOOTH_{name.upper()}"
            for name in Settings.model_fields
        }
        assert told == named

    @pytest.mark.parametrize("name", sorted(Settings.model_fields))
    def test_the_default_in_the_table_is_the_default(self, name: str) -> None:
        default = Settings.model_fields[name].default
        if isinstance(default, bool | int) and not isinstance(default, str):
            label = f"STARBOOTH_{name.upper()}"
            row = next(
                line
                for line in (ROOT / "docs/running.md").read_text().splitlines()
                if line.startswith("|") and label in line
            )
            assert f"`{str(default).lower()}`" in row


class TestCommands:
    def test_make_lists_what_the_readme_and_the_tests_use(self) -> None:
        targets = set(re.findall(r"^([a-z]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE))
        assert {"install", "demo", "test", "check", "bench", "up", "migrate", "clean"} <= targets
        used = set(re.findall(r"^make ([a-z]+)$", (ROOT / "README.md").read_text(), re.MULTILINE))
        assert used == {"demo", "test"}

    def test_no_document_names_a_machine_or_a_registry(self) -> None:
        tracked = [*DOCUMENTS, ROOT / "constraints.txt", ROOT / "Makefile", ROOT / "pyproject.toml"]
        words = re.compile("/wo" + "rk/|/ro" + "ot/|py" + r"pi\.|pythonho" + r"sted|registry\.np" + "m")
        assert [path.name for path in tracked if words.search(path.read_text())] == []
