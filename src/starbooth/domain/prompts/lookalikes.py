"""Letters that look like others, as far as anybody writes words with them. Facts alone."""

# Cyrillic, Greek and a few more as the Latin letter that they look like. Capitals have shapes of their own: a
# capital Н looks like H, a small н like nothing. Unicode's own tables know the styled and full-width ones.
_SMALL = {
    "a": "аαɑᴀ",
    "b": "ʙЬьᏏ",
    "c": "сϲᴄ",
    "d": "ԁɗđᴅ",
    "e": "еєεɛᴇ",
    "f": "ƒꜰ",
    "g": "ɡɢ",
    "h": "һհʜ",
    "i": "іιıɪ",
    "j": "јϳᴊ",
    "k": "кκᴋ",
    "l": "ӏłʟ",
    "m": "мᴍ",
    "n": "ηոɴп",
    "o": "оοσօøᴏ",
    "p": "рρᴘ",
    "q": "ԛգ",
    "r": "гʀ",
    "s": "ѕꜱ",
    "t": "тτᴛ",
    "u": "υսᴜ",
    "v": "νѵᴠ",
    "w": "ԝωᴡ",
    "x": "хχ",
    "y": "уγʏ",
    "z": "ʐᴢ",
}
_CAPITAL = {
    "a": "АΑᎪ",
    "b": "ВΒᏴ",
    "c": "СϹᏟ",
    "d": "ᎠĐ",
    "e": "ЕΕᎬ",
    "g": "Ԍ",
    "h": "НΗᎻ",
    "i": "ІΙӀ",
    "j": "ЈᎫ",
    "k": "КΚᏦ",
    "l": "ᏞŁ",
    "m": "МΜᎷ",
    "n": "ΝՈ",
    "o": "ОΟՕØ",
    "p": "РΡᏢ",
    "s": "ЅՏᏚ",
    "t": "ТΤᎢ",
    "u": "Ս",
    "v": "Ѵ",
    "w": "ԜᎳ",
    "x": "ХΧ",
    "y": "УΥҮ",
    "z": "ΖᏃ",
}
_BOXED = {chr(start + place): chr(97 + place) for start in (0x1F150, 0x1F170) for place in range(26)}

TO_LATIN: dict[str, str] = {
    **{other: latin for table in (_SMALL, _CAPITAL) for latin, others in table.items() for other in others},
    **_BOXED,
}
# The other way round, for a Russian word with Latin letters in it.
TO_CYRILLIC: dict[str, str] = {
    **dict(zip("aceopxykmt", "асеорхукмт", strict=True)),
    **dict(zip("ABCEHKMOPTXY", "авсенкмортху", strict=True)),
}
# Digits and signs inside of a word. 1 stands for two letters.
LEET_LATIN: dict[str, tuple[str, ...]] = {
    **dict(zip("034578@$!€", [(letter,) for letter in "oeastbasie"], strict=True)),
    "1": ("i", "l"),
}
LEET_CYRILLIC: dict[str, tuple[str, ...]] = {"0": ("о",), "3": ("з",), "4": ("ч",), "6": ("б",), "@": ("а",)}
