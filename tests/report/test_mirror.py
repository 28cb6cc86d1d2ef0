"""The copy in W&B, read back from its offline file: config, names, tables, summary, plots, the artifact, and no texts."""

import json
import struct
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from matplotlib.figure import Figure

from tests.report.contestant_examples import LOSSES, as_tables, fidelity_tables, value_row, whose
from tests.report.ranking_examples import at_layer, of_pair, of_prompt, of_prompts, ranked
from tests.report.run_folders import run_folder
from tokenrank.records.run_folder import RunFolder
from tokenrank.records.run_names import Names
from tokenrank.records.schema import SAMPLES, TEXTS
from tokenrank.report.drawing import write_picture
from tokenrank.report.logger import WandB
from tokenrank.report.mirror import summary_metrics

NAMES = Names(group="a_sweep", job_type="ranking", name="claa-tiny-niah", id="0badcafe")
OURS = "an answer that is nobody's business"
BLOCK = 32_768
VALUES = {("a", 0): 0.2, ("a", 3): 0.4, ("b", 0): 0.6, ("b", 3): 0.5}  # sample and layer -> recall


def made_up(folder: Path) -> RunFolder:
    """A run folder made by hand, with one picture."""
    metrics, summary = [], []
    for k in (5.0, 10.0):
        for (sample, layer), value in VALUES.items():
            metrics.append(at_layer(sample, "claa", layer, "recall", k, value * k / 10))
        for sample in ("a", "b"):
            both = [value * k / 10 for (each, _), value in VALUES.items() if each == sample]
            metrics.append(at_layer(sample, None, None, "recall", k, k / 100))
            summary.append(of_prompt(sample, "claa", "recall", "mean", k, sum(both) / 2))
            summary.append(of_prompt(sample, "claa", "recall", "worst", k, min(both)))
    summary.append(of_prompts("claa", "recall", "mean", 10.0, 7.0))  # over prompts
    summary.append(of_pair("claa", 0, 3, "recall", 10.0, 7.0))
    metrics.append(at_layer("a", "claa", 3, "spearman", None, -0.5))
    samples = [
        {"id": "a", "tokens": 300, "prompt": OURS, "references": [OURS], "answer": OURS},
        {"id": "b", "tokens": 301, "error": f"OSError: {OURS}"},
    ]
    made = run_folder(folder, ranked(metrics, summary, samples))
    write_picture(made.plots / "recall_at_10_layers", Figure)
    return made


def records(file: Path) -> Iterator[Any]:
    """What a .wandb file holds: protobuf records in LevelDB's log format, 7 bytes of header, then blocks."""
    classes: Any = import_module("wandb.proto.wandb_internal_pb2")
    data, place, parts = file.read_bytes(), 7, b""
    while place + 7 <= len(data):
        left = BLOCK - place % BLOCK
        if left < 7:  # too short for another record's head: filled with zeros
            place += left
            continue
        length, kind = struct.unpack("<HB", data[place + 4 : place + 7])
        parts += data[place + 7 : place + 7 + length]
        place += 7 + length
        if kind in (1, 4):  # whole, or the last of its parts
            yield classes.Record.FromString(parts)
            parts = b""


def updated(records: list[Any], kind: str, group: str) -> dict[str, Any]:
    """The keys and values that records of one kind set, later ones over earlier ones."""
    found: dict[str, Any] = {}
    for record in records:
        if record.WhichOneof("record_type") == kind:
            for item in getattr(getattr(record, kind), group) if group == "update" else record.run.config.update:
                found["/".join(item.nested_key) or item.key] = json.loads(item.value_json)
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder with its copy for W&B beside it."""
    made = made_up(tmp_path_factory.mktemp("run"))
    WandB(offline=True).mirror(made, NAMES)
    return made.path


@pytest.fixture(scope="module")
def copied(folder: Path) -> list[Any]:
    """The records of the only offline file."""
    (file,) = folder.glob("wandb/offline-run-*/*.wandb")
    return list(records(file))


def table(folder: Path, name: str) -> pd.DataFrame:
    (file,) = folder.glob(f"wandb/offline-run-*/files/media/table/{name}_*.table.json")
    content = json.loads(file.read_text())
    return pd.DataFrame(content["data"], columns=content["columns"])


def test_names_and_config_are_the_runs(copied: list[Any]) -> None:
    (run,) = (record.run for record in copied if record.WhichOneof("record_type") == "run")
    assert (run.project, run.run_id, run.run_group) == ("tokenrank", "0badcafe", "a_sweep")
    assert (run.job_type, run.display_name) == ("ranking", "claa-tiny-niah")
    config = {item.key: json.loads(item.value_json) for item in run.config.update}
    assert config["seed"] == 7
    assert config["model"] == {"name": "tiny"}


def test_the_summary_holds_means_over_samples_and_chance(copied: list[Any]) -> None:
    summary = updated(copied, "summary", "update")
    assert summary["claa/recall@10.mean"] == pytest.approx((0.3 + 0.55) / 2)
    assert summary["claa/recall@10.worst"] == pytest.approx((0.2 + 0.5) / 2)
    assert summary["chance/recall@10"] == pytest.approx(0.1)
    assert not [key for key in summary if "@5" in key]


def test_each_metric_has_a_table_of_its_layers(folder: Path) -> None:
    recall = table(folder, "layers/recall").set_index(["heuristic", "k", "layer"])["value"]
    assert recall["claa", 10, 0] == pytest.approx(0.4)
    assert recall["claa", 10, 3] == pytest.approx(0.45)
    assert recall["claa", 5, 0] == pytest.approx(0.2)
    assert len(recall) == 4
    assert table(folder, "layers/spearman").to_numpy().tolist() == [["claa", None, 3, -0.5]]


def test_the_plots_and_the_tables_themselves_are_there(folder: Path, copied: list[Any]) -> None:
    (picture,) = folder.glob("wandb/offline-run-*/files/media/images/plots/*.png")
    assert picture.read_bytes() == (folder / "plots" / "recall_at_10_layers.png").read_bytes()
    artifacts = [record.artifact for record in copied if record.WhichOneof("record_type") == "artifact"]
    (own,) = (artifact for artifact in artifacts if artifact.type == "metrics")
    sizes = {entry.path: entry.size for entry in own.manifest.contents}
    assert sizes == {name: (folder / name).stat().st_size for name in ("metrics.parquet", "summary.parquet")}


def holds(folder: Path, text: str) -> bool:
    return any(text.encode() in file.read_bytes() for file in (folder / "wandb").rglob("*") if file.is_file())


def test_texts_stay_here_unless_it_is_asked_for(folder: Path, tmp_path: Path) -> None:
    assert list(table(folder, "samples")) == [name for name in SAMPLES if name not in TEXTS]
    assert table(folder, "samples")["tokens"].tolist() == [300, 301]
    assert not holds(folder, OURS)
    WandB(offline=True, texts=True).mirror(made_up(tmp_path), NAMES)
    sent = table(tmp_path, "samples")
    assert [sent[name][0] for name in ("answer", "prompt", "references")] == [OURS, OURS, [OURS]]
    assert sent["error"][1] == f"OSError: {OURS}"
    assert holds(tmp_path, OURS)  # the search above would have found it


def test_all_that_wandb_writes_is_under_the_run_folder(folder: Path) -> None:
    tables = {f"{name}.parquet" for name in ("metrics", "summary", "samples", "runs")}
    assert {each.name for each in folder.iterdir()} == {"config.yaml", "environment.json", "plots", "wandb"} | tables


def test_contestants_are_summed_up_at_every_keep_rate() -> None:
    metrics = [
        value_row("niah", sample, name, "accuracy", keep, accuracy)
        for sample, accuracy in (("a", 0.2), ("b", 0.6))
        for name, keep in (("full", 100.0), ("claa", 10.0), ("claa", 20.0))
    ]
    mean = whose("claa", 10.0) | {"metric": "accuracy", "statistic": "mean", "value": 7.0}
    median = value_row("niah", "a", "claa", "ttft", 10.0, 3.0) | {"statistic": "median"}
    found = summary_metrics(as_tables(metrics, [mean, median]), k=99)
    accuracies = {f"{name}/accuracy@{keep}": 0.4 for name, keep in (("full", 100), ("claa", 10), ("claa", 20))}
    assert found == pytest.approx(accuracies | {"claa/ttft@10": 3.0})


def test_losses_of_every_engines_bound_and_control_are_summed_up() -> None:
    found = summary_metrics(fidelity_tables(("full", "claa", "oracle@claa", "random@claa"), prompts=2), k=99)
    for name in ("claa", "oracle@claa", "random@claa"):
        for place, keep in enumerate((10, 20, 40)):
            assert found[f"{name}/loss@{keep}"] == pytest.approx(LOSSES[name][place])
            assert found[f"{name}/kl@{keep}"] == pytest.approx(0.8 * LOSSES[name][place])
    assert (found["full/loss@100"], found["full/same_token@100"]) == (0, 1)
