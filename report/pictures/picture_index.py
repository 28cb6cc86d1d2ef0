"""plots/index.md: all pictures of a run, each with one sentence that says what it shows and how to read it."""

import re
from pathlib import Path

from tokenrank.report.rows.ranking_rows import AGAINST

INDEX = "index.md"
HEADING = """# Pictures of this run

Titles have the model, the task, n (the number of prompts) and k. Methods are in the order of their results; the oracle is black and dashed, and
controls are grey and last. Every picture is here as PNG and as PDF, at the width of one or of two columns of a paper.
"""
OTHER = "Drawn by the report that the run's config names."
SENTENCES = (  # file name without its ending -> what is said of it; (?P<metric>) is written as in titles
    (
        r"ttft_against_length",
        "Seconds to the first token against prompt length, a panel a keep rate; lower is faster, and the bands are the quartiles of the repeats.",
    ),
    (
        r"ttft_ratio_against_flops",
        "Time saved against counted FLOPs saved, a panel a prompt length; on the dashed line time is saved in proportion, above it less is "
        "saved than counted.",
    ),
    (
        r"(?P<metric>.+)_variance",
        "{metric}: on the left every method's mean over prompts at each layer, on the right a row a method with its mean over layers (marker), "
        "every layer (ticks) and the worst layer (triangle); ticks far apart, or a triangle far left of the marker, are a ranking that falls "
        "apart at some layers.",
    ),
    (
        r"(?P<metric>.+)_layers",
        "{metric}: all methods on one axis, means over prompts at each layer; a line that drops is a layer at which that ranking loses the "
        "tokens that matter, and one at the level of chance ranks no better than random there; beside them is each method's mean over layers, "
        "with its 95 % interval (thick) and 10 % to 90 % of the prompts (thin).",
    ),
    (
        r"(?P<metric>.+)_prompts",
        "{metric}: a panel a method with its mean over prompts at each layer, as a band the 95 % interval of that mean, and between thin "
        "lines 10 % to 90 % of the prompts; the band says how sure the mean is, the lines how much prompts differ.",
    ),
    (
        r"(?P<metric>.+)_heatmap",
        "{metric}: method x layer, means over prompts; light is good, the dot is a method's lowest layer, and a dark column is a layer that "
        "is hard for all.",
    ),
    (
        r"(?P<metric>.+)_between",
        "{metric}: how many of the kept tokens two layers share, a panel a method; light blocks are layers that would keep the same tokens, "
        "dark ones layers that disagree.",
    ),
    (
        r"(?P<metric>.+)_agreement",
        "{metric}: every ranking (rows) against the truths, or all others, in the columns, means over layers and prompts; if the order of the rows "
        "differs between columns, the choice of truth changes which method looks best.",
    ),
    (
        r"study_(?P<metric>.+)",
        "{metric}: the metric against the values of one setting, as mean over layers and as worst layer; the band is the 95 % interval "
        "of the mean, and between the thin lines are 10 % to 90 % of the prompts.",
    ),
    (
        r"grid_accuracy(_at_(?P<keep>.+))?",
        "Answers found by prompt length and needle depth{keep}, with the number of prompts in each cell; dark cells are needles that were "
        "lost.",
    ),
    (
        r"grid_loss_at_(?P<keep>.+)",
        "What the full prefill's answer loses, by prompt length and needle depth{keep}, with the number of prompts in each cell; dark is a "
        "large loss.",
    ),
    (
        r"grid_needle_kept_at_(?P<keep>.+)",
        "The share of the needle's tokens that were kept, by prompt length and needle depth{keep}, with the number of prompts in each cell; "
        "dark cells are needles that were dropped.",
    ),
    (
        r"grid_(?P<metric>needle_recall.*)",
        "{metric}: the share of the needle's tokens that a ranking has among its best, mean over layers, by prompt length and needle depth, "
        "with the number of prompts in each cell.",
    ),
    (
        r"(?P<metric>.+)_against_flops",
        "{metric} against the FLOPs counted in the prefill, a line a method through its keep rates; up and to the left is better, the bars "
        "are 95 % intervals, and the line across is the full prefill.",
    ),
    (
        r"(?P<metric>.+)_against_kv",
        "{metric} against the KV cache held, a line a method through its keep rates; up and to the left is better, the bars are 95 % "
        "intervals, and the line across is the full prefill.",
    ),
)  # fmt: skip


def index_of(plots: Path) -> str:
    """Content of index.md.

    Args:
        plots: the folder of the pictures.
    """
    placed = sorted((*sentence(file.stem), file.stem) for file in plots.glob("*.png"))
    parts = [f"## {name}\n\n{said}\n\n![{name}](<{name}.png>)\n\n[PDF](<{name}.pdf>)\n" for _, said, name in placed]
    return "\n".join([HEADING, *parts])


def sentence(name: str) -> tuple[int, str]:
    """Place among the kinds of pictures, and what is said of a picture.

    >>> sentence("recall_at_10_heatmap")[1][:33]
    'recall@10: method x layer, means '
    >>> sentence("recall_at_10_against_ablation_heatmap")[1][:35]
    'recall@10, against ablation: method'
    """
    for number, (pattern, said) in enumerate(SENTENCES):
        found = re.fullmatch(pattern, name)
        if found:
            parts = found.groupdict()
            named, _, truth = (parts.get("metric") or "").partition(AGAINST)
            metric = re.sub(r"_at_(?=[\d.]+$)", "@", named) + (f", against {truth}" if truth else "")
            keep = f", keep rate {parts['keep']} %" if parts.get("keep") else ""
            return number, said.format(metric=metric, keep=keep)
    return len(SENTENCES), OTHER
