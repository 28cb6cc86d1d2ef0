"""LaTeX tables: letter by letter everywhere, and compiled where latexmk is installed (it skips, and says so, elsewhere)."""

import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from tests.report.grid_examples import GRID
from tests.report.table_examples import contestant_run, ranking_tables, table_run
from tokenrank.report.tables.latex import escaped, latex
from tokenrank.report.tables.report_files import grid
from tokenrank.report.tables.result_grid import Grid

COMPILED = pytest.mark.skipif(
    shutil.which("latexmk") is None, reason="latexmk is not installed: report.tex is not compiled"
)
HOSTILE = r"\input{x} 50% & $5_a^b #1 ~ <|>`" + '"{} \u2020\u00e9'
DOCUMENT = r"""\documentclass[twocolumn]{article}
\usepackage{booktabs}
\newcommand{\tokenrankfragment}{}
\begin{document}
Before. \input{report.tex} After.
\end{document}
"""


def test_a_table_letter_by_letter() -> None:
    text = latex([GRID])
    body = text[text.index(r"\begin{tabular}") : text.index(r"\end{tabular}")]
    assert body.splitlines() == [
        r"\begin{tabular}{@{}lrr@{}}",
        r"\toprule",
        r" & \multicolumn{1}{c}{keep 10 \%} & \multicolumn{1}{c}{} \\",
        r"\cmidrule(lr){2-2}",
        r"method & loss & gap \\",
        r"\midrule",
        r"\multicolumn{3}{@{}l}{\emph{tiny on a\textbar{}b}} \\",
        r"x\_y & \textbf{0.123}$^\dagger$ {\scriptsize [$-$0.100, 0.200]} & -- \\",
        r"\addlinespace",
        r"full & $-$0.500 & 1.25 \\",
        r"\midrule",
        r"\multicolumn{3}{@{}l}{\emph{second}} \\",
        r"x\_y & 0.200 & -- \\",
        r"\bottomrule",
    ]
    assert r"\caption{50 \% of \textless{}b\textgreater{}}" in text


def test_no_letter_keeps_a_meaning_in_tex() -> None:
    shown = escaped(HOSTILE)
    assert shown.isascii()
    plain = re.sub(
        r"\\(textbackslash|textasciicircum|textasciitilde|textless|textgreater|textbar|textasciigrave)\{\}|\\[{}$&#%_]",
        "",
        shown,
    )
    assert not re.search(r"[\\{}$&#%_^~<>|`\"]", plain)


def named(name: str) -> Grid:
    """The grid, all of whose rows and titles have this name."""
    blocks = [replace(block, title=name, rows=[replace(row, name=name) for row in block.rows]) for block in GRID.blocks]
    return replace(GRID, blocks=blocks)


@pytest.mark.parametrize(("name", "shown"), [("[2pt] a", "{[}2pt] a"), ("*", "{*}"), ("a [b]*", "a {[}b]{*}")])
def test_a_name_behind_the_end_of_a_row_is_no_argument_of_it(name: str, shown: str) -> None:
    rows = [line for line in latex([named(name)]).splitlines() if " & " in line and shown in line]
    assert len(rows) == sum(len(block.rows) for block in GRID.blocks)
    assert all(row.startswith(f"{shown} & ") for row in rows)


@pytest.mark.parametrize("metric", ["accuracy", "loss", "recall"])
def test_every_row_has_as_many_cells_as_there_are_columns(metric: str) -> None:
    run = table_run(ranking_tables({("claa", "gemfilter"): 0.01})) if metric == "recall" else contestant_run()
    text = latex([grid([run], metric, 10.0)])
    columns = len(re.search(r"\\begin\{tabular\}\{@\{\}l(r+)@\{\}\}", text).group(1))  # type: ignore[union-attr]
    rows = [line for line in text.splitlines() if line.endswith(r"\\") and "multicolumn" not in line]
    assert len(rows) > 5
    assert all(line.count(" & ") == columns for line in rows)
    begun, ended = re.findall(r"\\begin\{(\w+)\}", text), re.findall(r"\\end\{(\w+)\}", text)
    assert sorted(begun) == sorted(ended)
    assert r"$^\dagger$" in text or metric == "loss"


@COMPILED
def test_the_document_compiles_by_itself_and_inside_a_paper(tmp_path: Path) -> None:
    shown = grid([contestant_run()], "accuracy", None)
    hostile = GRID.__class__(HOSTILE, HOSTILE, GRID.columns, GRID.blocks)
    (tmp_path / "report.tex").write_text(latex([shown, hostile, named("[2pt] a"), named("*")]))
    (tmp_path / "paper.tex").write_text(DOCUMENT)
    for name in ("report.tex", "paper.tex"):
        ended = subprocess.run(
            ["latexmk", "-pdf", "-interaction=nonstopmode", "-halt-on-error", name],
            cwd=tmp_path,
            capture_output=True,
            check=False,
        )
        assert ended.returncode == 0, ended.stdout.decode(errors="replace")[-2000:]
        assert (tmp_path / name).with_suffix(".pdf").stat().st_size > 10_000
    assert "Overfull" not in (tmp_path / "report.log").read_text(errors="replace")
    if shutil.which("pdftotext") is not None:
        text = subprocess.run(["pdftotext", "report.pdf", "-"], cwd=tmp_path, capture_output=True, check=True).stdout
        assert text.count(b"[2pt] a") == sum(len(block.rows) + 1 for block in GRID.blocks)


@COMPILED
def test_latexmk_refuses_a_table_with_a_broken_row(tmp_path: Path) -> None:
    broken = latex([GRID]).replace(r"full & ", r"full & & & & ")
    (tmp_path / "report.tex").write_text(broken)
    ended = subprocess.run(
        ["latexmk", "-pdf", "-interaction=nonstopmode", "-halt-on-error", "report.tex"],
        cwd=tmp_path,
        capture_output=True,
        check=False,
    )
    assert ended.returncode != 0
