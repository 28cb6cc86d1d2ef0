r"""Tables of results as LaTeX with booktabs: a document that compiles by itself, and that a paper can ``\input``."""

import math
from collections.abc import Sequence
from itertools import groupby, pairwise

from tokenrank.report.rows.aligned import ABSENT as NO_NUMBER
from tokenrank.report.rows.aligned import interval, number
from tokenrank.report.tables.result_grid import Block, Cell, Grid

SPECIAL = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "%": r"\%", "_": r"\_", "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}", "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", "\"": "''" , "`": r"\textasciigrave{}",
    "[": "{[}", "*": "{*}",  # behind the end of a row, or a rule, they would be an argument of it
}  # fmt: skip
ABSENT = "--"
BEGIN = r"""% Compiles by itself: latexmk -pdf %NAME%
% In a paper, with \usepackage{booktabs} in its preamble: \newcommand{\tokenrankfragment}{} once, then \input{%NAME%}
\ifdefined\tokenrankfragment
  \def\tokenrankend{}
\else
  \documentclass[10pt]{article}
  \usepackage[a4paper,landscape,margin=15mm]{geometry}
  \usepackage{booktabs}
  \pagestyle{empty}
  \def\tokenrankend{\end{document}}
  \begin{document}
\fi
"""
END = "\\tokenrankend\n"


def latex(grids: Sequence[Grid], name: str = "report.tex") -> str:
    """The tables as a document.

    Args:
        grids: the tables.
        name: of the file, for the comment at its top.
    """
    return BEGIN.replace("%NAME%", name) + "\n".join(map(_table, grids)) + END


def escaped(text: str) -> str:
    r"""The text without any meaning in LaTeX, in ASCII: other characters are question marks, as pdflatex lacks glyphs of most.

    >>> escaped("50 % of a_b")
    '50 \\% of a\\_b'
    """
    plain = " ".join(text.split()).encode("ascii", "replace").decode("ascii")
    return "".join(SPECIAL.get(letter, letter) for letter in plain)


def _table(grid: Grid) -> str:
    lines = [
        r"\begin{table}[htbp]",
        r"\centering",
        rf"\caption{{{escaped(grid.caption)}}}",
        r"\smallskip\small",
        rf"\begin{{tabular}}{{@{{}}l{'r' * len(grid.columns)}@{{}}}}",
        r"\toprule",
        *_headings(grid.columns),
        r"\midrule",
    ]
    for place, block in enumerate(grid.blocks):
        lines += [r"\midrule"] * (place > 0) + _block(block, len(grid.columns) + 1, titled=len(grid.blocks) > 1)
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", r"\end{table}", ""])


def _headings(columns: Sequence[tuple[str, str]]) -> list[str]:
    """One line of headings, or two where columns have groups."""
    groups = [(group, len(list(own))) for group, own in groupby(columns, key=lambda column: column[0])]
    lines = []
    if any(group for group, _ in groups):
        cells = [rf"\multicolumn{{{size}}}{{c}}{{{escaped(group)}}}" for group, size in groups]
        ends = [2]
        for _, size in groups:
            ends.append(ends[-1] + size)
        rules = "".join(
            rf"\cmidrule(lr){{{first}-{last - 1}}}"
            for (group, _), (first, last) in zip(groups, pairwise(ends), strict=True)
            if group
        )
        lines += [rf" & {' & '.join(cells)} \\", rules]
    return [*lines, rf"method & {' & '.join(escaped(heading) for _, heading in columns)} \\"]


def _block(block: Block, width: int, *, titled: bool) -> list[str]:
    lines = [rf"\multicolumn{{{width}}}{{@{{}}l}}{{\emph{{{escaped(block.title)}}}}} \\"] if titled else []
    for place, row in enumerate(block.rows):
        if place and row.group != block.rows[place - 1].group:
            lines.append(r"\addlinespace")
        lines.append(rf"{escaped(row.name)} & {' & '.join(map(_cell, row.cells))} \\")
    return lines


def _cell(cell: Cell) -> str:
    if math.isnan(cell.value):
        return ABSENT
    value = _minus(number(cell.value, cell.digits))
    marked = (rf"\textbf{{{value}}}" if cell.best else value) + r"$^\dagger$" * cell.dagger
    ends = interval(cell.low, cell.high, cell.digits)
    return marked if ends == NO_NUMBER else rf"{marked} {{\scriptsize {_minus(ends)}}}"


def _minus(numbers: str) -> str:
    """Numbers with minus signs in place of hyphens."""
    return numbers.replace("-", "$-$")
