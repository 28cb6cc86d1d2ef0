"""``collect.py FOLDER... --to NEW_FOLDER``: what is refused, that a killed joining passes for nothing whole, that repeating changes nothing."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
import yaml

from scripts.collect import command
from tests.command import ROOT, SMALL, Command
from tests.joinable import measured, ran, written
from tests.plans import plan
from tokenrank.evaluation.plan import Plan
from tokenrank.records.digests import digest
from tokenrank.records.record import Record
from tokenrank.records.run_folder import RunFolder

Contents = dict[str, bytes]


@pytest.fixture
def nothing_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scripts.collect.write_report", lambda run: [])


@cache
def two(heuristic: str, evaluation: str = "ranking") -> tuple[Plan, list[Record]]:
    small = ("prefill.keep=[20]", "evaluation.repeats=1", "task.lengths=[200]") if evaluation == "ttft" else ()
    return measured(f"heuristic=[{heuristic}]", *small, evaluation=evaluation)


def content(folder: Path) -> Contents:
    """Every file below a folder."""
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def call(*given: Path, to: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    capsys.readouterr()
    code = command([*map(str, given), "--to", str(to)])
    return code, *capsys.readouterr()


def refusal(*given: Path, to: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """The one sentence of a call that is refused, which writes nothing."""
    before = content(to) if to.is_dir() else None
    code, out, err = call(*given, to=to, capsys=capsys)
    assert (code, out, len(err.splitlines())) == (2, "", 1), err
    assert (content(to) if to.is_dir() else None) == before
    return err.removeprefix("error: ").strip()


def edited(folder: Path, change: Callable[[dict[str, object]], object]) -> Path:
    """The folder, with another environment.json."""
    marker = folder / "environment.json"
    found = json.loads(marker.read_text())
    change(found)
    marker.write_text(json.dumps(found))
    return folder


def test_a_sweep_is_joined_in_its_own_folder_with_the_picture_of_a_study(
    tokenrank: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sweep = tmp_path / "sweep"
    small = (*SMALL, "heuristic=[claa,random]", "heuristic.claa.n=1,2", "store=null")
    assert tokenrank("-m", *small, f"hydra.sweep.dir={sweep}").code == 0
    before = content(sweep)
    assert command([str(sweep)]) == 0
    assert "claa_n1" in capsys.readouterr().out
    once = content(sweep)
    assert "joined/plots/study_claa_n_recall_at_10.png" in once
    assert {name: once[name] for name in before} == before  # what is joined is only read
    study = yaml.safe_load((sweep / "joined" / "config.yaml").read_text())["study"]
    assert study["points"] == {f"claa_n{n}": {"heuristic": "claa", "value": n} for n in (1, 2)}
    assert command([str(sweep)]) == 0
    assert content(sweep) == once
    assert command([str(sweep / "joined")]) == 0  # a joined folder is collected as any other
    assert content(sweep) == once


def test_a_failing_job_of_a_sweep_is_no_obstacle(
    tokenrank: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str], no_pictures: None, nothing_drawn: None
) -> None:
    sweep = tmp_path / "sweep"
    tokenrank("-m", *SMALL, "heuristic.claa.n=99,1", "store=null", f"hydra.sweep.dir={sweep}")
    assert command([str(sweep)]) == 0
    assert "claa" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("setting", "sentence"),
    [
        ("universe.window=4", "universe.window is 8 in the first and 4 in the second"),
        ("universe=context", "universe is prompt in the first and context in the second"),
        ("k=[10]", "k is [5, 10] in the first and [10] in the second"),
        ("oracle.attention.kernel=5", "oracle.attention.kernel is 13 in the first and 5 in the second"),
        (
            "metric=[ndcg]",
            "metric.recall._target_ is tokenrank.metrics.metric.Metric in the first and missing in the second",
        ),
        ("prompts=agnostic", "prompts is aware in the first and agnostic in the second"),
        ("answer=reference", "answer is generated in the first and reference in the second"),
        ("model.seed=1", "model.seed is 0 in the first and 1 in the second"),
        ("model.dtype=bfloat16", "model.dtype is float32 in the first and bfloat16 in the second"),
    ],
)
def test_settings_that_values_depend_on_must_agree(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], setting: str, sentence: str
) -> None:
    one, other = written(tmp_path / "one", plan(), []), written(tmp_path / "other", plan(setting), [])
    said = refusal(one, other, to=tmp_path / "new", capsys=capsys)
    assert said == f"{one} and {other} cannot be joined: {sentence}"
    assert not (tmp_path / "new").exists()


def test_rankings_that_are_truths_of_their_runs_are_not_joined(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """heuristic.claa.n=1 and 2 are two rankings, and each would be a truth called claa."""
    runs = [ran(tmp_path / f"n{n}", "task.depths=[0]", f"heuristic.claa.n={n}", "agreement=true") for n in (1, 2)]
    code, _, err = call(*runs, to=tmp_path / "joined", capsys=capsys)
    assert code == 2
    assert "cannot be joined: agreement is true" in err
    shards = [ran(tmp_path / name, "agreement=true", f"shard={name}") for name in ("1/2", "2/2")]
    assert call(*shards, to=tmp_path / "whole", capsys=capsys)[0] == 0


def test_of_engines_settings_of_rankings_may_differ(
    tmp_path: Path, nothing_drawn: None, capsys: pytest.CaptureFixture[str]
) -> None:
    small = ("task.depths=[0]", "prefill.keep=[80]")
    one = ran(tmp_path / "one", "heuristic=[claa]", *small, evaluation="fidelity")
    other = ran(tmp_path / "other", "heuristic=[tova]", *small, "k=[10]", "universe.window=4", evaluation="fidelity")
    code, _, err = call(one, other, to=tmp_path / "new", capsys=capsys)
    assert code == 0, err


@pytest.mark.parametrize("setting", ["chunk", "masks.count"])
def test_masks_must_agree_where_a_metric_hides_by_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], setting: str
) -> None:
    one, other = (
        written(tmp_path / value, plan("metric=[lds]", "compare.metric=lds", f"{setting}={value}"), [])
        for value in "89"
    )
    said = refusal(one, other, to=tmp_path / "new", capsys=capsys)
    assert said.endswith(f"cannot be joined: {setting} is 8 in the first and 9 in the second")


def test_another_evaluation_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one = written(tmp_path / "one", plan(), [])
    other = written(tmp_path / "other", plan(evaluation="accuracy"), [])
    said = refusal(one, other, to=tmp_path / "new", capsys=capsys)
    assert said.endswith("evaluation is ranking in the first and accuracy in the second")


@pytest.mark.parametrize(
    ("setting", "sentence"),
    [("prefill.protect=frame", "prefill.protect is window in the first and frame in the second"),
     ("prefill.together=false", "prefill.together is True in the first and False in the second")],
)  # fmt: skip
def test_settings_are_called_as_one_types_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], setting: str, sentence: str
) -> None:
    one = written(tmp_path / "one", plan("prefill.keep=[80]", evaluation="fidelity"), [])
    other = written(tmp_path / "other", plan(setting, "prefill.keep=[80]", evaluation="fidelity"), [])
    assert refusal(one, other, to=tmp_path / "new", capsys=capsys).endswith(f"cannot be joined: {sentence}")


@pytest.mark.parametrize(
    "setting",
    [
        "bootstrap.resamples=100",
        "plots.k=5",
        "texts=false",
        "threads=1",
        "seed=5 task.seed=0",
        "chunk=10 masks.count=8 loss_layers=[1]",  # no metric hides anything
    ],
)
def test_settings_that_no_value_depends_on_may_differ(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], setting: str, nothing_drawn: None
) -> None:
    one = written(tmp_path / "one", *two("claa"))
    other = ran(tmp_path / "other", "heuristic=[tova]", *setting.split())
    code, out, err = call(one, other, to=tmp_path / "new", capsys=capsys)
    assert code == 0, err
    assert "claa" in out
    assert "tova" in out


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("packages", {"torch": "1.0"}, "torch is"),
        ("device", "cuda:0", "device is cpu in the first and cuda in the second"),
        ("layers", {"captured": [0], "windowed": [], "of": 1}, "layers.captured is [0, 1, 2, 3] in the first and [0]"),
        ("generation_config", {"suppress_tokens": [1]}, "generation_config"),
    ],
)
def test_other_versions_and_devices_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, value: object, sentence: str
) -> None:
    one = written(tmp_path / "one", *two("claa"))
    other = edited(written(tmp_path / "other", *two("tova")), lambda found: found.update({name: value}))
    assert sentence in refusal(one, other, to=tmp_path / "new", capsys=capsys)


def test_another_host_is_a_note_and_for_times_a_refusal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], nothing_drawn: None
) -> None:
    for evaluation, code in (("ranking", 0), ("ttft", 2)):
        own = tmp_path / evaluation
        folders = [written(own / name, *two(name, evaluation)) for name in ("claa", "tova")]
        edited(folders[1], lambda found: found.update({"host": "elsewhere"}))
        ended, _, err = call(*folders, to=own / "new", capsys=capsys)
        assert ended == code, err
        assert "elsewhere" in err
        here = RunFolder(folders[0]).environment()["host"]
        edited(folders[1], lambda found, here=here: found.update({"host": here}))  # type: ignore[misc]
        assert call(*folders, to=own / "new", capsys=capsys)[0] == 0  # the control


def with_fields(folder: Path, change: Callable[[dict[str, object]], object]) -> Path:
    """The folder, whose records state other key fields."""
    run = RunFolder(folder)
    environment = run.environment()
    for record in run.records()[0]:
        fields = json.loads(json.dumps(record.key_fields))
        change(fields)
        environment["units"][record.unit] = digest(fields)
        run.write_record(Record(**{**vars(record), "key_fields": fields, "key": digest(fields)}))
    (folder / "environment.json").write_text(json.dumps(environment))
    return folder


def of_source(group: str, name: str | None = None) -> Callable[[dict[str, object]], object]:
    def change(fields: dict[str, object]) -> None:
        source = fields["source"]
        assert isinstance(source, dict)
        (source if name is None else source[group])[name or group] = "other code"

    return change


def test_code_is_compared_where_both_runs_use_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], nothing_drawn: None
) -> None:
    one = written(tmp_path / "one", *two("claa"))
    for place, (change, sentence) in enumerate(
        [
            (of_source("oracle"), "source of oracle is"),
            (of_source("heuristic", "random"), "source of random is"),
            (lambda fields: fields.update({"of_heuristics": {"random": {"files": "b"}}}), "weights of random"),
        ]
    ):
        first = ran(tmp_path / f"first{place}", "heuristic=[claa,random]")
        if "weights" in sentence:
            with_fields(first, lambda fields: fields.update({"of_heuristics": {"random": {"files": "a"}}}))
        other = with_fields(ran(tmp_path / f"other{place}", "heuristic=[tova,random]"), change)
        assert sentence in refusal(first, other, to=tmp_path / "new", capsys=capsys)
    other = with_fields(written(tmp_path / "control", *two("tova")), of_source("heuristic", "tova"))
    assert call(one, other, to=tmp_path / "new", capsys=capsys)[0] == 0  # claa does not use the code of tova


def test_a_folder_that_is_no_joined_one_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], nothing_drawn: None
) -> None:
    one, other = (written(tmp_path / name, *two(name)) for name in ("claa", "tova"))
    third = written(tmp_path / "third", *two("claa"))
    assert "is no joined folder" in refusal(one, other, to=third, capsys=capsys)
    assert "which is only read" in refusal(one, other, to=one, capsys=capsys)
    assert "which is only read" in refusal(one, other, to=one / "inside", capsys=capsys)
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "letter.txt").write_text("mine")
    assert "holds letter.txt" in refusal(one, other, to=tmp_path / "theirs", capsys=capsys)
    (tmp_path / "empty").mkdir()
    assert call(one, other, to=tmp_path / "empty", capsys=capsys)[0] == 0
    (tmp_path / "empty" / "letter.txt").write_text("mine")
    assert "holds letter.txt" in refusal(one, other, to=tmp_path / "empty", capsys=capsys)
    assert "is itself joined" in refusal(one, tmp_path / "empty", to=tmp_path / "new", capsys=capsys)


def test_what_is_no_run_folder_or_of_an_older_format_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one = written(tmp_path / "one", *two("claa"))
    said = refusal(one, tmp_path / "none", to=tmp_path / "new", capsys=capsys)
    assert said.startswith(f"{tmp_path / 'none'} is no run folder")
    old = edited(
        written(tmp_path / "old", *two("claa")), lambda found: found.update({"format": "tokenrank run folder 1"})
    )
    assert "was not written by this version" in refusal(one, old, to=tmp_path / "new", capsys=capsys)
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        command([str(one), str(old)])
    assert ended.value.code == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.endswith("error: 2 folders are joined in a new one: name it, as in --to NEW_FOLDER")


def test_missing_damaged_and_strange_records_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], nothing_drawn: None
) -> None:
    one, other = (written(tmp_path / name, *two(name)) for name in ("claa", "tova"))
    first, second = sorted((other / "records").iterdir())
    first.write_bytes(first.read_bytes()[:-10])
    shutil.copy(second, other / "records" / "stranger.parquet")
    second.unlink()
    code, _, err = call(one, other, to=tmp_path / "new", capsys=capsys)
    assert code == 1
    assert f"warning: left out: {first} is not a record that can be read" in err
    assert f"warning: left out: {other / 'records' / 'stranger.parquet'} is the record of no unit" in err
    assert f"warning: 2 of 2 units of {other} have no record: {first.stem}, {second.stem}" in err


def joined_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> tuple[list[Path], Contents]:
    """Two runs, and the content of the folder that joins them."""
    given = [written(tmp_path / name, *two(name)) for name in ("claa", "tova")]
    assert call(*given, to=tmp_path / "whole", capsys=capsys)[0] == 0
    return given, content(tmp_path / "whole")


KILLED = """
import os, signal, sys
from pathlib import Path
from tokenrank.records.run_folder import RunFolder
from scripts import collect
write = RunFolder.write_record
def second(folder, record):
    if folder.record_files():
        os.kill(os.getpid(), signal.SIGKILL)
    write(folder, record)
RunFolder.write_record = second
collect.write_report = lambda run: []
collect.command(sys.argv[1:])
"""


def test_a_joining_that_was_killed_passes_for_nothing_whole_and_is_repeated(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], nothing_drawn: None
) -> None:
    given, whole = joined_once(tmp_path, capsys)
    new = tmp_path / "new"
    arguments = [sys.executable, "-c", KILLED, *map(str, given), "--to", str(new)]
    ended = subprocess.run(arguments, env=os.environ | {"PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"}, cwd=ROOT)
    assert ended.returncode == -signal.SIGKILL
    assert len(list((new / "records").iterdir())) == 1
    assert command([str(new)]) == 2
    assert f"{new} was not joined to its end" in capsys.readouterr().err
    with pytest.raises(ValueError, match="collect its records first"):
        RunFolder(new).tables()
    assert call(*given, to=new, capsys=capsys)[0] == 0
    assert content(new) == whole


@pytest.mark.parametrize(
    "place",
    ["tokenrank.work.joined_folder.join", "tokenrank.work.joined_folder.finish_joined", "scripts.collect.collect"],
)
def test_wherever_joining_breaks_off_it_is_repeated(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], nothing_drawn: None, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    given, whole = joined_once(tmp_path, capsys)
    new = tmp_path / "whole"  # over a finished one: its tables must not stay beside half of the records

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(place, full)
        code, out, err = call(*given, to=new, capsys=capsys)
    assert (code, out) == (2, "")
    assert "No space left on device" in err
    with pytest.raises(ValueError, match="collect its records first"):
        RunFolder(new).tables()
    whole_records = place == "scripts.collect.collect"
    assert command([str(new)]) == (0 if whole_records else 2)
    assert call(*given, to=new, capsys=capsys)[0] == 0
    assert content(new) == whole
