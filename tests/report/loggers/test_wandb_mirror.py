"""The copy in W&B, read back from its offline file: config, names, curves, tables, summary, plots and the artifact."""

import json
import struct
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tests.report.mirror_examples import NAMES, OURS, made_up
from tokenrank.records.schema import SAMPLES, TEXTS, arrow_table, frame
from tokenrank.report.loggers.trackers import WandB
from tokenrank.report.loggers.wandb_mirror import as_table

BLOCK = 32_768


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


def test_all_that_wandb_writes_is_under_the_run_folder(folder: Path) -> None:
    tables = {f"{name}.parquet" for name in ("metrics", "summary", "samples", "runs")}
    others = {"config.yaml", "environment.json", "plots", "levels", "report.html", "run.log"}
    assert {each.name for each in folder.iterdir()} == {"wandb", "copies.json"} | others | tables


def test_curves_are_metrics_over_the_layer(copied: list[Any]) -> None:
    """One W&B metric a heuristic, metric and k, with the layer as its x axis: what the workspace draws."""
    logged = [
        {item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in record.history.item}
        for record in copied
        if record.WhichOneof("record_type") == "history"
    ]
    lines = [row for row in logged if "layer" in row]
    assert [row["layer"] for row in lines] == [0, 3]
    assert [row["layer/recall@10/claa"] for row in lines] == pytest.approx([0.4, 0.45])
    assert [row["layer/recall@10/chance"] for row in lines] == pytest.approx([0.1, 0.1])
    assert [row.get("layer/spearman/claa") for row in lines] == [None, -0.5]
    defined = {
        record.metric.glob_name or record.metric.name: record.metric
        for record in copied
        if record.WhichOneof("record_type") == "metric"
    }
    assert defined["layer/*"].step_metric == "layer"


def test_contestants_stand_in_one_table(folder: Path) -> None:
    (row,) = table(folder, "contestants").to_dict("records")
    assert row["contestant"] == "claa"
    assert (row["recall@10.mean"], row["recall@10.worst"]) == pytest.approx(((0.3 + 0.55) / 2, 0.35))


def test_samples_without_texts_and_with_them(folder: Path, tmp_path: Path) -> None:
    assert list(table(folder, "samples")) == [name for name in SAMPLES if name not in TEXTS]
    assert table(folder, "samples")["tokens"].tolist() == [300, 301]
    WandB(offline=True, texts=True).mirror(made_up(tmp_path), NAMES)
    sent = table(tmp_path, "samples")
    assert [sent[name][0] for name in ("answer", "prompt", "references")] == [OURS, OURS, [OURS]]
    assert sent["error"][1] == f"OSError: {OURS}"


def test_a_copy_with_other_settings_takes_the_place_of_the_first(tmp_path: Path) -> None:
    """`wandb sync wandb/offline-run-*` would upload both, one after the other, as one run."""
    run = made_up(tmp_path)
    WandB(offline=True).mirror(run, NAMES)
    assert len(list(tmp_path.glob("wandb/offline-run-*"))) == 1
    WandB(offline=True, project="another").mirror(run, NAMES)
    (second,) = tmp_path.glob("wandb/offline-run-*")
    (head,) = (each.run for each in records(next(second.glob("*.wandb"))) if each.WhichOneof("record_type") == "run")
    assert head.project == "another"


def test_lists_of_lists_are_cells_of_a_table() -> None:
    """As parquet gives the spans of evidence: arrays of arrays, of which prompts have none, one or several."""
    rows: list[dict[str, Any]] = [
        {"id": "a", "evidence": [[3, 9], [12, 15]]}, {"id": "b", "evidence": [[0, 2]]}, {"id": "c", "evidence": None},
    ]  # fmt: skip
    columns = {"id": "str", "evidence": "object"}
    found = as_table(frame(arrow_table(rows, columns), columns))
    assert found.columns == ["id", "evidence"]
    assert found.data == [["a", [[3, 9], [12, 15]]], ["b", [[0, 2]]], ["c", None]]
