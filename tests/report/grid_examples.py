"""A table with all kinds of cells and letters."""

from tokenrank.report.tables.result_grid import Block, Cell, Grid, Row

GRID = Grid(
    "recall@10",
    "50 % of <b>",
    [("keep 10 %", "loss"), ("", "gap")],
    [
        Block(
            "tiny on a|b",
            [
                Row("x_y", [Cell(0.1234, -0.1, 0.2, best=True, dagger=True), Cell()], "method"),
                Row("full", [Cell(-0.5), Cell(1.25, digits=2)], "full"),
            ],
        ),
        Block("second", [Row("x_y", [Cell(0.2), Cell()], "method")]),
    ],
)
