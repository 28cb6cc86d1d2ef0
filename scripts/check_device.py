"""Compares what the architectures of docs/architectures.md give on a device with what they give on the CPU, in float32.

    python scripts/check_device.py [device=cuda]

For each architecture: whether a look passes in float32 and in bfloat16, the largest difference of attention (prompt and answer), whether
the answer is the CPU's, and for three engines at 50 % whether they keep the CPU's tokens, and the largest difference of a logit.
"""

import sys
import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel

from tokenrank.capture.inspection import model_layers
from tokenrank.capture.layer import AttentionLayer
from tokenrank.capture.looking import look
from tokenrank.capture.reading import Reading, read
from tokenrank.heuristics.claa import CLAA
from tokenrank.heuristics.gemfilter import GemFilter
from tokenrank.heuristics.heuristic import Heuristic
from tokenrank.heuristics.speculative import Speculative
from tokenrank.models.architectures import ARCHITECTURES, tiny_of
from tokenrank.models.devices import pick_device
from tokenrank.prefill.draft import Draft
from tokenrank.prefill.engine import Engine, Job, Prefilled
from tokenrank.prefill.layerwise import Layerwise
from tokenrank.prefill.restart import Restart

PROMPT, ANSWER, KEPT = 40, 5, 20  # tokens
RANKED: list[tuple[Engine, Heuristic]] = [
    (Layerwise(window=2), CLAA(window=2, kernel=3)),
    (Restart(window=2), GemFilter(kernel=3)),
    (Draft(window=2), Speculative(kernel=3, look_ahead=3, chunk=None)),
]


def main() -> None:
    """One row for each architecture; exits with 1 if an answer, a kept token or a look differs."""
    given = dict(argument.split("=", 1) for argument in sys.argv[1:])
    try:
        device = pick_device(given.get("device", "cuda"))
    except ValueError as error:
        sys.exit(f"error: {error}")
    warnings.simplefilter("ignore")
    torch.backends.cuda.matmul.allow_tf32 = False
    print("| architecture | looks, float32 and bfloat16 | attention | same answer | same tokens kept | logits |")
    print("|---|---|---|---|---|---|")
    bad = 0
    for name in ARCHITECTURES:
        row, good = compared(name, device)
        bad += not good
        print(row, flush=True)
    print(f"\n{len(ARCHITECTURES) - bad} of {len(ARCHITECTURES)} architectures agree on {torch.device(device).type}")
    sys.exit(bool(bad))


@torch.inference_mode()
def compared(name: str, device: str) -> tuple[str, bool]:
    """The architecture's row, and whether all that can be equal is."""
    ours: Any = tiny_of(name)
    ours, theirs = ours.to(device), tiny_of(name)
    half: Any = tiny_of(name)
    looks = [looked(ours), looked(half.to(device, torch.bfloat16))]
    ids = torch.randint(0, 64, (PROMPT,), generator=torch.Generator().manual_seed(1))
    (found, seen), (wanted, expected) = reading(ours, ids), reading(theirs, ids)
    attention = max(
        furthest_attention(one, other)
        for one, other in zip(seen + found.answer_layers, expected + wanted.answer_layers, strict=True)
    )
    same_answer = found.answer_ids.equal(wanted.answer_ids)
    pairs = [[prefilled(model, ids, *ranked) for model in (ours, theirs)] for ranked in RANKED]
    same_kept = all(one.kept.cpu().equal(other.kept.cpu()) for one, other in pairs)
    logits = max(float((one.logits.cpu() - other.logits).abs().max()) for one, other in pairs)
    yes: Callable[[bool], str] = lambda good: "yes" if good else "NO"  # noqa: E731
    row = f"| {name} | {' and '.join(looks)} | {attention:.0e} | {yes(same_answer)} | {yes(same_kept)} | {logits:.0e} |"
    return row, same_answer and same_kept and looks == ["pass", "pass"] and attention < 1e-4 and logits < 1e-3


def looked(model: PreTrainedModel) -> str:
    """``pass``, or the sentence of the refusal."""
    try:
        look(model, PROMPT)
    except ValueError as error:
        return str(error)
    return "pass"


def reading(model: PreTrainedModel, ids: Tensor) -> tuple[Reading, list[AttentionLayer]]:
    """The answer and the layers of the prompt."""
    passing: list[AttentionLayer] = []
    return read(model, ids, passing.append, max_new_tokens=ANSWER), passing


def furthest_attention(one: AttentionLayer, other: AttentionLayer) -> float:
    """Largest difference between the attention of all queries of two layers."""
    ours, theirs = (layer.attention_block(0, layer.queries.shape[1]).cpu() for layer in (one, other))
    return float((ours - theirs).abs().max())


def prefilled(model: PreTrainedModel, ids: Tensor, engine: Engine, heuristic: Heuristic) -> Prefilled:
    """A prompt of which half the tokens are kept."""
    resolved = engine.resolved(heuristic, model_layers(model))
    return resolved.prefill(Job(model, heuristic, ids, KEPT, ANSWER))


if __name__ == "__main__":
    main()
