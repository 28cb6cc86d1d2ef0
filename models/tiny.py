"""A Llama with random weights that reads bytes: no network, no download, seconds a run."""

from dataclasses import dataclass
from typing import Any

import torch
from tokenizers import Tokenizer as Tokenizers
from tokenizers import decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedModel, PreTrainedTokenizerFast
from transformers import PreTrainedTokenizerBase as Tokenizer

from tokenrank.models.pretrained import Pretrained, pick_device

END = "<|end|>"
TEMPLATE = (
    "{% for message in messages %}<{{ message['role'] }}>{{ message['content'] }}</{{ message['role'] }}>{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)


@dataclass(frozen=True)
class Tiny(Pretrained):
    """Random Llama; its answers mean nothing, its shapes and code paths are real. With a ``path`` it is Pretrained."""

    path: str = ""  # empty: random weights
    layers: int = 4
    heads: int = 4
    kv_heads: int = 2
    seed: int = 0

    @property
    def label(self) -> str:
        """``tiny``, unless there is a name or a path."""
        return super().label or "tiny"

    def tokenizer(self) -> Tokenizer:
        """One token a byte, and one that ends the text."""
        return super().tokenizer() if self.path else byte_tokenizer()

    def max_tokens(self) -> int:
        """8,192, as the default model."""
        return super().max_tokens() if self.path else 8192

    def model(self) -> PreTrainedModel:
        """The same weights for the same seed; the random state outside is left as it was."""
        if self.path:
            return super().model()
        config: dict[str, Any] = {"num_attention_heads": self.heads, "num_key_value_heads": self.kv_heads}
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            model = LlamaForCausalLM(
                LlamaConfig(
                    vocab_size=257,
                    hidden_size=16 * self.heads,
                    intermediate_size=32 * self.heads,
                    num_hidden_layers=self.layers,
                    max_position_embeddings=8192,
                    bos_token_id=None,
                    eos_token_id=256,
                    pad_token_id=256,
                    initializer_range=0.2,  # large enough for attention to be uneven
                    **config,
                )
            )
        return model.to(pick_device(self.device)).eval()  # type: ignore[arg-type, no-any-return]


def byte_tokenizer() -> PreTrainedTokenizerFast:
    """A tokenizer whose tokens 0 to 255 are bytes and 256 is the end of the text; it has a chat template."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizers(models.BPE(vocab={letter: i for i, letter in enumerate(alphabet)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token=END, chat_template=TEMPLATE)  # type: ignore[no-untyped-call]
