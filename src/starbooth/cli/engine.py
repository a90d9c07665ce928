"""Starting the two programs that stand outside the booth: processes that import nothing of it."""

import os
import sys
from pathlib import Path
from typing import NoReturn

from starbooth.base.settings import Settings
from starbooth.cli.wiring import darkroom_key

DARKROOM = "starbooth.darkroom"
PLAYGROUND = "starbooth.playground"


def darkroom_arguments(settings: Settings, *, host: str, port: int, weights: Path | None) -> tuple[str, ...]:
    """The darkroom's command line. Its key goes by DARKROOM_KEY, where others cannot read it."""
    chosen = ("--weights", str(weights)) if weights is not None else ()
    return (
        *(sys.executable, "-m", DARKROOM, "--host", host, "--port", str(port)),
        *("--folder", str(settings.home / "darkroom"), *chosen),
        *("--lora-origin", settings.public_url),  # guests' LoRAs lie in the booth's own storage
    )


def playground_arguments(settings: Settings, *, port: int, token: str) -> tuple[str, ...]:
    """The playground's command line."""
    note = (
        "Pictures come from a tiny FLUX that learned a small drawn world: a few objects, colours, places and"
        " styles. It knows no people and no faces. Words that it does not know are passed over."
    )
    return (
        *(sys.executable, "-m", PLAYGROUND, "--port", str(port), "--token", token),
        *("--folder", str(settings.home / "playground"), "--note", note),
    )


def exec_darkroom(settings: Settings, *, host: str, port: int, weights: Path | None) -> NoReturn:
    """Become the darkroom."""
    arguments = darkroom_arguments(settings, host=host, port=port, weights=weights)
    os.execve(arguments[0], arguments, {**os.environ, "DARKROOM_KEY": darkroom_key(settings)})  # noqa: S606


def exec_playground(settings: Settings, *, port: int, token: str) -> NoReturn:
    """Become the playground."""
    arguments = playground_arguments(settings, port=port, token=token)
    os.execve(arguments[0], arguments, dict(os.environ))  # noqa: S606
