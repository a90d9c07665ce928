"""Finds the words of the small world in what a guest wrote, in English, Spanish or Russian.

Knows a table of word beginnings. Does not know grammar: words that are not in the table are passed over.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import TypeVar

from starbooth.darkroom.world.words import Colour, Place, Position, Style, Thing, Time, View

Word = Thing | Colour | Place | Time | Style | Position
W = TypeVar("W", Thing, Colour, Place, Time, Style, Position)

# A trailing dash marks a beginning that up to four more letters may follow, for endings of Spanish and
# Russian.
TABLE: dict[Word, str] = {
    Thing.CAT: (
        "cat cats kitten kittens kitty gato- gata- gatit- кот кота коты котик- котен- котён- кошк- кошеч-"
    ),
    Thing.FOX: (
        "fox foxes vixen zorro zorros zorra zorras zorrito- лис лиса лису лисы лисе лисой лисиц- лисич- "
        "лисен-"
    ),
    Thing.DUCK: (
        "duck ducks duckling ducklings bird birds pato patos pata patito- утк- утен- утён- уточк- птиц- "
        "птичк-"
    ),
    Thing.ROBOT: "robot robots android androids робот-",
    Thing.HOUSE: (
        "house houses home cottage cabin hut castle casa casas casit- cabañ- castillo- дом дома домик- "
        "домой избушк- замок замк-"
    ),
    Thing.CAR: (
        "car cars automobile taxi truck coche- carro- auto autos camion- машин- автомоб- такси грузовик-"
    ),
    Thing.BOAT: (
        "boat boats ship ships sailboat sailboats yacht barco- velero- yate- лодк- лодоч- корабл- яхт- "
        "парусник-"
    ),
    Thing.ROCKET: (
        "rocket rockets spaceship spaceships spacecraft shuttle cohete- nave naves ракет- звездолет- "
        "звездолёт-"
    ),
    Thing.BALLOON: "balloon balloons globo- шар шары шара шарик- аэростат-",
    Thing.MUSHROOM: "mushroom mushrooms toadstool toadstools seta setas hongo- champiñon- гриб- мухомор-",
    Thing.STAR: "star stars estrella- estrellita- звезда звезды звезду звездой звёзд- звездочк- звёздочк-",
    Thing.FLOWER: (
        "flower flowers daisy tulip sunflower flor flores florecita- girasol- цветок цветк- цветочек "
        "цветочк- ромашк- тюльпан-"
    ),
    Colour.RED: "red crimson scarlet rojo roja rojos rojas красн- алый алая алую алое",
    Colour.ORANGE: "orange naranja- anaranjad- оранжев- рыж-",
    Colour.YELLOW: "yellow golden gold amarill- dorad- желт- жёлт- золот-",
    Colour.GREEN: "green emerald verde- зелен- зелён-",
    Colour.BLUE: "blue azure navy azul azules celeste- син- голуб-",
    Colour.PURPLE: (
        "purple violet lilac morado- morada- violeta- purpura- púrpura- фиолет- лилов- пурпур- сиренев-"
    ),
    Colour.PINK: "pink rosa rosas rosado- rosada- розов-",
    Colour.WHITE: "white silver blanco- blanca- бел-",
    Place.FOREST: (
        "forest forests wood woods woodland jungle bosque- selva- лес леса лесу лесом лесн- джунгл-"
    ),
    Place.BEACH: (
        "beach beaches sea seaside ocean coast shore island playa- mar océano- oceano- costa costas isla- "
        "пляж- море моря морю морем морск- океан- берег- остров-"
    ),
    Place.SNOW: (
        "snow snowy winter mountain mountains alps ice arctic nieve nevad- invierno- montaña- montana- "
        "hielo снег- снеж- зим- гора горы горе горах горами лед льду льды"
    ),
    Place.CITY: "city cities town street streets urban downtown ciudad- calle- pueblo- город- улиц-",
    Place.DESERT: (
        "desert deserts dune dunes sahara pyramid pyramids egypt desierto- duna- sáhara pirámide- egipto "
        "пустын- дюн- пирамид- египет египт- сахар-"
    ),
    Time.DAY: (
        "day daytime morning noon midday sunny daylight dia día días mañana mediodía soleado- soleada- "
        "день днем днём дня утр- полдень солнечн-"
    ),
    Time.SUNSET: (
        "sunset dusk evening sunrise dawn twilight atardecer- ocaso- anochecer- amanecer- tarde "
        "crepúsculo- закат- вечер- рассвет- сумерк-"
    ),
    Time.NIGHT: (
        "night nights nighttime midnight moon moonlight moonlit starry noche- medianoche luna nocturn- "
        "ночь ночи ночью ночн- полночь луна луны луной лунн- звездн- звёздн-"
    ),
    Style.STORYBOOK: (
        "storybook cartoon illustration comic cuento caricatura- ilustración ilustracion мульт- "
        "иллюстрац- сказк- сказочн-"
    ),
    Style.WATERCOLOR: (
        "watercolor watercolour watercolors watercolours aquarelle painting acuarela- акварел-"
    ),
    Style.PENCIL: (
        "pencil pencils sketch drawing drawn lápiz lapiz lápices boceto- dibujo- карандаш- набросок "
        "наброск- рисунок рисунк- эскиз-"
    ),
    Position.LEFT: "left izquierda izquierdo слева левый левая левой левом налево",
    Position.MIDDLE: "middle center centre central centro medio середин- центр- посередине посреди",
    Position.RIGHT: "right derecha derecho справа правый правая правой правом направо",
}
MOST_WORDS = 400
MOST_ENDING = 4


def _read_table() -> tuple[dict[str, Word], dict[str, Word]]:
    whole: dict[str, Word] = {}
    beginnings: dict[str, Word] = {}
    for word, spellings in TABLE.items():
        for spelling in unicodedata.normalize("NFC", spellings).split():
            if spelling.endswith("-"):
                beginnings[spelling[:-1]] = word
            else:
                whole[spelling] = word
    return whole, beginnings


_WHOLE, _BEGINNINGS = _read_table()


def word_for(written: str) -> Word | None:
    """The word of the world that one lower-case written word means, or None."""
    if written in _WHOLE:
        return _WHOLE[written]
    for length in range(len(written), max(2, len(written) - MOST_ENDING) - 1, -1):
        if written[:length] in _BEGINNINGS:
            return _BEGINNINGS[written[:length]]
    return None


def understood(prompt: str) -> View:
    """What the prompt asks for, as far as the world has words for it; any text is fine, also an empty one.

    The first word of each kind counts. A colour beside a place ("green forest") does not count, unless it
    stands beside the thing too.
    """
    text = unicodedata.normalize("NFKC", prompt).lower()
    found = [word_for(written) for written in re.findall(r"[^\W\d_]+", text)[:MOST_WORDS]]
    return View(
        thing=_first(found, Thing),
        colour=_first(_without_scenery(found), Colour),
        place=_first(found, Place),
        time=_first(found, Time),
        style=_first(found, Style),
        position=_first(found, Position),
    )


def _first(found: Iterable[Word | None], kind: type[W]) -> W | None:
    return next((word for word in found if isinstance(word, kind)), None)


def _without_scenery(found: list[Word | None]) -> list[Word | None]:
    kept: list[Word | None] = []
    for number, word in enumerate(found):
        beside = [*found[max(0, number - 1) : number], *found[number + 1 : number + 2]]
        is_of_place = any(isinstance(other, Place) for other in beside)
        is_of_thing = any(isinstance(other, Thing) for other in beside)
        kept.append(None if isinstance(word, Colour) and is_of_place and not is_of_thing else word)
    return kept
