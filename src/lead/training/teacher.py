"""A frozen pre-trained model that stands in for stage 1's network as the teacher of stage 2."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from lead.config import TeacherSettings
from lead.errors import LeadError
from lead.nn.backbone import Backbone, hub_weights, model_config


@dataclass(frozen=True)
class Teacher:
    """A model from outside, and what it is.

    Attributes:
        network: the model; it sees pictures at its own size, mean and deviation.
        origin: what a run records of it: timm's ``model``, the ``weights`` file's name and its ``sha256``, the
            ``licence`` that timm states, and the ``side`` in pixels of the pictures that it sees.
    """

    network: Backbone
    origin: dict[str, str | int | None]


def load_teacher(settings: TeacherSettings) -> Teacher | None:
    """The model that the settings name, with its weights; None where stage 1's network teaches.

    Raises:
        LeadError: there is no such model, or its weights are not at hand, do not fit, or could not be fetched.
    """
    if settings.model is None:
        return None
    config = model_config(settings.name)
    file = settings.file or hub_weights(settings.name, download=settings.download)
    if not file.is_file():
        raise LeadError(f"distill.teacher.model={settings.model}: there is no file {file}.")
    side = settings.input or config.input_size[-1]
    network = Backbone(settings.name, str(file.absolute()), side)
    network.side = network.side or side  # a convolutional network would take any, but learnt at its own
    with file.open("rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
    origin = {"model": settings.name, "weights": file.name, "sha256": digest, "licence": config.license}
    return Teacher(network, {**origin, "side": network.side})
