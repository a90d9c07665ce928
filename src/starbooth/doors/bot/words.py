"""Words: every text in every language we ship, from the gettext catalogues in `starbooth/locales`.

The English text is the message id. Knows no screen and no fact; facts are put in by name and escaped here, so
a screen cannot forget to.
"""

import io
from functools import cache
from gettext import GNUTranslations, NullTranslations
from pathlib import Path

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from markupsafe import Markup

from starbooth.domain.users.guests import Language

LOCALES = Path(__file__).parent.parent.parent / "locales"

Fact = str | int | Markup


class Words:
    """The texts of one language.

    `say` and `say_n` give Telegram's HTML: the text's own marks stay, facts are escaped unless they are HTML
    themselves. `plain` and `plain_n` give bare text, for buttons and short answers. Those with `_n` have
    plural forms: the first text is for one, the second for many, and `n` is put in as `{n}`.
    """

    def __init__(self, language: Language) -> None:
        self.language = language
        self._catalogue = _read_catalogue(language)

    def say(self, message: str, **facts: Fact) -> Markup:
        return Markup(self._catalogue.gettext(message)).format(**facts)  # noqa: S704 - our own text

    def say_n(self, one: str, many: str, n: int, **facts: Fact) -> Markup:
        message = Markup(self._catalogue.ngettext(one, many, n))  # noqa: S704 - our own text
        return message.format(n=n, **facts)

    def plain(self, message: str, **facts: str | int) -> str:
        return self._catalogue.gettext(message).format(**facts)

    def plain_n(self, one: str, many: str, n: int, **facts: str | int) -> str:
        return self._catalogue.ngettext(one, many, n).format(n=n, **facts)


@cache
def words_for(language: Language) -> Words:
    """The texts in this language. Reads the catalogue's file the first time."""
    return Words(language)


def catalogue_path(language: Language) -> Path:
    """Where the texts of a language lie."""
    return LOCALES / f"{language.value}.po"


def _read_catalogue(language: Language) -> NullTranslations:
    with catalogue_path(language).open("rb") as source:
        catalogue = read_po(source, locale=language.value)
    compiled = io.BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    return GNUTranslations(compiled)
