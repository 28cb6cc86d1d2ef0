"""A model of the hub, or random weights of the same shape, for timing without a download."""

from dataclasses import dataclass
from typing import Any

import torch
from transformers import AutoConfig, PreTrainedConfig, PreTrainedModel
from transformers import PreTrainedTokenizerBase as Tokenizer

from tokenrank.models.devices import pick_device
from tokenrank.models.from_config import built
from tokenrank.models.load_errors import first_line
from tokenrank.models.pretrained import Pretrained
from tokenrank.models.tiny import byte_tokenizer

WEIGHTS = ("pretrained", "random")


@dataclass(frozen=True)
class Shaped(Pretrained):
    """Pretrained, whose settings include the model's shape; with ``weights=random`` nothing is fetched.

    Time and memory with random weights are those of the real model; answers and rankings are meaningless. The tokenizer
    is then one token a byte.
    """

    weights: str = "pretrained"  # or random
    shape: dict[str, Any] | None = None  # the model's config.json, as far as it matters: model_type and sizes

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.weights not in WEIGHTS:
            raise ValueError(f"model.weights is {self.weights!r}, must be one of {', '.join(WEIGHTS)}")
        if self.weights == "random" and not (self.shape and "model_type" in self.shape):
            raise ValueError(
                "model.weights=random needs model.shape with a model_type, as in configs/model/llama3.yaml"
            )
        for name, value in (("device_map", self.device_map), ("revision", self.revision)):
            if self.weights == "random" and value is not None:
                raise ValueError(f"model.{name} is {value!r}, must be null with model.weights=random")

    @property
    def label(self) -> str:
        """The last part of the path; random weights say so."""
        return f"{super().label}{' (random weights)' if self.weights == 'random' and self.name is None else ''}"

    def tokenizer(self) -> Tokenizer:
        """The model's own; with random weights one token a byte."""
        return byte_tokenizer() if self.weights == "random" else super().tokenizer()

    def config(self) -> PreTrainedConfig:
        """The model's own; with random weights that of the shape."""
        if self.weights == "pretrained":
            return super().config()
        shape = dict(self.shape or {})
        try:
            return AutoConfig.for_model(shape.pop("model_type"), **shape | {"attn_implementation": None})
        except Exception as error:  # each architecture checks its sizes in its own way
            raise ValueError(f"model.shape describes no model: {first_line(error)}") from error

    def skeleton(self) -> PreTrainedModel:
        """The architecture without weights."""
        if self.weights == "pretrained":
            return super().skeleton()
        return built(self.config(), "meta", self.dtype, "model.shape")

    def identity(self) -> dict[str, Any]:
        """The model's own; of random weights the shape and the dtype."""
        if self.weights == "pretrained":
            return super().identity()
        return {"source": "random", "shape": dict(self.shape or {}), "dtype": self.dtype}

    def model(self) -> PreTrainedModel:
        """The model; with random weights the same ones each time, and the random state outside is left as it was."""
        if self.weights == "pretrained":
            return super().model()
        device = torch.device(pick_device(self.device))
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            torch.manual_seed(0)
            return built(self.config(), str(device), self.dtype, f"model.shape on {device}")
