"""Takes jobs from the queue, has them painted one at a time, and brings back their ends.

One thread owns the device. Pictures are painted in turn; while a training is going on, the `Workshop` does a
slice of it after each picture, and slice after slice where none waits. Decides what the end of a picture
looks like: fal's result JSON, a failure, a cancel. Knows the painter by its protocol only.
"""

import asyncio
import base64
import io
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from PIL import Image

from starbooth.darkroom.easel import Easel
from starbooth.darkroom.endings import by_rule, internal_error, refused, runner_lost
from starbooth.darkroom.faults import Faults, PaintingFault, Place, Rule
from starbooth.darkroom.files import FileStore
from starbooth.darkroom.jobqueue import JobQueue
from starbooth.darkroom.jobs import Ending, Job, Json, LiveJob, Preview, State, cancelled
from starbooth.darkroom.lora_training.workshop import Ended, Workshop
from starbooth.darkroom.loras import unusable
from starbooth.darkroom.materials import Materials
from starbooth.darkroom.painter import LoraUnfit, OnStep, Painter, Peek, Stopped
from starbooth.darkroom.schemas import InvalidInput, names_files

log = logging.getLogger(__name__)

MOST_ATTEMPTS = 10
"""As often does fal's queue begin a request again after its runner was lost."""

PREVIEW_EVERY_S = 0.5
HUGE_PX = (8_000, 5_001)
"""A little more than 40 megapixels, in few bytes."""

MOST_OPEN_ENDS = 64
"""So many ends may be on their way to the disk while the next job is painted."""


class Rhythm:
    """When a preview is worth its cost: a few times in a long run, never in a short one."""

    def __init__(self) -> None:
        self._last_s = time.monotonic()

    def is_due(self, step: int, steps: int) -> bool:
        """Whether to make one after this step; saying yes counts as making it."""
        is_due = 1 < step < steps and time.monotonic() - self._last_s >= PREVIEW_EVERY_S
        if is_due:
            self._last_s = time.monotonic()
        return is_due


@dataclass(frozen=True)
class Painted:
    """One picture as it is delivered."""

    image: Json
    is_flagged: bool


class Foreman:
    """One per painter. `files_url` begins the links in results, with a final slash."""

    def __init__(
        self,
        queue: JobQueue,
        files: FileStore,
        materials: Materials,
        faults: Faults,
        easel: Easel,
        workshop: Workshop,
        *,
        files_url: str,
        now: Callable[[], float],
    ) -> None:
        self._queue = queue
        self._files = files
        self._materials = materials
        self._files_url = files_url
        self._faults = faults
        self._now = now
        self._easel = easel
        self._workshop = workshop
        self._is_stopping = False
        self._is_painting = False
        self._open_ends = asyncio.Semaphore(MOST_OPEN_ENDS)

    async def run(self, open_painter: Callable[[], Painter], on_ready: Callable[[Painter], None]) -> None:
        """Open the painter in its thread, then paint for ever. Raises: what opening, or the disk, raises."""
        painter = await self._easel.run(open_painter)
        on_ready(painter)
        async with asyncio.TaskGroup() as tasks:
            while not self._is_stopping:
                is_training = self._workshop.is_busy
                live = self._queue.take_picture() if is_training else await self._queue.take()
                if live is not None:
                    await self._begin(painter, live, tasks)
                if self._workshop.is_busy and (ended := await self._workshop.advance()) is not None:
                    await self._part_with(ended, tasks)
            await self._workshop.leave()

    async def _begin(self, painter: Painter, live: LiveJob, tasks: asyncio.TaskGroup) -> None:
        """Paint a picture, or take up a training."""
        rule = self._faults.strike(Place.TRAINING if live.job.is_training else Place.PAINTING)
        if rule is not None and rule.painting is PaintingFault.NEVER:
            tasks.create_task(self._hold(live))
            return
        work = self._take_up if live.job.is_training else self._paint
        ending = await work(painter, live, rule)
        if ending is not None:
            await self._open_ends.acquire()
            tasks.create_task(self._end(live, ending))

    async def _take_up(self, trainer: Painter, live: LiveJob, rule: Rule | None) -> Ending | None:
        """Begin a training; its end where it cannot be begun."""
        if live.job.attempts >= MOST_ATTEMPTS:
            return runner_lost(f"Runner lost {MOST_ATTEMPTS} times")
        await self._queue.count_attempt(live)
        try:
            await self._gather(live)
            recipe = await asyncio.to_thread(self._materials.recipe, live.job.arguments)
        except Stopped:
            return cancelled()
        except InvalidInput as error:
            return refused(error.details)
        self._workshop.begin(trainer, live, recipe, rule)
        return None

    async def _part_with(self, ended: Ended, tasks: asyncio.TaskGroup) -> None:
        """Let a training go that is over, well or not."""
        if ended.ending is None:
            tasks.create_task(self._hold(ended.live))
            return
        await self._open_ends.acquire()
        tasks.create_task(self._end(ended.live, _with_logs(ended.ending, ended.live)))

    @property
    def is_painting(self) -> bool:
        """Whether a job is before the painter at this moment, or a training goes on."""
        return self._is_painting or self._workshop.is_busy

    def stop(self) -> None:
        """Have the painter stop after the step it is in; the job stays unfinished in the journal.

        A training keeps what it has learned, and goes on from there after the next start.
        """
        self._is_stopping = True

    async def _end(self, live: LiveJob, ending: Ending) -> None:
        try:
            await self._queue.end(live, ending)
        finally:
            self._open_ends.release()

    async def _hold(self, live: LiveJob) -> None:
        """A job under the fault `never`: in progress until somebody cancels it."""
        while not live.stop_asked:
            await live.next_change.wait()
        await self._queue.end(live, cancelled())

    async def _paint(self, painter: Painter, live: LiveJob, rule: Rule | None) -> Ending | None:
        """The end of a job; None when the server stops in the middle of it."""
        if live.job.attempts >= MOST_ATTEMPTS:
            return runner_lost(f"Runner lost {MOST_ATTEMPTS} times")
        attempt = asyncio.ensure_future(self._queue.count_attempt(live))
        on_step = self._reporter(live)
        self._is_painting = True
        try:
            await self._gather(live)
            ending = await self._easel.run(lambda: self._expose(painter, live.job, on_step, rule))
        except Stopped:
            return None if self._is_stopping and not live.stop_asked else _with_logs(cancelled(), live)
        except InvalidInput as error:
            return _with_logs(refused(error.details), live)
        except LoraUnfit as error:
            return _with_logs(refused(unusable(error.number, error.reason).details), live)
        except Exception:
            log.exception("painting %s failed", live.job.id)
            return _with_logs(internal_error(), live)
        finally:
            self._is_painting = False
            await attempt
        return _with_logs(ending, live)

    async def _gather(self, live: LiveJob) -> None:
        """Have everything here that the job names. Raises: InvalidInput; Stopped when it is cancelled."""
        if not names_files(live.job.arguments):
            return
        gathering = asyncio.ensure_future(self._materials.gather(live.job.arguments))
        try:
            while not gathering.done() and not live.stop_asked:
                change = asyncio.ensure_future(live.next_change.wait())
                await asyncio.wait({gathering, change}, return_when=asyncio.FIRST_COMPLETED)
                change.cancel()
            if live.stop_asked:
                raise Stopped
            await gathering
        finally:
            gathering.cancel()

    def _reporter(self, live: LiveJob) -> OnStep:
        """The painter's `on_step`: a log line and a preview on the event loop, and whether to go on."""
        loop = asyncio.get_running_loop()
        rhythm = Rhythm()

        def on_step(step: int, steps: int, peek: Peek) -> bool:
            if live.stop_asked or self._is_stopping:
                return False
            note, labels = f"step {step}/{steps}", {"step": str(step), "steps": str(steps)}
            loop.call_soon_threadsafe(lambda: live.log(note, at=self._now(), labels=labels))
            if rhythm.is_due(step, steps) and (picture := peek()) is not None:
                loop.call_soon_threadsafe(live.show, Preview(content=_small_jpeg(picture)))
            return True

        return on_step

    def _expose(self, painter: Painter, job: Job, on_step: OnStep, rule: Rule | None) -> Ending:
        """Paint and keep the pictures. Runs in the painter's thread. Raises: Stopped, InvalidInput."""
        if rule is not None and rule.painting is PaintingFault.ERROR:
            return by_rule(rule)
        scene = self._materials.scene(job.arguments)
        started = time.perf_counter()
        pictures = painter.paint(scene, on_step)
        inference_s = time.perf_counter() - started
        painted = [
            self._keep(picture, job, rule.fault_of(number) if rule else None)
            for number, picture in enumerate(pictures)
            if rule is None or _is_delivered(rule, number, len(pictures))
        ]
        answer = {
            "images": [picture.image for picture in painted],
            "timings": {"inference": inference_s},
            "seed": job.arguments["seed"],
            "has_nsfw_concepts": [picture.is_flagged for picture in painted],
            "prompt": job.arguments["prompt"],
        }
        return Ending(state=State.DONE, status_code=200, answer=answer, inference_s=inference_s)

    def _keep(self, picture: Image.Image, job: Job, fault: PaintingFault | None) -> Painted:
        """Keep one picture and describe it as fal does; with `sync_mode` it travels in the answer."""
        is_flagged = fault is PaintingFault.NSFW
        if is_flagged:
            picture = Image.new("RGB", picture.size)
        ending = job.arguments["output_format"]
        content_type = f"image/{ending}"
        content = _spoilt(_encoded(picture, ending), fault)
        lifetime_s = 0 if fault is PaintingFault.EXPIRED else job.picture_lifetime_s
        name = self._files.new_name(content_type, lifetime_s=lifetime_s)
        if job.arguments["sync_mode"]:
            url = f"data:{content_type};base64,{base64.b64encode(content).decode()}"
        else:
            self._files.keep(name, content)
            url = self._files_url + name
        image = {
            "url": url,
            "width": picture.width,
            "height": picture.height,
            "content_type": content_type,
            "file_name": name,
            "file_size": len(content),
        }
        return Painted(image, is_flagged)


def _small_jpeg(picture: Image.Image) -> bytes:
    buffer = io.BytesIO()
    picture.convert("RGB").save(buffer, "JPEG", quality=70)
    return buffer.getvalue()


def _encoded(picture: Image.Image, ending: str) -> bytes:
    buffer = io.BytesIO()
    if ending == "png":
        picture.save(buffer, "PNG")
    else:
        picture.convert("RGB").save(buffer, "JPEG", quality=95)
    return buffer.getvalue()


def _is_delivered(rule: Rule, number: int, count: int) -> bool:
    if rule.painting is PaintingFault.SHORT:
        return number not in (rule.pictures or {count - 1})
    return rule.painting is not PaintingFault.EMPTY


def _spoilt(content: bytes, fault: PaintingFault | None) -> bytes:
    if fault is PaintingFault.BROKEN:
        return content[: len(content) // 2]
    if fault is PaintingFault.WRONG:
        return b"<!doctype html><title>Not a picture</title>"
    if fault is PaintingFault.HUGE:
        return _encoded(Image.new("1", HUGE_PX), "png")
    return content


def _with_logs(ending: Ending, live: LiveJob) -> Ending:
    return replace(ending, logs=tuple(live.logs))
