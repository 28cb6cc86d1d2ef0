"""A heuristic of one's own beside three of ours, in a few lines: python examples/own_heuristic.py.

The notebook own_heuristic.ipynb has the same code. ``# %%`` starts a cell.
"""

# %% A model. The tiny one has random weights and runs anywhere in seconds; its numbers mean nothing.
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

import tokenrank
from tokenrank.capture.layer import AttentionLayer
from tokenrank.capture.needs import Needs
from tokenrank.heuristics.claa import CLAA
from tokenrank.heuristics.controls import Random
from tokenrank.heuristics.fastkv import FastKV
from tokenrank.heuristics.heuristic import Heuristic
from tokenrank.models.tiny import Tiny

source = Tiny()
# source = SmolLM2()  # a real model, 93 MB: from tokenrank.models.smollm2 import SmolLM2
# source = Pretrained("Qwen/Qwen3-0.6B")  # a hub id or a local folder: from tokenrank.models.pretrained import Pretrained
model, tokenizer = source.model(), source.tokenizer()


# %% A heuristic: one score per prompt token and layer, higher = keep.
@dataclass(frozen=True)
class WeightedValues(Heuristic):
    """Attention of the last queries, times the length of the value that it fetches."""

    window: int = 8  # queries at the end of the prompt

    @property
    def needs(self) -> Needs:
        """Attention of the window, and values."""
        return Needs(window=self.window, values=True)

    def score(self, layer: AttentionLayer) -> Tensor:
        """(tokens,), at least 0."""
        attention = layer.attention(self.window).mean(dim=(0, 1))  # (tokens,)
        return attention * layer.values.float().norm(dim=-1).mean(dim=0)


# %% Rank: recall in the top 10 % of tokens, against what the model's own answer attends to.
notes = " ".join(f"The locker number {n} belongs to person number {n * n % 89}." for n in range(20, 40))
prompts = [f"{notes} Whose locker is number {n}? It belongs to person number" for n in (23, 31, 38)]
heuristics = {"mine": WeightedValues(), "claa": CLAA(), "fastkv": FastKV(), "random": Random()}
rows = tokenrank.rank(model, tokenizer, prompts, heuristics, max_new_tokens=8, metrics="recall", k=[10])
recall = rows.dropna(subset="heuristic").groupby(["heuristic", "layer"])["value"].mean().unstack()
worst = {"min": "worst", "idxmin": "worst layer"}
print(recall.agg(["mean", *worst], axis=1).rename(columns=worst).astype({"worst layer": int}))

# %% Answer a prompt with 20 % of its tokens, and with all of them.
# The tiny model's answers are noise; take SmolLM2() above to read them.
some = tokenrank.answer(model, tokenizer, prompts[0], heuristics["mine"], keep=20, max_new_tokens=8)
whole = tokenrank.answer(model, tokenizer, prompts[0], max_new_tokens=8)
print(f"{len(some.kept)} of {len(whole.kept)} tokens kept: {some.text!r}, all kept: {whole.text!r}")

# %% Load what the command left: python run.py model=tiny hydra.run.dir=results/tiny
folder = Path("results/tiny")
if (folder / "metrics.parquet").is_file():
    print(tokenrank.load(folder).metrics.groupby(["heuristic", "metric"])["value"].mean())
