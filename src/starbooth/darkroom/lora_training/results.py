"""What a training hands out: the weights and their config, as fal words them. Knows files, no torch."""

import json
import os
from dataclasses import dataclass
from pathlib import Path

from starbooth.darkroom.faults import TrainingFault
from starbooth.darkroom.files import UNKNOWN_TYPE, FileStore
from starbooth.darkroom.jobs import Job, Json
from starbooth.darkroom.lora_training.inputs import FAST
from starbooth.darkroom.lora_training.recipe import WEIGHTS_FILE, trigger_of
from starbooth.darkroom.loras import LARGEST_LORA_BYTES

PAGE = b"<!doctype html><title>Not what was asked for</title>"
PICKLE = b"\x80\x04\x8c\x05posix\x94\x8c\x06system\x94\x93\x94\x8c\x04true\x94\x85\x94R\x94."
"""Weights as an attacker would like them: whoever unpickles this runs a command."""

OURS = frozenset({"is_archive_ours"})
"""Of the arguments, what the caller did not say."""


@dataclass(frozen=True, kw_only=True)
class Results:
    """Puts the files of ended trainings among those that are served. `files_url`: "…/files/"."""

    files: FileStore
    files_url: str

    def hand_out(
        self, job: Job, folder: Path, *, steps_ran: int, about: Json, fault: TrainingFault | None
    ) -> Json:
        """The result of a training whose weights lie in `folder`, which they leave. Blocks.

        fault: what goes wrong with it on purpose.
        """
        weights, config = folder / WEIGHTS_FILE, folder / "config.json"
        told = _config(job, steps_ran=steps_ran, rank=rank_of(weights), about=about)
        config.write_bytes(PAGE if fault is TrainingFault.WRONG_CONFIG else told)
        _spoil(weights, fault)
        lifetime_s = 0 if fault is TrainingFault.EXPIRED else job.picture_lifetime_s
        answer: Json = {
            "diffusers_lora_file": self._keep(weights, UNKNOWN_TYPE, lifetime_s=lifetime_s),
            "config_file": self._keep(config, "application/json", lifetime_s=job.picture_lifetime_s),
            "steps_ran": steps_ran,
        }
        if fault is TrainingFault.EMPTY:
            del answer["diffusers_lora_file"]
        # fal hands out the photos as it prepared them; here they are not kept a second time.
        return {**answer, "debug_preprocessed_output": None} if job.endpoint == FAST else answer

    def _keep(self, path: Path, content_type: str, *, lifetime_s: int) -> Json:
        ending = path.suffix.removeprefix(".")
        name = self.files.new_name(content_type, lifetime_s=lifetime_s, ending=ending)
        size = path.stat().st_size
        self.files.adopt(name, path)
        return {
            "url": self.files_url + name,
            "content_type": content_type,
            "file_name": name,
            "file_size": size,
        }


def _config(job: Job, *, steps_ran: int, rank: int, about: Json) -> bytes:
    """What was asked for and what came of it, in fal's words where it has some. Names the photos' address."""
    config = {
        **{name: value for name, value in job.arguments.items() if name not in OURS},
        "instance_prompt": trigger_of(job.arguments),
        "rank": rank,
        "alpha": rank,
        **about,
        "steps_ran": steps_ran,
    }
    return json.dumps(config, indent=2, ensure_ascii=False).encode()


def rank_of(weights: Path) -> int:
    """The rank of a LoRA file that was written here."""
    with weights.open("rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    return next(int(fact["shape"][0]) for name, fact in header.items() if name.endswith(".lora_A.weight"))


def _spoil(weights: Path, fault: TrainingFault | None) -> None:
    """Make of the file what the fault says. A huge one takes no room on the disk: its end is a hole."""
    if fault in {TrainingFault.PICKLE, TrainingFault.WRONG}:
        weights.write_bytes(PICKLE if fault is TrainingFault.PICKLE else PAGE)
    elif fault is TrainingFault.BROKEN:
        os.truncate(weights, weights.stat().st_size // 2)
    elif fault is TrainingFault.HUGE:
        os.truncate(weights, LARGEST_LORA_BYTES + 1)
