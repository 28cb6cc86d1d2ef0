"""The needle grid of contestants: answers found, losses and needles kept, each on its scale."""

from dataclasses import replace

from tests.report.contestant_examples import as_tables, value_row
from tests.report.drawn_pictures import drawn, panels, readable
from tests.report.pictures.test_grid import shown
from tokenrank.records.schema import METRICS, SAMPLES, table
from tokenrank.records.tables import Tables
from tokenrank.report.pictures.contestant_grid import contestant_grids
from tokenrank.report.pictures.drawing import INK


def contestant_run() -> Tables:
    """Two prompts of one depth each; the contestant finds one of them, at 20 % it answers neither."""
    samples = [
        {"id": "a", "tokens": 100, "depth": 0.0, "status": "ok"},
        {"id": "b", "tokens": 100, "depth": 50.0, "status": "ok"},
    ]
    metrics = [
        value_row("niah", sample, name, "accuracy", keep, accuracy)
        for sample, claa in (("a", 0.0), ("b", 1.0))
        for name, keep, accuracy in (("full", 100.0, 1.0), ("random@claa", 10.0, 0.0), ("claa", 10.0, claa))
    ]
    return as_tables([*metrics, value_row("niah", "a", "claa", "flops", 20.0, 1e9)], samples=samples)


def of_fidelity() -> Tables:
    """The same prompts, of which the pruned caches lose more the deeper the needle is; nothing is graded."""
    tables = contestant_run()
    rows = [
        value_row("niah", sample, name, metric, keep, value * times)
        for name, keep, times in (("full", 100.0, 0.0), ("random@claa", 10.0, 4.0), ("claa", 10.0, 1.0))
        for metric, sample, value in (
            ("loss", "a", -0.1), ("loss", "b", 0.5), ("needle_kept", "a", 0.25), ("needle_kept", "b", 0.0),
        )
    ]  # fmt: skip
    return replace(tables, metrics=table(rows, METRICS))


def test_contestants_get_a_picture_a_keep_rate() -> None:
    assert list(contestant_grids(contestant_run())) == ["grid_accuracy_at_10"]  # at 20 % nothing was answered


def test_losses_and_kept_needles_have_grids_without_the_full_prefill() -> None:
    pictures = contestant_grids(of_fidelity())
    assert list(pictures) == ["grid_loss_at_10", "grid_needle_kept_at_10"]
    lost, needles = (shown(pictures, name) for name in pictures)
    assert list(lost) == list(needles) == ["claa", "random@claa"]
    assert lost["claa"].to_numpy().tolist() == [[-0.1], [0.5]]
    assert needles["random@claa"].to_numpy().tolist() == [[1], [0]]


def test_losses_are_on_one_scale_from_none_to_the_largest_and_the_rest_on_that_of_shares() -> None:
    for name, limits in (("grid_loss_at_10", (0, 2)), ("grid_needle_kept_at_10", (0, 1))):
        figure = drawn(contestant_grids(of_fidelity())[name])
        assert [axes.get_images()[0].get_clim() for axes in panels(figure).values() if axes.get_images()] == [
            limits
        ] * 2


def test_what_is_written_in_a_cell_can_be_read_on_its_colour() -> None:
    figure = drawn(contestant_grids(of_fidelity())["grid_loss_at_10"])
    inks = {text.get_text(): text.get_color() for axes in panels(figure).values() for text in axes.texts}
    assert (inks["-0.10"], inks["2.00"]) == (INK, "white")  # light is no loss
    figure = drawn(contestant_grids(of_fidelity())["grid_needle_kept_at_10"])
    inks = {text.get_text(): text.get_color() for axes in panels(figure).values() for text in axes.texts}
    assert (inks["0.00"], inks["1.00"]) == ("white", INK)  # light is all of it


def test_contestants_of_prompts_without_a_depth_get_no_picture() -> None:
    tables = contestant_run()
    assert contestant_grids(replace(tables, samples=tables.samples.assign(depth=None).astype(SAMPLES))) == {}


def test_a_contestants_panel_holds_its_own_accuracies() -> None:
    found = shown(contestant_grids(contestant_run()), "grid_accuracy_at_10")
    assert list(found) == ["full", "claa", "random@claa"]
    assert found["claa"].to_numpy().tolist() == [[0], [1]]  # depths 0 and 50
    assert (found["full"] == 1).all(axis=None)


def test_panels_are_in_the_order_of_results_and_cells_say_how_many_prompts_they_are_over() -> None:
    figure = drawn(contestant_grids(contestant_run())["grid_accuracy_at_10"])
    assert list(panels(figure)) == ["full", "claa", "random@claa"]
    notes = [text.get_text() for axes in panels(figure).values() for text in axes.texts]
    assert [note for note in notes if note.startswith("n=")] == ["n=1"] * 6
    said = ["answers found by length and depth", "tiny on niah, n = 2 prompts, keep rate 10 %"]
    assert figure.get_suptitle().splitlines() == said
    readable(figure)
