"""`starbooth models`. Loads what a command needs when it runs."""

from collections.abc import Callable, Coroutine
from typing import Annotated, Any

import typer

from starbooth.base.settings import Settings

Run = Callable[[Callable[[Settings], Coroutine[Any, Any, int]]], None]
_Model = Annotated[str, typer.Argument(help="The model's id, as `starbooth models reports` shows it.")]


def models_app(run: Run) -> typer.Typer:
    """The commands. run: calls the work with the settings, and ends with the status that it returns."""
    models = typer.Typer(help="Public models: reports, and what their makers earn.", no_args_is_help=True)

    @models.command("reports")
    def models_reports() -> None:
        """Show the models whose reports nobody has looked at."""
        from starbooth.cli.models import print_reports

        run(print_reports)

    @models.command("keep")
    def models_keep(model: _Model) -> None:
        """Settle a model's reports: there is nothing wrong with it."""
        from starbooth.cli.models import keep

        run(lambda settings: keep(settings, lora_id=model))

    @models.command("hide")
    def models_hide(
        model: _Model, reason: Annotated[str, typer.Argument(help="Why; the maker reads it.")]
    ) -> None:
        """Take a model out of the catalogue. Its maker can go on using it."""
        from starbooth.cli.models import hide

        run(lambda settings: hide(settings, lora_id=model, reason=reason))

    @models.command("lift")
    def models_lift(model: _Model) -> None:
        """Let a hidden model be public again, if its maker likes."""
        from starbooth.cli.models import lift

        run(lambda settings: lift(settings, lora_id=model))

    @models.command("makers")
    def models_makers() -> None:
        """Show who earned most, what they were paid, and what is gathered for them."""
        from starbooth.cli.models import print_makers

        run(print_makers)

    @models.command("give-back")
    def models_give_back(
        order: Annotated[str, typer.Argument(help="The order's id.")],
        reason: Annotated[str, typer.Argument(help="Why; the guest reads it.")],
    ) -> None:
        """Give an ended order's stars back to its guest, and take back what makers earned by it."""
        from starbooth.cli.models import give_back

        run(lambda settings: give_back(settings, order_id=order, reason=reason))

    return models
