"""A small Llama with random weights and a byte tokenizer: no download, seconds a run."""

from dataclasses import dataclass
from typing import Any

import torch
from tokenizers import Tokenizer as Tokenizers
from tokenizers import decoders, models, pre_tokenizers
from transformers import LlamaConfig, PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerFast
from transformers import PreTrainedTokenizerBase as Tokenizer

from tokenrank.models.devices import pick_device
from tokenrank.models.from_config import DTYPES, built, placed
from tokenrank.models.pretrained import Pretrained

END = "<|end|>"
TEMPLATE = (
    "{% for message in messages %}<{{ message['role'] }}>{{ message['content'] }}</{{ message['role'] }}>{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)


@dataclass(frozen=True)
class Tiny(Pretrained):
    """A random Llama for tests and trials; its answers are meaningless. With a ``path`` it behaves as Pretrained."""

    path: str = ""  # empty: random weights
    layers: int = 4
    heads: int = 4
    kv_heads: int = 2  # divide the heads
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("layers", "heads", "kv_heads"):
            if getattr(self, name) < 1:
                raise ValueError(f"model.{name} is {getattr(self, name)}, must be at least 1")
        if self.heads % self.kv_heads:
            raise ValueError(f"model.kv_heads is {self.kv_heads}, must divide model.heads={self.heads}")
        if not 0 <= self.seed < 2**63:
            raise ValueError(f"model.seed is {self.seed}, must be at least 0 and below 2**63")
        for name, value in (("device_map", self.device_map), ("revision", self.revision)):
            if not self.path and value is not None:
                raise ValueError(f"model.{name} is {value!r}, must be null unless model.path names a model")

    @property
    def label(self) -> str:
        """``tiny``, unless there is a name or a path."""
        return super().label or "tiny"

    def tokenizer(self) -> Tokenizer:
        """A byte tokenizer with one token for the end of the text."""
        return super().tokenizer() if self.path else byte_tokenizer()

    def config(self) -> PreTrainedConfig:
        """A Llama that reads 8,192 tokens, as the default model does."""
        if self.path:
            return super().config()
        return LlamaConfig(
            vocab_size=257,
            hidden_size=16 * self.heads,
            intermediate_size=32 * self.heads,
            num_hidden_layers=self.layers,
            num_attention_heads=self.heads,
            num_key_value_heads=self.kv_heads,
            max_position_embeddings=8192,
            bos_token_id=None,
            eos_token_id=256,
            pad_token_id=256,
            initializer_range=0.2,  # large enough for attention to be uneven
        )

    def identity(self) -> dict[str, Any]:
        """Seed, shape and dtype; with a ``path`` as Pretrained."""
        if self.path:
            return super().identity()
        shape = {"layers": self.layers, "heads": self.heads, "kv_heads": self.kv_heads}
        return {"source": "tiny", "seed": self.seed, **shape, "dtype": self.dtype}

    def model(self) -> PreTrainedModel:
        """The same weights for the same seed, rounded to the dtype; the random state outside is left as it was."""
        if self.path:
            return super().model()
        device = pick_device(self.device)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            model = built(self.config(), "cpu", "float32", "the tiny model")
        return placed(model.to(DTYPES[self.dtype]), device)  # type: ignore[arg-type]


def byte_tokenizer() -> PreTrainedTokenizerFast:
    """A tokenizer whose tokens 0 to 255 are bytes and 256 is the end of the text; it has a chat template."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizers(models.BPE(vocab={letter: i for i, letter in enumerate(alphabet)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token=END, chat_template=TEMPLATE)  # type: ignore[no-untyped-call]
