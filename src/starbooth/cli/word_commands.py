"""`starbooth words`. Loads what a command needs when it runs."""

from collections.abc import Callable, Coroutine
from typing import Annotated, Any

import typer

from starbooth.base.settings import Settings

Run = Callable[[Callable[[Settings], Coroutine[Any, Any, int]]], None]

_ENTRY = (
    "A word, words in a row, or a beginning with * behind it; | between words of which any will do, + between"
    " groups that must all be there."
)


def words_app(run: Run) -> typer.Typer:
    """The commands. run: calls the work with the settings, and ends with the status that it returns."""
    words = typer.Typer(help="What prompts must not hold, and who was refused.", no_args_is_help=True)

    @words.command("list")
    def words_list() -> None:
        """Show the word list, and how many prompts each entry refused."""
        from starbooth.cli.words import print_words

        run(print_words)

    @words.command("add")
    def words_add(
        entry: Annotated[str, typer.Argument(help=_ENTRY)],
        note: Annotated[str, typer.Option(help="Why, for whoever reads the list later.")] = "",
    ) -> None:
        """Refuse prompts with this, from the next one on."""
        from starbooth.cli.words import add_words

        run(lambda settings: add_words(settings, entry=entry, note=note))

    @words.command("remove")
    def words_remove(
        entry: Annotated[str, typer.Argument(help="As `starbooth words list` shows it.")],
    ) -> None:
        """Take an entry off the list."""
        from starbooth.cli.words import remove_words

        run(lambda settings: remove_words(settings, entry=entry))

    @words.command("test")
    def words_test(prompt: Annotated[str, typer.Argument(help="A prompt.")]) -> None:
        """Say what the list makes of a prompt."""
        from starbooth.cli.words import try_words

        run(lambda settings: try_words(settings, prompt=prompt))

    @words.command("refusals")
    def words_refusals() -> None:
        """Show the guests whose prompts were refused last, without their words."""
        from starbooth.cli.words import print_refused

        run(print_refused)

    return words
