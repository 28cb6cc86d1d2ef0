"""Prints the table of docs/architectures.md: the deviation of captured attention from the model's own, on tiny random models.

python scripts/check_architectures.py
"""

import warnings

import torch

from tokenrank.capture.deviation import answer_truth, furthest, own_attention
from tokenrank.capture.inspection import model_layers
from tokenrank.capture.layer import AttentionLayer
from tokenrank.capture.reading import read
from tokenrank.models.architectures import ARCHITECTURES, tiny_of

PROMPT, ANSWER = 40, 5  # tokens


def main() -> None:
    """One row for each architecture, with the attention implementation that transformers chooses."""
    warnings.simplefilter("ignore")
    print(
        "| architecture | route | layers captured | windowed | largest deviation, prompt | answer | same tokens as generate() |"
    )
    print("|---|---|---|---|---|---|---|")
    for name in ARCHITECTURES:
        print(row(name), flush=True)


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
