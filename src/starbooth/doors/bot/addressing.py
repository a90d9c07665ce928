"""Whether something said in a group is meant for us, and what it then asks. Pure."""

import re
from dataclasses import dataclass

COMMAND = re.compile(r"/([A-Za-z0-9_]{1,32})(?:@([A-Za-z0-9_]{1,32}))?(?:\s|$)")


@dataclass(frozen=True, kw_only=True)
class Addressed:
    """What is meant for us. `command` in lower case, None for mere words; `words`: all but how we are called.

    is_named: it says our name, so that nobody else can be meant.
    """

    command: str | None
    words: str
    is_named: bool


def read_address(text: str, *, username: str) -> Addressed | None:
    """Read a text or caption; None where it is meant for others, or for nobody in particular.

    A command without a name is for every bot that knows it. A mere reply to us is not for us: a "nice!" under
    a picture must not order another one.
    """
    found = COMMAND.match(text)
    if found is not None:
        name, whose = found.groups()
        if whose is not None and whose.lower() != username.lower():
            return None
        return Addressed(command=name.lower(), words=text[found.end() :].strip(), is_named=whose is not None)
    mention = re.compile(rf"(?<![\w@])@{re.escape(username)}(?!\w)", re.IGNORECASE)
    if mention.search(text):
        return Addressed(command=None, words=" ".join(mention.sub(" ", text).split()), is_named=True)
    return None
