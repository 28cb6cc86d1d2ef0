"""The needle grid: means of cells worked by hand, blank cells and why, and nothing where there is no depth."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from tests.command import Command
from tests.report.test_plots import colours, course, panels
from tokenrank.evaluation.folder import METRIC_COLUMNS, SAMPLE_COLUMNS
from tokenrank.report.grid import blank_cells, draw_engine_grids, draw_grid, grid, grid_panels

# id -> length, depth, score (None: failed), needle recall; no prompt of 900 tokens at 50 %
PROMPTS: dict[str, tuple[int, float, float | None, float]] = {
    "a": (300, 0.0, 1.0, 0.2),
    "b": (300, 0.0, 0.0, 0.6),  # a repeat of a
    "c": (300, 50.0, 1.0, 1.0),
    "d": (900, 0.0, None, 0.0),
}
GAP = float("nan")


def samples(prompts: dict[str, tuple[int, float, float | None, float]] = PROMPTS) -> pd.DataFrame:
    rows = [
        {"id": name, "tokens": tokens, "depth": depth, "score": score, "status": "failed" if score is None else "ok"}
        for name, (tokens, depth, score, _) in prompts.items()
    ]
    return pd.DataFrame(rows, columns=list(SAMPLE_COLUMNS)).astype(SAMPLE_COLUMNS)


def metrics(prompts: dict[str, tuple[int, float, float | None, float]] = PROMPTS) -> pd.DataFrame:
    """Needle recall of two heuristics, the second half as good, at two k; a failed prompt has no rows."""
    rows: list[tuple[object, ...]] = []
    for name, (_, _, score, recall) in prompts.items():
        if score is not None:
            for k in (5.0, 10.0):
                rows.append(("tiny", "niah", name, None, None, "needle_recall", k, k / 100, None, None))
                for heuristic, share in (("zeta", 1.0), ("alpha", 0.5)):
                    value = recall * share * k / 10
                    rows.append(("tiny", "niah", name, heuristic, None, "needle_recall.mean", k, value, None, None))
    return pd.DataFrame(rows, columns=list(METRIC_COLUMNS)).astype(METRIC_COLUMNS)


def cells() -> pd.DataFrame:
    return samples().set_index("id")


def same(found: pd.DataFrame, wanted: list[list[float]]) -> bool:
    return np.allclose(found.to_numpy(dtype=float), wanted, equal_nan=True)


def written(drawn: Figure) -> list[str]:
    return [text.get_text() for axes in panels(drawn).values() for text in axes.texts]


def test_a_cell_is_the_mean_of_its_prompts_and_gaps_stay_gaps() -> None:
    found = grid(cells(), cells()["score"])
    assert [list(axis) for axis in found.axes] == [[0, 50], [300, 900]]
    assert same(found, [[0.5, GAP], [1.0, GAP]])
    assert not same(found, [[0.5, 0.0], [1.0, GAP]])


def test_a_grid_is_in_ascending_order_whatever_the_order_of_the_prompts() -> None:
    backwards = cells().iloc[::-1]
    pd.testing.assert_frame_equal(grid(backwards, backwards["score"]), grid(cells(), cells()["score"]))


def test_blank_cells_are_explained() -> None:
    assert blank_cells(cells()).splitlines() == [
        "blank: no prompt (1 cell)",
        "blank: all prompts failed (1 cell)",
    ]
    one_of_two = cells().assign(status=["failed", "ok", "ok", "ok"])
    assert blank_cells(one_of_two).splitlines() == [
        "blank: no prompt (1 cell)",
        "left out of their cell's mean: 1 failed",
    ]
    assert blank_cells(cells().loc[["a", "b", "c"]]) == ""


def test_every_panel_has_its_table_on_the_scale_from_0_to_1() -> None:
    tables = {"full": grid(cells(), cells()["score"]), "pruned": grid(cells(), cells()["score"] / 2)}
    drawn = grid_panels(tables, "score", "a title", "a note", by_chance=0.1)
    shown = {name: axes for name, axes in panels(drawn).items() if name}
    assert list(shown) == ["full", "pruned"]
    for name, axes in shown.items():
        (image,) = axes.get_images()
        shades = pd.DataFrame(np.ma.MaskedArray(image.get_array(), dtype=float).filled(np.nan))
        assert same(shades, tables[name].to_numpy().tolist())
        assert image.get_clim() == (0, 1)
        assert axes.get_ylim()[0] > axes.get_ylim()[1]  # depth 0 is on top, as in the prompt
    assert [text.get_text() for text in shown["full"].get_xticklabels()] == ["300", "900"]
    assert [text.get_text() for text in shown["full"].get_yticklabels()] == ["0", "50"]
    assert written(drawn) == ["0.50", "1.00", "0.25", "0.50"]  # nothing in a blank cell
    assert drawn.get_supxlabel() == "a note"
    (bar,) = (axes for axes in drawn.axes if axes not in shown.values() and axes.get_visible())
    (mark,) = (line for line in bar.get_lines() if line.get_linestyle() == "--")
    assert set(course(mark)[1]) == {0.1}


def test_large_grids_have_few_labels_and_no_numbers_in_their_cells() -> None:
    table = pd.DataFrame(0.5, index=range(0, 101, 10), columns=[1000 * n for n in range(1, 14)])
    drawn = grid_panels({"full": table}, "score", "a title")
    axes = panels(drawn)["full"]
    assert [text.get_text() for text in axes.get_xticklabels()] == ["1000", "4000", "7000", "10000", "13000"]
    assert [text.get_text() for text in axes.get_yticklabels()] == ["0", "20", "40", "60", "80", "100"]
    assert written(drawn) == []


def drawn_tables(monkeypatch: pytest.MonkeyPatch, folder: Path, k: float) -> dict[str, dict[str, pd.DataFrame]]:
    """What ``draw_grid`` has drawn, by the name of the values."""
    drawn: dict[str, dict[str, pd.DataFrame]] = {}

    def note(tables: dict[str, pd.DataFrame], name: str, *rest: object) -> Figure:
        drawn[name] = tables
        return grid_panels(tables, name, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr("tokenrank.report.grid.grid_panels", note)
    draw_grid(samples(), metrics(), folder, k)
    return drawn


@pytest.mark.parametrize("k", [5, 10])
def test_both_pictures_show_the_cells_of_the_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, k: int) -> None:
    drawn = drawn_tables(monkeypatch, tmp_path, k)
    assert list(drawn) == ["answers found", f"needle_recall@{k}"]
    (scores,) = drawn["answers found"].values()
    assert same(scores, [[0.5, GAP], [1.0, GAP]])
    recalls = drawn[f"needle_recall@{k}"]
    assert list(recalls) == ["zeta", "alpha"]  # as in the table
    assert same(recalls["zeta"], [[0.4 * k / 10, GAP], [1.0 * k / 10, GAP]])
    assert same(recalls["alpha"], [[0.2 * k / 10, GAP], [0.5 * k / 10, GAP]])
    names = ("grid_score", f"grid_needle_recall_at_{k}")
    assert {file.name for file in tmp_path.iterdir()} == {f"{name}.{end}" for name in names for end in ("png", "pdf")}
    for picture in tmp_path.glob("*.png"):
        assert colours(picture) > 50


def test_answers_without_a_score_have_no_picture(tmp_path: Path) -> None:
    unscored = samples().assign(score=None).astype(SAMPLE_COLUMNS)
    draw_grid(unscored, metrics(), tmp_path, k=10)
    assert {file.stem for file in tmp_path.iterdir()} == {"grid_needle_recall_at_10"}


@pytest.mark.parametrize(
    ("shown", "table"),
    [
        (samples().assign(depth=None).astype(SAMPLE_COLUMNS), metrics()),
        (samples().drop(columns="depth"), metrics()),  # of an earlier version
        (samples(), metrics().head(0)),  # every prompt failed
        (samples().head(0), metrics().head(0)),
    ],
)
def test_without_a_depth_or_a_ranked_prompt_nothing_is_drawn(
    tmp_path: Path, shown: pd.DataFrame, table: pd.DataFrame
) -> None:
    draw_grid(shown, table, tmp_path, k=10)
    assert list(tmp_path.iterdir()) == []


def test_a_run_draws_the_grid_of_its_task(tokenrank: Command, tmp_path: Path) -> None:
    small = ("model=tiny", "task.lengths=[300,350]", "task.depths=[0,100]", "task.max_new_tokens=4", "k=[10]")
    assert tokenrank(*small, "metric=[recall,needle_recall]", "heuristic=[claa,random]").code == 0
    drawn = {file.stem for file in (tmp_path / "run" / "plots").glob("grid_*.png")}
    assert drawn == {"grid_score", "grid_needle_recall_at_10"}
    read = pd.read_parquet(tmp_path / "run" / "samples.parquet")
    assert list(read["depth"]) == [0, 100, 0, 100]
    (tmp_path / "prompts.jsonl").write_text('{"id": "a", "prompt": "a prompt without a needle or a depth"}\n')
    other = ("model=tiny", "task=prompts", f"task.path={tmp_path / 'prompts.jsonl'}", "task.max_new_tokens=2")
    assert tokenrank(*other, "metric=recall", f"hydra.run.dir={tmp_path / 'other'}").code == 0
    assert not list((tmp_path / "other" / "plots").glob("grid_*"))
    assert pd.read_parquet(tmp_path / "other" / "samples.parquet")["depth"].isna().all()


def engine_runs() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Two prompts of one depth each; the engine finds one of them, at 20 % neither."""
    samples = pd.DataFrame(
        [
            {"id": "a", "tokens": 100, "depth": 0.0, "status": "ok"},
            {"id": "b", "tokens": 100, "depth": 50.0, "status": "ok"},
        ]
    )
    runs = [
        {"sample": sample, "engine": engine, "keep": keep, "score": score}
        for sample, claa in (("a", 0.0), ("b", 1.0))
        for engine, keep, score in (
            ("full", 100.0, 1.0),
            ("random", 10.0, 0.0),
            ("claa", 10.0, claa),
            ("claa", 20.0, None),
        )
    ]
    return samples, pd.DataFrame(runs)


def test_engines_get_a_picture_a_keep_rate(tmp_path: Path) -> None:
    samples, runs = engine_runs()
    draw_engine_grids(samples, runs, "a model", tmp_path)
    assert {file.name for file in tmp_path.glob("*.png")} == {"grid_score_at_10.png"}  # at 20 % nothing was scored


def test_engines_of_prompts_without_a_depth_get_no_picture(tmp_path: Path) -> None:
    samples, runs = engine_runs()
    draw_engine_grids(samples.assign(depth=[float("nan")] * 2), runs, "a model", tmp_path)
    assert not list(tmp_path.iterdir())


def test_an_engines_panel_holds_its_own_scores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[Mapping[str, pd.DataFrame]] = []
    plain = grid_panels

    def noted(tables: Mapping[str, pd.DataFrame], name: str, title: str, note: str) -> Figure:
        drawn.append(tables)
        return plain(tables, name, title, note)

    monkeypatch.setattr("tokenrank.report.grid.grid_panels", noted)
    draw_engine_grids(*engine_runs(), "a model", tmp_path)
    (tables,) = drawn
    assert list(tables) == ["full", "claa", "random"]
    assert tables["claa"].to_numpy().tolist() == [[0], [1]]  # depths 0 and 50
    assert (tables["full"] == 1).all(axis=None)
