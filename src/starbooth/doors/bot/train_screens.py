"""How a set of photos looks while it is gathered: counted, looked through, cut, said something of. Pure.

Each screen is a caption below the contact sheet, so it keeps within Telegram's 1024 characters.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from starbooth.domain.catalog.tables import LoraType
from starbooth.domain.delivery.screen import Button, Screen
from starbooth.domain.trainings.assistant import Review, cut_of
from starbooth.domain.trainings.consent import Consent
from starbooth.domain.trainings.offers import TrainingOffer
from starbooth.domain.trainings.photo_sets import PhotoSet, SetPhoto
from starbooth.doors.bot.pieces import BIN, length_utf16, shorten
from starbooth.doors.bot.train_flaws import word_advice, word_notes, word_refused
from starbooth.doors.bot.train_moves import Move, Page, Verb
from starbooth.doors.bot.words import Words

Row = tuple[Button, ...]
_IN_A_ROW = 6
_LONGEST_CAPTION = 70
_MOST_CAPTIONS = 8
_LONGEST_LABEL = 40
_LONGEST_TEXT = 960  # Telegram takes 1024; line ends are not counted here


@dataclass(frozen=True, kw_only=True)
class TrainPanel:
    """All that the screens are made of. offers: what is sold, by kind. review: by the kind that is chosen."""

    photo_set: PhotoSet
    photos: tuple[SetPhoto, ...]
    offers: tuple[TrainingOffer, ...]
    review: Review
    consent: Consent | None = None

    @property
    def offer(self) -> TrainingOffer | None:
        """The offer of the chosen kind; None before there is one."""
        return next((each for each in self.offers if each.lora_type is self.photo_set.lora_type), None)

    @property
    def is_ready(self) -> bool:
        """Whether the photos will do and the kind is known."""
        return self.offer is not None and self.review.missing == 0

    @property
    def cuts(self) -> tuple[SetPhoto, ...]:
        """The photos that would be cut to the person."""
        return tuple(each for each in self.photos if cut_of(each, self.photo_set.lora_type) is not None)


def button(panel: TrainPanel, label: str, verb: Verb, value: str = "", *, is_chosen: bool = False) -> Button:
    """A button of this set; what is chosen now bears a mark."""
    text = shorten(label, limit=_LONGEST_LABEL)
    action = str(Move(set_id=panel.photo_set.set_id, verb=verb, value=value))
    return Button(label=f"✓ {text}" if is_chosen else text, action=action)


def view(panel: TrainPanel, label: str, page: Page) -> Button:
    """A button that shows another page."""
    return button(panel, label, Verb.VIEW, page.value)


def back(panel: TrainPanel, words: Words, page: Page) -> Row:
    """The last row of every page but the first."""
    return (view(panel, words.plain("‹ Back"), page),)


def page_of(paragraphs: Sequence[Markup], rows: Sequence[Row]) -> Screen:
    """A screen of these paragraphs; empty ones and empty rows are left out.

    What does not fit below a picture is cut off by paragraphs from the end, where the least needed stand.
    """
    kept = [each for each in paragraphs if each]
    while len(kept) > 1 and length_utf16(Markup("\n\n").join(kept).striptags()) > _LONGEST_TEXT:
        kept.pop()
    return Screen(html=str(Markup("\n\n").join(kept)), rows=tuple(row for row in rows if row))


def render_photos(words: Words, panel: TrainPanel, *, is_busy: bool = False) -> Screen:
    """The first page. is_busy: more is being taken in."""
    if not panel.photos:
        return _empty(words, panel)
    most = (
        panel.offer.most_photos
        if panel.offer is not None
        else max((each.most_photos for each in panel.offers), default=len(panel.photos))
    )
    count = words.say_n(
        "📸 <b>{n} photo</b> of {most}", "📸 <b>{n} photos</b> of {most}", len(panel.photos), most=most
    )
    if is_busy:
        count += Markup(" ") + words.say("… more on their way")
    return page_of(
        [
            count,
            word_notes(words, panel.review),
            word_refused(words, panel.photo_set.refused),
            _next_step(words, panel),
            word_advice(words, panel.review.advice),
        ],
        [
            _kind_row(words, panel),
            *_photo_rows(words, panel),
            _next_row(words, panel),
            _bin_row(words, panel),
        ],
    )


def _empty(words: Words, panel: TrainPanel) -> Screen:
    numbers = {each.lora_type: each for each in panel.offers}
    person, style = numbers.get(LoraType.PORTRAIT), numbers.get(LoraType.STYLE)
    lines = [
        words.say(
            "<b>A person</b>: {good} photos are good, {least} the least.",
            good=person.warn_photos,
            least=person.least_photos,
        )
        if person is not None
        else Markup(),
        words.say("<b>A style or a thing</b>: {least} pictures or more.", least=style.least_photos)
        if style is not None
        else Markup(),
    ]
    return page_of(
        [
            words.say("📸 <b>A model of your own</b>"),
            words.say(
                "Send me photos, one by one, as albums, as files (JPEG, PNG, WebP, HEIC) or in a zip. I look"
                " them through, and you see the price before anything is paid."
            ),
            Markup("\n").join(line for line in lines if line),
            word_refused(words, panel.photo_set.refused),
        ],
        [_kind_row(words, panel), _bin_row(words, panel)],
    )


def _next_step(words: Words, panel: TrainPanel) -> Markup:
    if panel.offer is None:
        return words.say("What shall I learn from them?")
    missing, wanted = panel.review.missing, panel.review.wanted
    if missing:
        return words.say_n("Send {n} more at least.", "Send {n} more at least.", missing)
    if wanted:
        return words.say_n(
            "That will do, but {n} more would make it better.",
            "That will do, but {n} more would make it better.",
            wanted,
        )
    return Markup() if panel.review.notes else words.say("These are good photos.")


def _kind_row(words: Words, panel: TrainPanel) -> Row:
    labels = {
        LoraType.PORTRAIT: words.plain("A person"),
        LoraType.STYLE: words.plain("A style or thing"),
    }
    chosen = panel.photo_set.lora_type
    return tuple(
        button(panel, label, Verb.KIND, kind.value, is_chosen=chosen is kind)
        for kind, label in labels.items()
        if any(each.lora_type is kind for each in panel.offers)
    )


def _photo_rows(words: Words, panel: TrainPanel) -> list[Row]:
    row = [view(panel, words.plain("Take some out"), Page.REMOVE)]
    if panel.cuts or any(each.keeps_whole for each in panel.photos):
        row.append(view(panel, words.plain("Crops: {n}", n=len(panel.cuts)), Page.CUTS))
    return [tuple(row)]


def _next_row(words: Words, panel: TrainPanel) -> Row:
    return (view(panel, words.plain("Continue ›"), Page.CHOICES),) if panel.is_ready else ()


def _bin_row(words: Words, panel: TrainPanel) -> Row:
    return (button(panel, words.plain("Delete it all"), Verb.ASK_DELETE),)


def numbered(panel: TrainPanel, verb: Verb, photos: Sequence[SetPhoto], mark: str = "") -> list[Row]:
    """Buttons with the numbers of these photos, six in a row."""
    each_ = [button(panel, f"{mark}{each.number}", verb, str(each.number)) for each in photos]
    return [tuple(each_[at : at + _IN_A_ROW]) for at in range(0, len(each_), _IN_A_ROW)]


def render_remove(words: Words, panel: TrainPanel) -> Screen:
    """Which photos shall go."""
    return page_of(
        [words.say("<b>Which ones shall go?</b>"), word_notes(words, panel.review)],
        [*numbered(panel, Verb.REMOVE, panel.photos, "✕ "), back(panel, words, Page.PHOTOS)],
    )


def render_cuts(words: Words, panel: TrainPanel) -> Screen:
    """The photos as they would be cut, and which stay whole."""
    rows = []
    whole = [each for each in panel.photos if each.keeps_whole]
    rows += numbered(panel, Verb.WHOLE, panel.cuts, "✂ ")
    rows += numbered(panel, Verb.CUT, whole, "▢ ")
    return page_of(
        [
            words.say("<b>Cropped to the person</b>"),
            words.say(
                "✂ is cropped as you see it, so that the face is large enough to learn. Press a number to"
                " keep that photo whole ▢, or to crop it again."
            ),
        ],
        [*rows, back(panel, words, Page.PHOTOS)],
    )


def render_captions(words: Words, panel: TrainPanel) -> Screen:
    """What is said of each photo."""
    own = [each for each in panel.photos if each.own_caption]
    ours = next((each.caption for each in panel.photos if not each.own_caption), None)
    lines = [
        f"{each.number}. {shorten(each.caption, limit=_LONGEST_CAPTION)}" for each in own[:_MOST_CAPTIONS]
    ]
    if len(own) > _MOST_CAPTIONS:
        lines.append("…")
    return page_of(
        [
            _why_captions(words, panel),
            Markup("\n").join(Markup("{}").format(line) for line in lines),
            words.say("All the others: <i>{caption}</i>", caption=ours)
            if ours is not None and own
            else words.say("All of them: <i>{caption}</i>", caption=ours or ""),
            words.say("Press a number to write another one."),
        ],
        [*numbered(panel, Verb.CAPTION, panel.photos), back(panel, words, Page.CHOICES)],
    )


def _why_captions(words: Words, panel: TrainPanel) -> Markup:
    if panel.photo_set.lora_type is LoraType.STYLE:
        return words.say("<b>Captions</b> tell what is on a picture, so that it is not taken for the style.")
    return words.say("<b>Captions</b> tell what is on a photo, so that it is not taken for a part of you.")


def render_caption(words: Words, panel: TrainPanel, photo: SetPhoto) -> Screen:
    """One photo, waiting for another caption."""
    rows: list[Row] = []
    if photo.own_caption:
        rows.append((button(panel, words.plain("Back to my words"), Verb.OWN_CAPTION, str(photo.number)),))
    return page_of(
        [
            words.say("<b>Photo {n}</b>: <i>{caption}</i>", n=photo.number, caption=photo.caption),
            words.say(
                "Write in English what is on it. [trigger] stands for your word: <code>[trigger] with a hat"
                " on a beach</code>"
            ),
        ],
        [*rows, back(panel, words, Page.CAPTIONS)],
    )


def render_ask_delete(words: Words, panel: TrainPanel) -> Screen:
    """Asked once more before everything goes."""
    return page_of(
        [
            words.say_n(
                "Delete the {n} photo and all that you chose?",
                "Delete all {n} photos and all that you chose?",
                len(panel.photos),
            )
        ],
        [
            (button(panel, f"{BIN} {words.plain('Delete')}", Verb.DELETE),),
            back(panel, words, Page.PHOTOS),
        ],
    )


def render_ordered(words: Words) -> Screen:
    """What is left in place of a set that was ordered."""
    return page_of([words.say("🧠 Your photos are on their way. I tell you below how it goes.")], [])


def render_deleted(words: Words) -> Screen:
    """What is left in place of a set that was deleted."""
    return page_of([words.say("Your photos are deleted. Nothing was charged. /train begins anew.")], [])
