"""An order as the input of an endpoint, in fal's words (`reference` of fal.ai's model pages).

Knows which endpoint families leave fields out. Bounds are not checked here: the engine answers 422.
"""

from typing import Any

from starbooth.outside.engine.contract import EngineRefused, Order, PaintOrder, TrainOrder


def arguments(endpoint: str, order: Order) -> dict[str, Any]:
    """The JSON input of `endpoint`. Seeds stay whole numbers: a float would lose digits above 2**53.

    Raises: EngineRefused where the endpoint cannot do such an order (more than one picture, other inputs).
    """
    if isinstance(order, TrainOrder):
        return _training(endpoint, order)
    return _painting(endpoint, order)


def _training(endpoint: str, order: TrainOrder) -> dict[str, Any]:
    """Photos come as they shall be learnt: upright, cropped, with captions. So no masks, no more crops."""
    shared = {"images_data_url": order.images_url, "steps": order.steps, "create_masks": False}
    if endpoint == FAST_TRAINING:
        return {**shared, "trigger_word": order.trigger_word, "is_style": order.is_style}
    if endpoint == PORTRAIT_TRAINING and not order.is_style:
        return {
            **shared,
            "trigger_phrase": order.trigger_word,
            "learning_rate": order.learning_rate,
            "subject_crop": False,
        }
    raise EngineRefused("unsupported_endpoint", endpoint)


FAST_TRAINING = "fal-ai/flux-lora-fast-training"
PORTRAIT_TRAINING = "fal-ai/flux-lora-portrait-trainer"
TRAININGS = frozenset({FAST_TRAINING, PORTRAIT_TRAINING})


def _painting(endpoint: str, order: PaintOrder) -> dict[str, Any]:
    if endpoint in TRAININGS:
        raise EngineRefused("unsupported_endpoint", endpoint)
    if endpoint in _OTHER_INPUTS or (order.photo_url is not None) != endpoint.endswith(_FROM_A_PHOTO):
        raise EngineRefused("unsupported_endpoint", endpoint)
    if order.loras and not endpoint.startswith(_WITH_LORAS):
        raise EngineRefused("unsupported_endpoint", endpoint)
    wanted: dict[str, Any] = {
        "prompt": order.prompt,
        "image_size": {"width": order.width_px, "height": order.height_px},
        "seed": order.seed,
        "output_format": "png",
    }
    if endpoint.startswith(_ONE_PICTURE):
        if order.count != 1:
            raise EngineRefused("one_picture_only", endpoint)
    else:
        wanted["num_images"] = order.count
    if not endpoint.startswith(_VENDOR_TUNED):
        wanted["num_inference_steps"] = order.steps
        wanted["guidance_scale"] = order.guidance
        wanted["enable_safety_checker"] = True
    if order.photo_url is not None:
        del wanted["image_size"]  # it is the photo's
        wanted |= {"image_url": order.photo_url, "strength": order.strength}
    if order.loras:
        wanted["loras"] = [{"path": path, "scale": scale} for path, scale in order.loras]
    if order.negative:
        wanted["negative_prompt"] = order.negative
    return wanted


_FROM_A_PHOTO = "/image-to-image"
_WITH_LORAS = "fal-ai/flux-lora"
_ONE_PICTURE = ("fal-ai/flux-2-pro",)
_VENDOR_TUNED = ("fal-ai/flux-pro/", "fal-ai/flux-2-pro")  # no steps, no guidance; their checker is always on
_OTHER_INPUTS = frozenset(
    {
        "fal-ai/flux-pulid",  # wants a reference picture
        "fal-ai/flux-pro/v1.1-ultra",  # wants an aspect ratio
        "fal-ai/flux-pro/kontext",  # wants a picture
        "fal-ai/flux-kontext/dev",
    }
)
