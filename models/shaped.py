"""A model of the hub, or its true shape with random weights: for timing without a download."""

from dataclasses import dataclass
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedConfig, PreTrainedModel
from transformers import PreTrainedTokenizerBase as Tokenizer

from tokenrank.models.pretrained import DTYPES, Pretrained, pick_device
from tokenrank.models.tiny import byte_tokenizer

WEIGHTS = ("pretrained", "random")


@dataclass(frozen=True)
class Shaped(Pretrained):
    """Pretrained, whose config also says the model's shape: with ``weights=random`` nothing is fetched.

    Random weights answer nonsense and rank by noise; what they cost is the real model's. Texts are then read byte by byte.
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
        if self.weights == "random" and self.device_map is not None:
            raise ValueError(f"model.device_map is {self.device_map!r}, must be null with model.weights=random")

    @property
    def label(self) -> str:
        """The last part of the path; random weights say so."""
        return f"{super().label}{' (random weights)' if self.weights == 'random' and self.name is None else ''}"

    def tokenizer(self) -> Tokenizer:
        """The model's own; with random weights one token a byte."""
        return byte_tokenizer() if self.weights == "random" else super().tokenizer()

    def max_tokens(self) -> int:
        """Positions that the model was made for."""
        return int(self._config().max_position_embeddings) if self.weights == "random" else super().max_tokens()

    def model(self) -> PreTrainedModel:
        """The model; with random weights the same ones each time, and the random state outside is left as it was."""
        if self.weights == "pretrained":
            return super().model()
        device = torch.device(pick_device(self.device))
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []), device:
            torch.manual_seed(0)
            model: PreTrainedModel = AutoModelForCausalLM.from_config(self._config(), dtype=DTYPES[self.dtype])  # type: ignore[no-untyped-call]
        model.train(False)
        return model

    def _config(self) -> PreTrainedConfig:
        shape = dict(self.shape or {})
        return AutoConfig.for_model(shape.pop("model_type"), **shape)
