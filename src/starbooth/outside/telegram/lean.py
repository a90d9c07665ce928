"""Imports aiogram without building its 600 models: they are built one by one, when first used.

aiogram declares its models as deferred but rebuilds all of them at the end of its import, which costs 100 MiB
and a second and a half in every process. While aiogram is imported for the first time, that rebuilding is
noted in place of done; afterwards aiogram's two base classes hand the noted names to pydantic, which asks for
them when a model is first used. Import this module before anything imports aiogram; later it changes nothing.

Knows `pydantic.BaseModel.model_rebuild` and its underscored arguments. `tests/outside/telegram/test_lean.py`
builds every type and method of aiogram this way, so an upgrade that breaks it is found there.
"""

import sys
from typing import Any

from pydantic import BaseModel

_rebuild = BaseModel.__dict__["model_rebuild"]
_names: dict[str, Any] = {}


def _note(_cls: Any, /, *, _types_namespace: dict[str, Any] | None = None, **_: Any) -> None:
    _names.update(_types_namespace or {})


def _build(cls: Any, /, *, force: bool = False, raise_errors: bool = True, **_: Any) -> Any:
    return _rebuild.__func__(cls, force=force, raise_errors=raise_errors, _types_namespace=_names)


def _import_aiogram() -> None:
    setattr(BaseModel, "model_rebuild", classmethod(_note))  # noqa: B010  # no type fits a replaced method
    try:
        from aiogram.client.context_controller import BotContextController
        from aiogram.methods import Response
    finally:
        setattr(BaseModel, "model_rebuild", _rebuild)  # noqa: B010
    for base in (BotContextController, Response):
        setattr(base, "model_rebuild", classmethod(_build))  # noqa: B010


if "aiogram" not in sys.modules:
    _import_aiogram()
