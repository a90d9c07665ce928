"""Runs trainings as jobs, one at a time, in slices between pictures: begins, tells, ends, cleans up.

Decides what the end of a training looks like: fal's result JSON, a failure, a cancel. Knows the trainer by
its protocol only.
"""

import asyncio
import io
import logging
import shutil
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from starbooth.darkroom.easel import Easel
from starbooth.darkroom.endings import by_rule, internal_error, refused
from starbooth.darkroom.faults import Rule, TrainingFault
from starbooth.darkroom.jobqueue import JobQueue
from starbooth.darkroom.jobs import Ending, Job, Json, LiveJob, Preview, State, cancelled
from starbooth.darkroom.lora_training.recipe import Diverged, Progress, Recipe, Trainer, UnfitStart, Wishes
from starbooth.darkroom.lora_training.results import Results
from starbooth.darkroom.schemas import InvalidInput, refusal

log = logging.getLogger(__name__)

SLICE_S = 0.5
MOST_LINES = 200
"""So many steps are told of in the log: each of a short training, every fiftieth of the longest."""


@dataclass(frozen=True, kw_only=True)
class Ended:
    """A training that goes on no more, and its end; None is no end at all, as a fault may want it."""

    live: LiveJob
    ending: Ending | None


@dataclass(kw_only=True, eq=False)
class Bench:
    """The training that is going on."""

    live: LiveJob
    work: Generator[Progress]
    wishes: Wishes
    about: Json
    rule: Rule | None
    now: Progress
    spent_s: float = 0.0

    @property
    def is_struck(self) -> bool:
        """Whether a fault that ends it strikes here."""
        rule = self.rule
        is_fatal = rule is not None and rule.training in {TrainingFault.NEVER, TrainingFault.ERROR}
        return is_fatal and rule is not None and self.now.step >= rule.at_step


class Workshop:
    """One per painter, whose thread it shares. `folder` holds what unfinished trainings have so far."""

    def __init__(
        self, queue: JobQueue, easel: Easel, results: Results, folder: Path, *, now: Callable[[], float]
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._queue = queue
        self._easel = easel
        self._results = results
        self._folder = folder
        self._now = now
        self._bench: Bench | None = None

    @property
    def is_busy(self) -> bool:
        """Whether a training is going on."""
        return self._bench is not None

    def begin(self, trainer: Trainer, live: LiveJob, recipe: Recipe, rule: Rule | None) -> None:
        """Take up a training; `advance` does the work. Goes on from where an earlier process left it."""
        folder, wishes = self._folder_of(live), Wishes()
        folder.mkdir(exist_ok=True, mode=0o700)
        self._bench = Bench(
            live=live,
            work=trainer.train(recipe, folder, wishes),
            wishes=wishes,
            about=trainer.about_training(),
            rule=rule,
            now=Progress(step=0, steps=recipe.steps),
        )

    async def advance(self) -> Ended | None:
        """Do a slice of work: some steps, or one where a picture waits. None while there is more to do."""
        bench = self._bench
        assert bench is not None, "a training has begun"
        try:
            ending = await self._advance(bench)
        except InvalidInput as error:
            ending = refused(error.details)
        except Diverged:
            message = "The training ran away: take a lower learning rate"
            ending = refused(refusal("learning_rate", message, "training_diverged").details)
        except UnfitStart as error:
            message = f"These weights cannot be loaded: {error.reason}"
            ending = refused(refusal("resume_from_checkpoint", message, "lora_load_error").details)
        except Exception:
            log.exception("training %s failed", bench.live.job.id)
            ending = internal_error()
        if ending is None and not bench.is_struck:
            return None
        self._bench = None
        await self._easel.run(bench.work.close)
        return Ended(live=bench.live, ending=ending)

    async def leave(self) -> None:
        """Have the training keep all it has, for another process to go on. Safe to repeat."""
        bench, self._bench = self._bench, None
        if bench is not None:
            bench.wishes.is_leaving = True
            await self._easel.run(lambda: _exhaust(bench.work))

    def clear(self, job: Job) -> None:
        """Delete what an ended training has left: the photos' latents and checkpoints. Safe to repeat."""
        shutil.rmtree(self._folder / job.id, ignore_errors=True)

    def sweep(self) -> None:
        """Delete what trainings have left that a kill kept from being cleared."""
        for path in self._folder.iterdir():
            if self._queue.find(path.name) is None:
                shutil.rmtree(path, ignore_errors=True)

    async def _advance(self, bench: Bench) -> Ending | None:
        if bench.is_struck:
            assert bench.rule is not None
            return by_rule(bench.rule) if bench.rule.training is TrainingFault.ERROR else None
        began_s = time.perf_counter()
        made = await self._easel.run(lambda: self._slice(bench))
        bench.spent_s += time.perf_counter() - began_s
        for progress in made:
            self._tell(bench.live, progress)
        if any(progress.is_kept for progress in made):
            await self._queue.note_progress(bench.live)
        if bench.live.stop_asked:
            return cancelled()
        if bench.now.is_over:
            return await self._result(bench)
        return None

    def _slice(self, bench: Bench) -> list[Progress]:
        """Work for a while, or to the end. Runs in the painter's thread. Raises: what the trainer raises."""
        made: list[Progress] = []
        until_s = time.monotonic() + SLICE_S
        live = bench.live
        while not live.stop_asked:
            bench.wishes.is_enough = live.finish_asked
            bench.now = next(bench.work)
            made.append(bench.now)
            is_ended = bench.now.is_over or bench.is_struck
            if is_ended or self._queue.has_pictures or time.monotonic() >= until_s:
                break
        return made

    def _tell(self, live: LiveJob, progress: Progress) -> None:
        """Log lines and a preview."""
        if progress.note:
            live.log(progress.note, at=self._now(), labels={})
        step, steps = progress.step, progress.steps
        every = -(-steps // MOST_LINES)
        is_told = not progress.is_over and (step in {1, steps} or step % every == 0)
        if step and is_told:
            labels = {"step": str(step), "steps": str(steps)}
            live.log(f"step {step}/{steps}", at=self._now(), labels=labels)
        if progress.sample is not None:
            live.show(Preview(content=_jpeg(progress.sample)))

    async def _result(self, bench: Bench) -> Ending:
        live, rule = bench.live, bench.rule
        answer = await asyncio.to_thread(
            self._results.hand_out,
            live.job,
            self._folder_of(live),
            steps_ran=bench.now.step,
            about=bench.about,
            fault=rule.training if rule else None,
        )
        answer["timings"] = {"inference": bench.spent_s}  # as pictures have it; fal's trainers tell no time
        return Ending(state=State.DONE, status_code=200, answer=answer, inference_s=bench.spent_s)

    def _folder_of(self, live: LiveJob) -> Path:
        return self._folder / live.job.id


def _exhaust(work: Generator[Progress]) -> None:
    for _ in work:
        pass


def _jpeg(picture: Image.Image) -> bytes:
    buffer = io.BytesIO()
    picture.convert("RGB").save(buffer, "JPEG", quality=80)
    return buffer.getvalue()
