"""What each process loads: memory is counted, and a library too many is dearer than any of our own code."""

import subprocess
import sys

import pytest


def loaded_by(module: str, *libraries: str) -> set[str]:
    """Which of these libraries a fresh interpreter has loaded once it imported `module`."""
    code = f"import sys, {module}; print(*(name for name in {libraries!r} if name in sys.modules))"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(answer.stdout.split())


class TestWhatIsLoaded:
    def test_the_webhook_loads_no_bot_library(self) -> None:
        assert loaded_by("starbooth.doors.bot.webhook", "aiogram", "babel", "fastapi") == {"fastapi"}

    def test_the_bot_loads_no_web(self) -> None:
        assert loaded_by("starbooth.doors.bot.run", "aiogram", "fastapi", "torch") == {"aiogram"}

    @pytest.mark.parametrize("module", ["run", "handlers", "messenger", "polling"])
    def test_no_import_builds_all_of_aiograms_models(self, module: str) -> None:
        code = (
            f"import starbooth.doors.bot.{module}; from aiogram.types import Gift;"
            " print(Gift.__pydantic_complete__)"
        )
        answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert answer.stdout.strip() == "False"
