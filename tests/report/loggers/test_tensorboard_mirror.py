"""The copy for TensorBoard, read back by TensorBoard's own reader: curves, means, texts, pictures."""

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("tensorboard", reason="tensorboard is not installed (pip install 'tokenrank[tensorboard]')")

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import plugin_data_pb2

from tests.report.contestant_examples import as_tables, value_row, whose
from tests.report.mirror_examples import NAMES, OURS, made_up
from tests.report.run_folders import run_folder
from tokenrank.records.run_folder import RunFolder
from tokenrank.report.loggers.run_copy import run_copy
from tokenrank.report.loggers.tensorboard_mirror import mirror
from tokenrank.report.loggers.trackers import TensorBoard


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A run folder with its copy."""
    made = made_up(tmp_path_factory.mktemp("run"))
    TensorBoard().mirror(made, NAMES)
    return made


def copied(run: RunFolder, *, texts: bool = False) -> Path:
    """The folder of the event files of a copy that is made in this process."""
    home = run.path / "tensorboard"
    home.mkdir(exist_ok=True)
    mirror(run_copy(run, NAMES, texts=texts), {"home": str(home)})
    return home


def events(folder: Path) -> Any:
    """What TensorBoard reads of one of its runs."""
    found = EventAccumulator(str(folder), size_guidance={"images": 0, "tensors": 0, "scalars": 0})
    found.Reload()
    return found


def scalars(folder: Path, tag: str) -> Any:
    return [(each.step, each.value) for each in events(folder).Scalars(tag)]


def texts(folder: Path) -> dict[str, str]:
    found = events(folder)
    return {tag: found.Tensors(tag)[0].tensor_proto.string_val[0].decode() for tag in found.Tags()["tensors"]}


def test_each_heuristic_is_a_run_whose_steps_are_layers(run: RunFolder) -> None:
    home = run.path / "tensorboard"
    assert {each.name for each in home.iterdir() if each.is_dir()} == {"claa", "chance"}
    assert scalars(home / "claa", "layer/recall@10") == [(0, pytest.approx(0.4)), (3, pytest.approx(0.45))]
    assert scalars(home / "claa", "layer/recall@5") == [(0, pytest.approx(0.2)), (3, pytest.approx(0.225))]
    assert scalars(home / "claa", "layer/spearman") == [(3, -0.5)]
    assert scalars(home / "chance", "layer/recall@10") == [(0, pytest.approx(0.1)), (3, pytest.approx(0.1))]


def test_means_are_metrics_of_the_hparams_page(run: RunFolder) -> None:
    claa = run.path / "tensorboard" / "claa"
    assert scalars(claa, "means/recall@10.mean") == [(0, pytest.approx((0.3 + 0.55) / 2))]
    assert scalars(claa, "means/recall@10.worst") == [(0, pytest.approx(0.35))]
    found = events(claa)
    plugin = found.summary_metadata["_hparams_/session_start_info"].plugin_data.content
    start = plugin_data_pb2.HParamsPluginData.FromString(plugin).session_start_info
    assert start.hparams["heuristic"].string_value == "claa"
    assert start.hparams["id"].string_value == "0badcafe"


def test_config_prompts_and_pictures_are_there(run: RunFolder) -> None:
    home = run.path / "tensorboard"
    said = texts(home)
    config = "\n".join(line.removeprefix("    ") for line in said["config/text_summary"].splitlines())
    assert json.loads(config)["model"] == {"name": "tiny"}
    assert "| a |  | 300 |" in said["prompts/text_summary"]
    assert set(said) == {"config/text_summary", "prompts/text_summary"}
    (picture,) = events(home).Images("plots/recall_at_10_layers")
    assert picture.encoded_image_string.startswith(b"\x89PNG")


def test_texts_are_shown_as_they_are_where_they_were_asked_for(tmp_path: Path) -> None:
    run = made_up(tmp_path)
    said = texts(copied(run, texts=True))
    for name in ("prompt/a", "answer/a", "references/a"):
        assert said[f"{name}/text_summary"] == f"    {OURS}"
    assert said["error/b/text_summary"] == f"    OSError: {OURS}"
    assert "prompt/b/text_summary" not in said


def test_steps_of_contestants_are_keep_rates_and_a_half_percent_is_not_rounded_away(tmp_path: Path) -> None:
    for number, keeps in enumerate(((10.0, 20.0), (0.5, 10.0))):
        rows = [value_row("niah", "a", "claa", "accuracy", keep, keep / 100) for keep in keeps]
        mean = {"metric": "accuracy", "statistic": "mean"}
        means = [whose("claa", keep) | mean | {"value": keep / 100} for keep in keeps]
        run = run_folder(tmp_path / str(number), as_tables(rows, means))
        copied(run)
    whole, finer = (tmp_path / str(number) / "tensorboard" / "claa" for number in (0, 1))
    assert scalars(whole, "keep/accuracy") == [(10, pytest.approx(0.1)), (20, pytest.approx(0.2))]
    assert scalars(finer, "keep in 0.01 %/accuracy") == [(50, pytest.approx(0.005)), (1000, pytest.approx(0.1))]


def test_a_second_copy_takes_the_place_of_the_first(tmp_path: Path) -> None:
    made = made_up(tmp_path)
    copied(made)
    copied(made, texts=True)
    assert len(list((tmp_path / "tensorboard" / "claa").glob("events.*"))) == 1
    assert len(scalars(tmp_path / "tensorboard" / "claa", "layer/recall@10")) == 2
