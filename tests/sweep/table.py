"""The sweep's rows as the tables of docs/decoder_classes.md."""

from collections.abc import Sequence
from itertools import groupby

from tests.sweep.engines import ENGINES
from tests.sweep.variants import ROPE
from tests.sweep.verdicts import EXACT, NOT_MADE, REFUSED, Row, Verdict

HEAD = "| model type | class | reading and answer | full | claa, fastkv | gemfilter | speculative | sees at most |\n|---|---|---|---|---|---|---|---|"


def tables(rows: Sequence[Row]) -> str:
    """Markdown: a row for each class and variant, scaled positions, and the sentences that the rows number."""
    sentences: dict[str, int] = {}
    lines = [HEAD]
    lines += [_line(row, sentences) for row in rows if row.variant not in ROPE]
    lines += ["", "## Scaled positions", "", *_scaled(rows, sentences)]
    numbered = [f"{number}. {text}" for text, number in sentences.items()]
    return "\n".join([*lines, "", "## Sentences", "", *numbered])


def _line(row: Row, sentences: dict[str, int]) -> str:
    name = row.model_type + (f", {row.variant}" if row.variant else "")
    full, claa, fastkv, gemfilter, speculative = (_cell(row, row.engines.get(name), sentences) for name in ENGINES)
    layerwise = claa if claa == fastkv else f"{claa}; {fastkv}"
    acting = ", ".join(f"{setting}{'' if acts else ' (no effect)'}" for setting, acts in row.acting.items())
    reading = _cell(row, row.reading, sentences)
    return f"| {name} | {row.class_name} | {reading} | {full} | {layerwise} | {gemfilter} | {speculative} | {acting} |"


def _cell(row: Row, verdict: Verdict | None, sentences: dict[str, int]) -> str:
    if verdict is None:
        return ""
    if not verdict.reason:
        return verdict.word
    text = verdict.reason.replace(row.class_name, "CLASS").replace("|", "/")
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
    others = {name: verdict for name, verdict in row.engines.items() if verdict.word != EXACT}
    bad = {name: verdict for name, verdict in others.items() if verdict.word != REFUSED}
    cells = [f"{name}: {_cell(row, verdict, sentences)}" for name, verdict in bad.items()]
    return "; ".join([EXACT, *cells])
