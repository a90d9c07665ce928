"""How a picture was made, in words that travel inside of it: an XMP packet, and back out of it."""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any
from xml.sax.saxutils import escape, unescape

TOOL = "Starbooth"
# The name by which the whole world asks whether a picture was made by a model.
SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
_NAMESPACE = "urn:starbooth:recipe:1#"
_LONGEST_PACKET = 65_000  # what one segment of a JPEG holds, less its head
_RECIPE = re.compile(rb"<starbooth:recipe>(.*?)</starbooth:recipe>", re.DOTALL)
# What XML cannot hold, even escaped.
_UNWRITABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What a picture was painted from. loras: (name, weight). strength: of a photo, None without one.

    Tells nothing of the guest: whoever has the picture can read it.
    """

    prompt: str
    model: str
    seed: int
    negative: str = ""
    steps: int | None = None
    guidance: float | None = None
    strength: float | None = None
    loras: tuple[tuple[str, float], ...] = ()


def write_packet(recipe: Recipe) -> bytes:
    """The recipe as an XMP packet of at most 65000 bytes; what would not fit is left out, never the mark."""
    shorter = replace(recipe, negative="", loras=(), prompt=recipe.prompt[:4000])
    packets = (_packet(each, recipe) for each in (recipe, shorter, None))
    return next(packet for packet in packets if len(packet) <= _LONGEST_PACKET)


def read_packet(packet: bytes) -> Recipe | None:
    """The recipe of a packet that `write_packet` wrote; None of any other, or where it was changed."""
    found = _RECIPE.search(packet)
    if found is None:
        return None
    try:
        facts: Mapping[str, Any] = json.loads(unescape(found[1].decode()))
        loras = tuple((str(name), float(weight)) for name, weight in facts.get("loras", ()))
        return Recipe(**{**facts, "seed": int(facts["seed"]), "loras": loras})
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


def _packet(recipe: Recipe | None, origin: Recipe) -> bytes:
    told = "" if recipe is None else _told(recipe)
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\n'
        '<x:xmpmeta xmlns:x="adobe:ns:meta/">'
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        '<rdf:Description rdf:about=""'
        ' xmlns:dc="http://purl.org/dc/elements/1.1/"'
        ' xmlns:xmp="http://ns.adobe.com/xap/1.0/"'
        ' xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"'
        f' xmlns:starbooth="{_NAMESPACE}">\n'
        f"<Iptc4xmpExt:DigitalSourceType>{SOURCE_TYPE}</Iptc4xmpExt:DigitalSourceType>\n"
        f"<xmp:CreatorTool>{TOOL}</xmp:CreatorTool>\n"
        f"<Iptc4xmpExt:AISystemUsed>{_text(origin.model[:200])}</Iptc4xmpExt:AISystemUsed>\n"
        f"{told}"
        "</rdf:Description></rdf:RDF></x:xmpmeta>\n"
        '<?xpacket end="w"?>'
    ).encode()


def _told(recipe: Recipe) -> str:
    prompt = _text(recipe.prompt)
    return (
        f'<dc:description><rdf:Alt><rdf:li xml:lang="x-default">{prompt}</rdf:li></rdf:Alt>'
        "</dc:description>\n"
        f"<Iptc4xmpExt:AIPromptInformation>{prompt}</Iptc4xmpExt:AIPromptInformation>\n"
        f"<starbooth:recipe>{_json(recipe)}</starbooth:recipe>\n"
    )


def _json(recipe: Recipe) -> str:
    """The recipe as JSON within XML: exact whatever the prompt. The seed is text: others read floats."""
    plain = {name: value for name, value in asdict(recipe).items() if value not in (None, "", ())}
    facts = {**plain, "prompt": recipe.prompt, "model": recipe.model, "seed": str(recipe.seed)}
    written = json.dumps(facts, ensure_ascii=False)
    return escape(_UNWRITABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", written))


def _text(words: str) -> str:
    return escape(_UNWRITABLE.sub("", words))
