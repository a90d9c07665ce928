"""Identifiers in cuid form: 25 characters, the first a `c`, then lower-case letters and digits.

The form is what Prisma's `@default(cuid())` writes, so other programs see ids of the shape they expect:
`c`, eight characters of time, four of a counter, twelve of randomness (https://github.com/paralleldrive/cuid).
We draw the last sixteen from the system's random source instead of a counter and a host fingerprint: a
fingerprint tells strangers about the machine.
"""

import secrets
import time

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_LETTER_OF = bytes(_DIGITS[byte % 36].encode()[0] for byte in range(256))


def _base36(number: int, length: int) -> str:
    letters = []
    for _ in range(length):
        number, digit = divmod(number, 36)
        letters.append(_DIGITS[digit])
    return "".join(reversed(letters))


def new_id() -> str:
    """A fresh id. Ids made later sort later, to the millisecond. 82 random bits make a repeat unthinkable."""
    drawn = secrets.token_bytes(16).translate(_LETTER_OF).decode()
    return "c" + _base36(time.time_ns() // 1_000_000, 8) + drawn
