"""scripts/dashboard.py: the workspace holds what a run has, and is saved by one who is logged in, else written."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip(
    "wandb_workspaces", reason="wandb-workspaces is not installed (pip install 'tokenrank[workspaces]')"
)

from scripts.dashboard import command
from tests.report.contestant_examples import as_tables, value_row, whose
from tests.report.mirror_examples import OURS, made_up
from tests.report.run_folders import run_folder
from tokenrank.records.run_folder import RunFolder
from tokenrank.report.loggers import workspace


@pytest.fixture(autouse=True)
def nobody(no_account: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """In every test."""
    monkeypatch.chdir(tmp_path)


def panels(written: str | dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Section -> the settings of its panels."""
    whole = json.loads(written) if isinstance(written, str) else written
    sections = whole["spec"]["section"]["panelBankConfig"]["sections"]
    return {section["name"]: [panel["config"] for panel in section["panels"]] for section in sections}


def settings(run: RunFolder | None, **more: Any) -> dict[str, Any]:
    path = None if run is None else str(run.path)
    return {"run": path, "project": "p", "entity": None, "asked_for_file": False, "file": "workspace.json"} | more


def test_without_a_key_the_spec_is_written_and_that_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = made_up(tmp_path / "run")
    assert command([str(run.path), "--project", "mine"]) == 0
    said = "not saved in W&B, as there is no API key; its spec is in workspace.json\n"
    assert capsys.readouterr() == (said, "")
    written = (tmp_path / "workspace.json").read_text()
    assert json.loads(written)["project"] == "mine"
    assert OURS not in written
    assert {path.name for path in tmp_path.iterdir()} == {"run", "workspace.json"}


def test_paths_in_the_home_folder_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made_up(tmp_path / "run")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert command(["~/run", "--to=~/spec.json"]) == 0
    assert "that was asked for" in capsys.readouterr().out
    assert json.loads((tmp_path / "spec.json").read_text())["project"] == "tokenrank"


def test_the_panels_are_those_of_the_run(tmp_path: Path) -> None:
    run = made_up(tmp_path / "run")
    (run.plots / "recall_at_10_heatmap.png").write_bytes(b"")
    workspace.make(settings(run))
    found = panels(Path("workspace.json").read_text())
    curves = found["Layer curves by heuristic"]
    assert [panel["metricRegex"] for panel in curves] == [
        f"^layer/{name}/" for name in ("recall@5", "recall@10", "spearman")
    ]
    assert {panel["xAxis"] for panel in curves} == {"layer"}
    assert [panel["mediaKeys"] for panel in found["Heat maps: heuristic x layer"]] == [["plots/recall_at_10_heatmap"]]
    assert [panel["fieldSettings"] for panel in found["Trade-offs"]] == [
        {"x": f"{name}.worst", "y": f"{name}.mean"} for name in ("recall@10", "spearman")
    ]
    assert "Curves over keep rates" not in found
    assert len(found["Tables"]) == 2
    pinned = json.dumps(json.loads(Path("workspace.json").read_text())["spec"])
    assert "summary:claa/recall@10.mean" in pinned


def test_contestants_have_curves_over_keep_rates_and_trade_offs(tmp_path: Path) -> None:
    rows = [
        value_row("niah", "a", "claa", name, keep, keep / 100)
        for name in ("accuracy", "loss", "flops_ratio")
        for keep in (10.0, 20.0)
    ]
    means = [
        whose("claa", row["keep"]) | {"metric": row["metric"], "statistic": "mean", "value": row["value"]}
        for row in rows
    ]
    workspace.make(settings(run_folder(tmp_path / "run", as_tables(rows, means))))
    found = panels(Path("workspace.json").read_text())
    assert [panel["fieldSettings"]["y"] for panel in found["Trade-offs"]] == ["accuracy", "loss"]
    assert [panel["metricRegex"] for panel in found["Curves over keep rates"]] == [
        "^keep/accuracy/", "^keep/loss/", "^keep/flops_ratio/",
    ]  # fmt: skip
    assert "Layer curves by heuristic" not in found


@pytest.mark.parametrize("entity", [None, "team"])
def test_one_who_is_logged_in_saves_it(entity: str | None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    saved: list[Any] = []

    class Api:
        default_entity = "me"

        def __init__(self, **_: object) -> None: ...

    def upsert(view: Any) -> dict[str, Any]:
        saved.append(view)
        return {"upsertView": {"view": {"id": "1", "name": "nw-abc-v"}}}

    monkeypatch.setattr("wandb.login", lambda **_: True)
    monkeypatch.setattr("wandb.Api", Api)
    monkeypatch.setattr("wandb_workspaces.workspaces.interface.internal.upsert_view2", upsert)
    monkeypatch.setattr("wandb_workspaces.workspaces.interface.get_app_url", lambda _: "https://wandb.example")
    said = workspace.make(settings(made_up(tmp_path / "run"), entity=entity))
    assert said.startswith(f"saved: https://wandb.example/{entity or 'me'}/p?nw=")
    (view,) = saved
    spec = {"spec": json.loads(view.spec.model_dump_json(by_alias=True, exclude_none=True))}
    assert len(panels(spec)["Layer curves by heuristic"]) == 3
    assert not Path("workspace.json").exists()


def test_a_server_that_cannot_be_reached_is_a_reason_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: object) -> None:
        raise OSError("no\nroute")

    monkeypatch.setattr("wandb.login", refuse)
    assert workspace.make(settings(None)) == "not saved in W&B, as no route; its spec is in workspace.json"
    assert [panel["metricRegex"] for panel in panels(Path("workspace.json").read_text())["Layer curves by heuristic"]]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["."], "is no run folder: it has no environment.json"),
        (["half"], "collect its records first"),
        (["--to", "a/b/"], ""),
    ],
)
def test_bad_input_is_one_sentence(
    arguments: Sequence[str], sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (made_up(tmp_path / "half").path / "metrics.parquet").unlink()
    if arguments[0] == "--to":
        (tmp_path / "a").write_text("a file where a folder is wanted")
    assert command(arguments) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert err.startswith("error: ")
    assert sentence in err
    assert not (tmp_path / "workspace.json").exists()


def test_without_the_package_that_is_said(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("scripts.dashboard.find_spec", lambda _: None)
    assert command([]) == 2
    assert capsys.readouterr().err == "error: a workspace needs a package: pip install 'tokenrank[workspaces]'\n"
