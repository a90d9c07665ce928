"""The commands `starbooth trainings …`."""

from collections.abc import Callable, Coroutine
from typing import Annotated, Any

import typer

from starbooth.base.amounts import parse_amount
from starbooth.base.settings import Settings

Run = Callable[[Callable[[Settings], Coroutine[Any, Any, int]]], None]


def trainings_app(run: Run) -> typer.Typer:
    """The commands. run: does the work with the settings, and ends the process with its status."""
    app = typer.Typer(help="Models of guests themselves: what a training costs.", no_args_is_help=True)

    @app.command("list")
    def trainings_list() -> None:
        """Show what is sold, and at what price."""
        from starbooth.cli.trainings import print_trainings

        run(print_trainings)

    @app.command("set", context_settings={"ignore_unknown_options": True})
    def trainings_set(
        kind: Annotated[str, typer.Argument(help="STYLE or PORTRAIT.")],
        stars: Annotated[int | None, typer.Option(parser=parse_amount, help="Stars per 100 steps.")] = None,
        least: Annotated[int | None, typer.Option(parser=parse_amount, help="Stars at least.")] = None,
        steps: Annotated[int | None, typer.Option(help="Steps where a guest chose none.")] = None,
        least_steps: Annotated[int | None, typer.Option(help="Steps at least.")] = None,
        most_steps: Annotated[int | None, typer.Option(help="Steps at most, up to 10000.")] = None,
        learning_rate: Annotated[float | None, typer.Option(help="Where a guest chose none.")] = None,
        engines: Annotated[
            str | None, typer.Option(help="Engines in order of preference, with commas; `all` for all.")
        ] = None,
        on: Annotated[bool | None, typer.Option("--on/--off", help="Whether it is sold.")] = None,
    ) -> None:
        """Change an offer, from the next order on. What was ordered keeps what it was ordered with."""
        from starbooth.cli.trainings import set_training

        wanted = {
            "stars_per_100_steps": stars,
            "least_stars": least,
            "steps": steps,
            "least_steps": least_steps,
            "most_steps": most_steps,
            "learning_rate": learning_rate,
            "engines": None if engines is None else _names(engines),
            "is_on": on,
        }
        changes = {name: value for name, value in wanted.items() if value is not None}

        async def change(settings: Settings) -> int:
            return await set_training(settings, kind=kind, changes=changes)

        run(change)

    return app


def _names(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    return [] if names == ["all"] else names
