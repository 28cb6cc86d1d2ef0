"""Prints the tables of docs/architectures.md: deviations of captured attention on tiny random models, and sentences of refusals.

python scripts/check_architectures.py
"""

import sys
import warnings
from pathlib import Path
from typing import Any

import torch
from transformers.utils import logging

from tokenrank.capture.deviation import answer_truth, furthest, own_attention
from tokenrank.capture.inspection import model_layers
from tokenrank.capture.layer import AttentionLayer
from tokenrank.capture.reading import read
from tokenrank.models.architectures import ARCHITECTURES, tiny_of

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # for tests.sweep

from tests.sweep.building import tiny_model
from tests.sweep.overrides import EVERY_OTHER
from tests.sweep.rows import row_of
from tests.sweep.variants import rope_variants

PROMPT, ANSWER = 40, 5  # tokens
REFUSED: dict[str, tuple[str, dict[str, Any]]] = {  # what is refused -> an example: model type, settings
    "attention outside transformers' interface": ("bloom", {}),
    "no attention": ("mamba", {}),
    "several attention calls in a layer": ("diffllama", {}),
    "an attention module of several layers": ("zamba2", {}),
    "bidirectional attention": ("bert", {"is_decoder": False}),
    "chunked attention": ("llama4_text", {}),
    "keys shared between layers": ("gemma3n_text", {"num_kv_shared_layers": 2, **EVERY_OTHER}),
    "tokens chosen by an indexer": ("deepseek_v32", {}),
    "compressed keys": ("deepseek_v4", {}),
    "a learned bias in the mask": ("doge", {}),
    "a bias beside the mask": ("inkling_text", {}),
    "a window of the cache alone": ("moshi", {}),
    "a cache of the model's own": ("minimax", {}),
    "byte patches, no numbered layers": ("blt", {}),
    "an answer that passes phi3's original length": ("phi3", {}),
    "engines: no position_ids": ("bart", {}),
    "layerwise: states that hold several streams": ("gemma3n_text", {}),
    "layerwise: states of a router": ("zaya", {}),
}


def main() -> None:
    """A row for each architecture, with the attention that transformers chooses, and one for each kind that is refused."""
    warnings.simplefilter("ignore")
    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    print(
        "| architecture | route | layers captured | windowed | largest deviation, prompt | answer | same tokens as generate() |"
    )
    print("|---|---|---|---|---|---|---|")
    for name in ARCHITECTURES:
        print(row(name), flush=True)
    print("\n| refused | for example | sentence |\n|---|---|---|")
    for kind in REFUSED:
        print(refused_row(kind), flush=True)


def refused_row(kind: str) -> str:
    """The sentence of an example.

    Raises:
        ValueError: the example is not refused.
    """
    model_type, settings = REFUSED[kind]
    if model_type == "phi3":
        settings = rope_variants(tiny_model("phi3"))["longrope, passed in the answer"]
    found = row_of(model_type, **settings)
    verdict = next((each for each in (found.reading, *found.engines.values()) if each.reason), found.reading)
    if not verdict.reason or found.bad:
        raise ValueError(f"{model_type} is {verdict.word}, must be refused: {verdict.reason}")
    told = (f"{name}={value}" for name, value in REFUSED[kind][1].items() if isinstance(value, int))
    return f"| {kind} | {', '.join((model_type, *told))} | {verdict.reason} |"


def row(name: str) -> str:
    """The architecture's row of the table."""
    model, eager = tiny_of(name), tiny_of(name, "eager")
    route = model.config._attn_implementation
    ids = torch.randint(0, 64, (PROMPT,), generator=torch.Generator().manual_seed(1))
    passing: list[AttentionLayer] = []
    plain = model.generate(ids[None], attention_mask=torch.ones(1, PROMPT), max_new_tokens=ANSWER, do_sample=False)  # type: ignore[operator]
    reading = read(model, ids, passing.append, max_new_tokens=ANSWER)
    prompt = max(map(furthest, passing, own_attention(eager, ids)))
    truth = answer_truth(eager, ids, reading.answer_ids, reading.answer_layers)
    answer = max(map(furthest, reading.answer_layers, truth))
    same = plain[0, PROMPT:].tolist() == reading.answer_ids.tolist()
    known = model_layers(model)
    numbers = ", ".join(map(str, known.attention))
    layers = "all" if len(known.attention) == known.total else f"{numbers} of {known.total}"
    window = ", ".join(map(str, sorted(known.windowed))) or "none"
    return f"| {name} | {route} | {layers} | {window} | {prompt:.0e} | {answer:.0e} | {'yes' if same else 'NO'} |"


if __name__ == "__main__":
    main()
