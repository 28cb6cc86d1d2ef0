"""The sweep's rows as docs/decoder_classes.md."""

import re
from collections import Counter
from collections.abc import Sequence
from itertools import groupby

from transformers import __version__

from tests.sweep.alone import ENGINES
from tests.sweep.sharing import TOGETHER
from tests.sweep.variants import ROPE
from tests.sweep.verdicts import BAD, EXACT, NOT_MADE, Row, Verdict

INTRO = """# Decoder classes

`python scripts/sweep_architectures.py --table docs/decoder_classes.md` makes this page. It tries every class that AutoModelForCausalLM of
transformers {version} has: {counts}.
Each is made tiny from its config, with windows, top-k and original lengths below the prompt's 40 tokens, random weights, float32 on the CPU.

- *reading and answer*: exact means that the attention of every captured layer is that of an untouched copy's `output_attentions` within
  1e-4, over the prompt and over the queries of the answer, and that the answer is that of `generate(do_sample=False)`.
- *full*, *claa, fastkv* (layerwise engine), *gemfilter* (restart) and *speculative* (draft): exact means that the logits at 12 of 40 tokens
  are those of a slow version that masks tokens, or of layers called by hand where a layer is more than attention; full and restart
  engines answer as `generate()` does.
- *shared*: exact means three things of these engines. After one shared prefill (as in evaluation=accuracy) they keep the same tokens, hold
  the same bytes and have the same logits as alone, bit for bit, and where positions are not scaled the same operations; an engine that is refused alone is
  refused. An answer that is fed in one pass through a pruned cache has the logits of token-by-token decoding within 1e-4 of the largest. At a keep rate of
  100 % the full prefill's answer loses at most 1e-5 nats a token, and the divergence is as small.
- *together*: exact means that answers that are decoded together (each engine at 12 and at 40 tokens) have the tokens of those decoded one
  by one, and logits within 1e-4 of the largest; *one by one [n]*: this class is not decoded together, for the reason n.
- *refused [n]*: a ValueError with sentence number n below; CLASS stands for the class, MODULE for one of its modules, X and Y for numbers.
- *cannot be made*: by transformers itself, with the error below.
- *hides tokens*: the settings of its config that do, each found to change the logits unless it says that it has no effect.
"""
HEAD = """
| model type | class | reading and answer | full | claa, fastkv | gemfilter | speculative | shared | together | hides tokens |
|---|---|---|---|---|---|---|---|---|---|"""
MODULE = re.compile(r"\b[A-Z]\w*(Attention|DecoderLayer)\b")
DIFFERENCE = re.compile(r"by [\d.e+-]+ of [\d.e+-]+\b")
SCALED = """
## Scaled positions

Rotary positions scaled by each rule. The original length is 24 tokens, below the prompt, or 43, which the answer passes. Exact is reading and
answer, and every engine, shared too, where frequencies depend on the length (their answers are decoded one by one); `-`: the class does not run with it in transformers either.
"""


def page(rows: Sequence[Row]) -> str:
    """Markdown: a row for each class and variant, scaled positions, and the sentences that the rows number."""
    sentences: dict[str, int] = {}
    words = Counter(row.reading.word for row in rows if not row.variant)
    counts = ", ".join(f"{number} {word}" for word, number in words.most_common())
    lines = [INTRO.format(version=__version__, counts=counts), HEAD.strip()]
    lines += [_line(row, sentences) for row in rows if row.variant not in ROPE]
    lines += ["", _shared_counts(rows, sentences), SCALED, *_scaled(rows, sentences)]
    return "\n".join([*lines, "", "## Sentences", "", *(f"{number}. {text}" for text, number in sentences.items())])


def _shared_counts(rows: Sequence[Row], sentences: dict[str, int]) -> str:
    """How many rows, those with scaled positions too, are exact together, and why others are decoded one by one."""
    shared = [row for row in rows if row.sharing]
    cells = Counter(_cell(row, row.sharing[TOGETHER], sentences) for row in shared if TOGETHER in row.sharing)
    counts = ", ".join(f"{number} {cell}" for cell, number in cells.most_common())
    return f"Engines run in {len(shared)} of all {len(rows)} rows, those with scaled positions included. Answers together: {counts}."


def _line(row: Row, sentences: dict[str, int]) -> str:
    name = row.model_type + (f", {row.variant}" if row.variant else "")
    full, claa, fastkv, gemfilter, speculative = (_cell(row, row.engines.get(name), sentences) for name in ENGINES)
    layerwise = claa if claa == fastkv else f"{claa}; {fastkv}"
    acting = ", ".join(f"{setting}{'' if acts else ' (no effect)'}" for setting, acts in row.acting.items())
    reading = _cell(row, row.reading, sentences)
    engines = f"{full} | {layerwise} | {gemfilter} | {speculative}"
    together = _cell(row, row.sharing.get(TOGETHER), sentences)
    return f"| {name} | {row.class_name} | {reading} | {engines} | {_shared(row, sentences)} | {together} | {acting} |"


def _shared(row: Row, sentences: dict[str, int]) -> str:
    """The verdict on all that is not decoding together: exact, or what is not."""
    others = {name: each for name, each in row.sharing.items() if name != TOGETHER and each.word != EXACT}
    if not others:
        return EXACT if row.sharing else ""
    return "; ".join(f"{name}: {_cell(row, each, sentences)}" for name, each in others.items())


def _cell(row: Row, verdict: Verdict | None, sentences: dict[str, int]) -> str:
    if verdict is None:
        return ""
    if not verdict.reason:
        return verdict.word
    text = MODULE.sub("MODULE", verdict.reason.replace(row.class_name, "CLASS")).replace("|", "/")
    text = DIFFERENCE.sub("by X of Y", text)
    number = sentences.setdefault(text, len(sentences) + 1)
    return f"{verdict.word} [{number}]"


def _scaled(rows: Sequence[Row], sentences: dict[str, int]) -> list[str]:
    """A row for all classes with the same verdicts."""
    found: dict[tuple[str, ...], list[str]] = {}
    scaled = [row for row in rows if row.variant in ROPE]
    for model_type, group in groupby(scaled, key=lambda row: row.model_type):
        cells = {row.variant: _scaled_cell(row, sentences) for row in group}
        found.setdefault(tuple(cells.get(name, "") for name in ROPE), []).append(model_type)
    head = [f"| model types | {' | '.join(ROPE)} |", "|---" * (len(ROPE) + 1) + "|"]
    return head + [f"| {', '.join(types)} | {' | '.join(cells)} |" for cells, types in found.items()]


def _scaled_cell(row: Row, sentences: dict[str, int]) -> str:
    if row.reading.word == NOT_MADE:
        return "-"
    if row.reading.word != EXACT:
        return _cell(row, row.reading, sentences)
    bad = {name: verdict for name, verdict in (row.engines | row.sharing).items() if verdict.word in BAD}
    cells = [f"{name}: {_cell(row, verdict, sentences)}" for name, verdict in bad.items()]
    return "; ".join([EXACT, *cells])
