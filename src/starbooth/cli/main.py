"""The command `starbooth`. Each command loads what it needs when it runs, so a web process never loads a bot.

Exit status: 0 done, 1 it did not work (the text says what to do), 2 a setting or argument is wrong.
"""

import asyncio
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Annotated, Any

import typer

from starbooth.base.amounts import parse_amount
from starbooth.base.errors import Refusal, SettingError, Unavailable
from starbooth.base.log import configure_log
from starbooth.base.settings import Settings, read_settings
from starbooth.cli.model_commands import models_app
from starbooth.cli.training_commands import trainings_app
from starbooth.cli.word_commands import words_app

app = typer.Typer(
    help="The AI photo booth that anyone can run inside Telegram.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def run() -> None:
    """Run the command line. What a person can mend is told in a sentence; a bug keeps its traceback."""
    try:
        app()
    except SettingError as error:
        _say_no(f"{error.setting}: {error.advice}", status=2)
    except Unavailable as error:
        _say_no(f"{error.reason}. Run `starbooth doctor` to see what is wrong.", status=1)


def _say_no(sentence: str, *, status: int) -> None:
    print(sentence, file=sys.stderr)
    sys.exit(status)


def _settings(**arguments: object) -> Settings:
    settings = read_settings(**arguments)
    configure_log(level=settings.log_level)
    return settings


def _await(work: Coroutine[Any, Any, Any]) -> Any:
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work)


@app.command()
def demo(
    once: Annotated[bool, typer.Option("--once", help="End after the first picture.")] = False,
    prompt: Annotated[
        str, typer.Option(help="What the first guest asks for.")
    ] = "a red balloon over the sea at sunset, storybook",
    port: Annotated[int, typer.Option(help="Port of the chat page; the next free one if taken.")] = 8600,
) -> None:
    """Try everything with play money: a chat page in the browser, a tiny image model, no account."""
    from starbooth.cli.demo import run_demo

    configure_log(level="WARNING")
    sys.exit(_await(run_demo(prompt=prompt, is_once=once, page_port=port)))


@app.command()
def up() -> None:
    """Run the whole booth on this machine: web, bot and worker, and an engine unless one is set."""
    from starbooth.cli.up import run_up

    _await(run_up(_settings()))


@app.command()
def web() -> None:
    """Run the web process: webhooks and signed links."""
    from starbooth.cli.web import run_web

    _await(run_web(_settings()))


@app.command()
def bot() -> None:
    """Run the bot process: receive updates and answer guests."""
    from starbooth.cli.bot import run_bot_process

    _await(run_bot_process(_settings()))


@app.command()
def worker() -> None:
    """Run a worker: orders and deliveries. Start as many as wanted."""
    from starbooth.cli.worker import run_worker_process

    _await(run_worker_process(_settings()))


@app.command()
def engine(
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 8700,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    weights: Annotated[
        Path | None, typer.Option(help="A FLUX folder in diffusers layout; ours if not given.")
    ] = None,
) -> None:
    """Run the darkroom, an image engine of your own. Key: STARBOOTH_ENGINE_KEY, or made from the secret."""
    from starbooth.cli.engine import exec_darkroom

    exec_darkroom(_settings(), host=host, port=port, weights=weights)


@app.command()
def playground(
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 8600,
    token: Annotated[str, typer.Option(help="The play bot's token.")] = "42:PLAY",  # noqa: S107 - worth nothing
) -> None:
    """Run the playground, a Telegram in the browser, for a bot with STARBOOTH_TELEGRAM_API set to it."""
    from starbooth.cli.engine import exec_playground

    exec_playground(_settings(), port=port, token=token)


@app.command()
def migrate() -> None:
    """Bring the database to this release. Safe to repeat."""
    from starbooth.cli.prepare import prepare_database

    print(f"The database is at revision {_await(prepare_database(_settings()))}.")


@app.command()
def doctor() -> None:
    """Check settings, database, engine, storage and Telegram, and say how to mend what is wrong."""
    from starbooth.cli.doctor import examine

    sys.exit(_await(examine(_settings())))


@app.command()
def generate(
    prompt: Annotated[str, typer.Argument(help="What to paint.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Where to write the picture.")],
    seed: Annotated[
        int | None, typer.Option(min=0, max=2**63 - 1, help="The same seed paints the same.")
    ] = None,
    as_user: Annotated[
        str | None,
        typer.Option("--as", help="Whose stars pay: an id, Telegram id or @name. Yours if not given."),
    ] = None,
) -> None:
    """Paint one picture, as an order like any other. Needs a worker and an engine, as `starbooth up` runs."""
    from starbooth.cli.generate import generate_picture

    sys.exit(_await(generate_picture(_settings(), prompt=prompt, output=output, seed=seed, as_user=as_user)))


@app.command(context_settings={"ignore_unknown_options": True})
def grant(
    user: Annotated[str, typer.Argument(help="An id, a Telegram id, or a @name.")],
    amount: Annotated[int, typer.Argument(parser=parse_amount, help="Stars to give; negative takes.")],
    reason: Annotated[str, typer.Option("--reason", help="Why, for whoever reads the ledger later.")],
    key: Annotated[
        str | None, typer.Option(help="The same key grants once, however often it is run.")
    ] = None,
) -> None:
    """Give stars to a guest, or take them, with a reason that stays in the ledger."""
    from starbooth.cli.money import grant_stars

    sys.exit(_await(_or_refusal(grant_stars(_settings(), who=user, amount=amount, reason=reason, key=key))))


@app.command()
def audit() -> None:
    """Recompute every balance and total from the ledger and name each difference."""
    from starbooth.cli.money import audit_ledger

    sys.exit(_await(audit_ledger(_settings())))


@app.command()
def refund(
    charge: Annotated[str, typer.Argument(help="The charge id of the payment, as `payments` shows it.")],
    reason: Annotated[str, typer.Option("--reason", help="Why; the guest reads it.")] = "",
    force: Annotated[
        bool, typer.Option("--force", help="Also where not all of its stars are there any more.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Give a payment back through Telegram, after showing what was done with its stars."""
    from starbooth.cli.treasury import refund_charge

    work = refund_charge(_settings(), charge_id=charge, reason=reason, is_forced=force, is_sure=yes)
    sys.exit(_await(_or_refusal(work)))


@app.command()
def payments(
    user: Annotated[str | None, typer.Option("--user", help="Of one guest: id, Telegram id, @name.")] = None,
    flagged: Annotated[
        bool, typer.Option("--flagged", help="Only those that somebody should look at.")
    ] = False,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many at most.")] = 20,
) -> None:
    """Show the newest payments, with their charge ids."""
    from starbooth.cli.treasury import print_payments

    work = print_payments(_settings(), who=user, is_flagged=flagged, limit=limit)
    sys.exit(_await(_or_refusal(work)))


@app.command()
def reconcile(
    fresh: Annotated[
        bool,
        typer.Option("--fresh", help="Also credit payments of the last half minute, whose update may come."),
    ] = False,
) -> None:
    """Compare Telegram's list of Stars with the ledger, put right what can be, and name the rest."""
    from starbooth.cli.treasury import reconcile_now

    sys.exit(_await(reconcile_now(_settings(), is_fresh_too=fresh)))


@app.command()
def storage(
    delete: Annotated[
        bool, typer.Option("--delete", help="Delete files that nobody names and that are older than a day.")
    ] = False,
) -> None:
    """Compare the files in storage with those that the database names."""
    from starbooth.cli.storage import compare_storage

    sys.exit(_await(compare_storage(_settings(), deletes=delete)))


@app.command()
def costs(
    days: Annotated[int, typer.Option(min=1, max=3650, help="Of how many last days.")] = 30,
) -> None:
    """Add up what pictures and trainings cost and what guests paid for them, by model and engine."""
    from starbooth.cli.costs import print_costs

    sys.exit(_await(print_costs(_settings(), days=days)))


promo = typer.Typer(help="Promo codes: words that guests turn into stars.", no_args_is_help=True)
app.add_typer(promo, name="promo")


@promo.command("add", context_settings={"ignore_unknown_options": True})
def promo_add(
    code: Annotated[str, typer.Argument(help="3 to 32 letters A-Z and digits; capitals do not matter.")],
    stars: Annotated[int, typer.Argument(parser=parse_amount, help="What each guest gets.")],
    uses: Annotated[int, typer.Option(parser=parse_amount, help="How many guests may use it.")],
    days: Annotated[
        int | None, typer.Option(parser=parse_amount, help="How long it works; for good if not given.")
    ] = None,
) -> None:
    """Make a promo code."""
    from starbooth.cli.promo import add_promo_code

    sys.exit(_await(add_promo_code(_settings(), code=code, amount_stars=stars, uses=uses, days=days)))


@promo.command("list")
def promo_list() -> None:
    """Show every promo code and how often it was used."""
    from starbooth.cli.promo import list_promo_codes

    sys.exit(_await(list_promo_codes(_settings())))


async def _or_refusal(work: Coroutine[Any, Any, int]) -> int:
    from starbooth.cli.money import refusal_text

    try:
        return await work
    except Refusal as refusal:
        print(refusal_text(refusal), file=sys.stderr)
        return 1


offers = typer.Typer(help="What is sold: base models, their prices and ranges.", no_args_is_help=True)
app.add_typer(offers, name="offers")


@offers.command("list")
def offers_list() -> None:
    """Show every offer."""
    from starbooth.cli.offers import print_offers

    sys.exit(_await(print_offers(_settings())))


@offers.command("set", context_settings={"ignore_unknown_options": True})
def offers_set(
    model: Annotated[str, typer.Argument(help="FLUX, FLUX_FAST or FLUX_PORTRAIT.")],
    price: Annotated[int | None, typer.Option(parser=parse_amount, help="Stars per picture.")] = None,
    steps: Annotated[int | None, typer.Option(help="Steps where a guest chose none.")] = None,
    guidance: Annotated[float | None, typer.Option(help="Guidance where a guest chose none.")] = None,
    strength: Annotated[float | None, typer.Option(help="How far a picture leaves its photo.")] = None,
    engines: Annotated[
        str | None, typer.Option(help="Engines in order of preference, with commas; `all` for all.")
    ] = None,
    on: Annotated[bool | None, typer.Option("--on/--off", help="Whether it is sold.")] = None,
) -> None:
    """Change an offer, from the next order on. Orders that were placed keep what they were placed with."""
    from starbooth.cli.offers import set_offer

    wanted = {
        "price_stars": price,
        "steps": steps,
        "guidance": guidance,
        "strength": strength,
        "engines": None if engines is None else _names(engines),
        "is_on": on,
    }
    changes = {name: value for name, value in wanted.items() if value is not None}
    sys.exit(_await(set_offer(_settings(), kind=model, changes=changes)))


def _names(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    return [] if names == ["all"] else names


@offers.command("history")
def offers_history(
    model: Annotated[str, typer.Argument(help="FLUX, FLUX_FAST or FLUX_PORTRAIT.")],
) -> None:
    """Tell every state that an offer was in, and since when, so that an old charge can be explained."""
    from starbooth.cli.offers import print_history

    sys.exit(_await(print_history(_settings(), kind=model)))


engines = typer.Typer(
    help="The engines: switch, order and limits, while the booth runs.", no_args_is_help=True
)
app.add_typer(engines, name="engines")


@engines.command("list")
def engines_list() -> None:
    """Show the engines in order of preference, and what is wrong with any."""
    from starbooth.cli.engines import print_engines

    sys.exit(_await(print_engines(_settings())))


@engines.command("set")
def engines_set(
    name: Annotated[str, typer.Argument(help="As `starbooth engines list` shows it.")],
    on: Annotated[bool | None, typer.Option("--on/--off", help="Whether it gets orders.")] = None,
    slots: Annotated[int | None, typer.Option(min=1, max=1000, help="Tickets at one time.")] = None,
    place: Annotated[int | None, typer.Option(min=0, max=1000, help="Lower goes first.")] = None,
    training_slots: Annotated[
        int | None,
        typer.Option(min=0, max=1000, help="Trainings at one time; 0 where none are trained."),
    ] = None,
) -> None:
    """Switch an engine on or off, or change its limit or its place. What it works on is still collected."""
    from starbooth.cli.engines import set_engine

    work = set_engine(
        _settings(), name=name, is_on=on, slots=slots, place=place, training_slots=training_slots
    )
    sys.exit(_await(work))


def _run(work: Callable[[Settings], Coroutine[Any, Any, int]]) -> None:
    sys.exit(_await(work(_settings())))


app.add_typer(words_app(_run), name="words")
app.add_typer(trainings_app(_run), name="trainings")
app.add_typer(models_app(_run), name="models")
