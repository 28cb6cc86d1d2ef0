"""What the engines are tried on: every architecture with a prompt, and an answer decoded with its logits."""

from functools import cache

import torch
from torch import Tensor
from transformers import PreTrainedModel

from tokenrank.capture.inspection import model_layers
from tokenrank.capture.model_layers import ModelLayers
from tokenrank.heuristics.claa import CLAA
from tokenrank.heuristics.gemfilter import GemFilter
from tokenrank.heuristics.heuristic import Heuristic
from tokenrank.heuristics.speculative import Speculative
from tokenrank.models.architectures import ARCHITECTURES, tiny_of
from tokenrank.prefill.draft import Draft
from tokenrank.prefill.engine import Engine, Full, Job, Prefilled
from tokenrank.prefill.layerwise import Layerwise
from tokenrank.prefill.restart import Restart

TOKENS, ANSWER = 40, 6
PLAIN = [name for name in ARCHITECTURES if "(hybrid)" not in name]
HYBRID = [name for name in ARCHITECTURES if "(hybrid)" in name]
ENGINES: dict[str, tuple[Engine, Heuristic]] = {
    "full": (Full(), CLAA()),
    "layerwise": (Layerwise(window=4), CLAA(window=4, n=2)),
    "restart": (Restart(window=4), GemFilter()),
    "draft": (Draft(window=4), Speculative(look_ahead=3)),
}


def prompt(tokens: int = TOKENS, seed: int = 1) -> Tensor:
    """Random tokens of the tiny models."""
    return torch.randint(0, 64, (tokens,), generator=torch.Generator().manual_seed(seed))


tiny_once = cache(tiny_of)


def model_of(architecture: str, implementation: str | None = None) -> PreTrainedModel:
    """One model each; its answers do not end by themselves."""
    return tiny_once(architecture, implementation)


@cache
def layers_of(architecture: str) -> ModelLayers:
    """Its layers."""
    return model_layers(model_of(architecture))


def prefilled(
    architecture: str, engine: Engine, heuristic: Heuristic, kept: int, implementation: str | None = None
) -> Prefilled:
    """The prompt, read by the engine."""
    model = model_of(architecture, implementation)
    resolved = engine.resolved(heuristic, layers_of(architecture))
    return resolved.prefill(Job(model, heuristic, prompt(), kept, answer_tokens=ANSWER))


def answered(done: Prefilled, tokens: int = ANSWER) -> tuple[list[int], Tensor]:
    """The greedy answer and the logits of each of its tokens, (answer tokens, vocabulary)."""
    answer, logits = [done.first_token], [done.logits]
    while len(answer) < tokens:
        logits.append(done.decode(answer[-1], len(answer) - 1))
        answer.append(int(logits[-1].argmax()))
    return answer, torch.stack(logits)
