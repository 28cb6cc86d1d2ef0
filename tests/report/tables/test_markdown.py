"""Markdown tables, letter by letter."""

from tests.report.grid_examples import GRID
from tokenrank.report.tables.markdown import escaped, markdown


def test_a_table_letter_by_letter() -> None:
    assert markdown([GRID], "Results of a_b") == (
        "# Results of a\\_b\n\n"
        "## recall@10\n\n"
        "50 % of \\<b\\>\n\n"
        "| method | keep 10 %: loss | gap |\n"
        "| --- | ---: | ---: |\n"
        "| *tiny on a\\|b* |  |  |\n"
        "| x\\_y | **0.123**\u2020 [-0.100, 0.200] | - |\n"
        "| full | -0.500 | 1.25 |\n"
        "| *second* |  |  |\n"
        "| x\\_y | 0.200 | - |\n"
    )


def test_no_text_can_end_a_cell_or_become_markup() -> None:
    assert escaped("a|b\n<script>*x*[y](z)`") == "a\\|b \\<script\\>\\*x\\*\\[y\\](z)\\`"
    assert escaped("oracle@gemfilter 10 %") == "oracle@gemfilter 10 %"
