"""Paths in arguments: Hydra reads each as it was typed, with the home directory in the place of ``~``."""

from pathlib import Path

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import QuotedString

from tests.command import SMALL, Command, refused
from tokenrank.planning.path_arguments import PATHS, with_paths

ODD = [
    "my data/a=b.jsonl", "a, b.jsonl", "a (1).jsonl", "a{b}.jsonl", "[a].jsonl", "it's.jsonl", 'a"b c', "C:\\x\\y", "a \\", "5", "true.jsonl",
    "ü.jsonl", "a#b;c&d!", " a", "a\\'b", "plain/path-1.jsonl", "'a'b", "x y=z",
]  # fmt: skip


def read(argument: str) -> object:
    """The value that Hydra reads."""
    found = OverridesParser.create().parse_override(argument).value()
    return found.text if isinstance(found, QuotedString) else found


@pytest.mark.parametrize("path", ODD)
def test_hydra_reads_a_path_as_it_was_typed(path: str) -> None:
    for setting in ("task.path", "+hydra.run.dir", "heuristic.speculative.draft"):
        assert read(*with_paths([f"{setting}={path}"])) == path


def test_home_is_put_in_every_setting_that_is_a_path_and_in_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    for setting in (each.replace("*", "speculative") for each in PATHS):
        assert read(*with_paths([f"{setting}=~/x y"])) == "/home/me/x y"
        assert read(*with_paths([f"{setting}='~/x=y'"])) == "/home/me/x=y"
    assert with_paths(["--config-dir=~/c"]) == ["--config-dir=/home/me/c"]
    others = ["model.name=~/x", "hydra.job.name=~", "heuristic=claa", "--config-dir", "seed=1"]
    assert with_paths(others) == others


@pytest.mark.parametrize(
    "argument",
    [
        "task.path=null", "task.path=", "store=${oc.env:HOME}/a", "hydra.run.dir=results/${run_name:}", "task.path='a,b'",
        "task.path=[a,b]", "task.path={a:b}", "store=false", "store=True", "task.path='[a,b]'",
    ],
)  # fmt: skip
def test_what_hydra_reads_as_meant_stays_as_it_is(argument: str) -> None:
    assert with_paths([argument]) == [argument]


def test_with_m_commas_separate_paths_that_are_not_in_quotes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    found = with_paths(
        ["-m", "task.path=a=b.jsonl,~/c d", "store=choice(a,b)", "answers='a,b','c'", "model.path='a,b'"]
    )
    assert found == [
        "-m", "task.path='a=b.jsonl',/home/me/c d", "store=choice(a,b)", "answers='a,b','c'", "model.path='a,b'",
    ]  # fmt: skip


def test_a_comma_within_a_reference_or_brackets_separates_no_paths() -> None:
    assert with_paths(["-m", "model.path=${oc.select:a,b},c=d"]) == ["-m", "model.path=${oc.select:a,b},'c=d'"]
    assert with_paths(["-m", "model.path=${a:b,${c}},d"]) == ["-m", "model.path='${a:b,${c}}',d"]  # Hydra wants quotes
    assert with_paths(["-m", "task.path=a (1, 2),it's"]) == ["-m", r"task.path='a (1, 2)','it\'s'"]
    assert with_paths(["-m", "task.path=[a,b],c"]) == ["-m", "task.path=[a,b],c"]


def test_paths_in_quotes_and_others_are_swept_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    assert with_paths(["-m", "task.path=~/a,'~/b, c'"]) == ["-m", "task.path=/home/me/a,'/home/me/b, c'"]
    assert with_paths(["-m", "task.path=choice(~/a,'~/b')"]) == ["-m", "task.path=choice(/home/me/a,'/home/me/b')"]


@pytest.mark.parametrize(
    ("how", "sweep"),
    [
        ("-m", True), ("--multirun", True), ("--multi", True), ("--m", True), ("hydra.mode=MULTIRUN", True), ("++hydra.mode='MULTIRUN'", True),
        ("hydra.mode=2", True), ("hydra.mode=RunMode.MULTIRUN", True),
        ("hydra.mode=RUN", False), ("hydra.mode=nonsense", False), ("--model", False), ("--", False), ("task.mode=MULTIRUN", False),
    ],
)  # fmt: skip
def test_everything_that_hydra_takes_for_a_sweep_separates_paths(how: str, sweep: bool) -> None:
    assert with_paths([how, "task.path=a,b"]) == [how, "task.path=a,b" if sweep else "task.path='a,b'"]


@pytest.mark.parametrize("name", ["--config-dir", "--config-d", "-cd", "--config-path", "--config-pa", "-cp"])
def test_home_is_put_in_options_that_are_cut_short(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    assert with_paths([f"{name}=~/c"]) == [f"{name}=/home/me/c"]
    assert with_paths(["--config-name=~/c"]) == ["--config-name=~/c"]


@pytest.mark.parametrize(
    ("given", "said"),
    [("task.path=[a,b]", "task.path is ['a', 'b'], must be"), ("store=false", "store is False, must be")],
)
def test_what_is_no_path_is_refused(tokenrank: Command, tmp_path: Path, given: str, said: str) -> None:
    small = [each for each in SMALL if not each.startswith("task.")]
    refused(tokenrank(*small, "task=prompts", "task.path=a.jsonl", given), said, tmp_path)


def test_a_home_that_is_not_there_is_refused() -> None:
    with pytest.raises(ValueError, match=r"hydra.run.dir is '~nobody_at_all/x', and the home directory is not known"):
        with_paths(["hydra.run.dir=~nobody_at_all/x"])


def test_a_run_reads_and_writes_odd_paths(tokenrank: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "my data").mkdir()
    (tmp_path / "my data" / "a=b, (1).jsonl").write_text(
        '{"id": "a", "prompt": "one two three four five six seven eight"}\n'
    )
    small = [each for each in SMALL if not each.startswith("task.")]
    prompts = ("task=prompts", "task.path=~/my data/a=b, (1).jsonl", "task.max_new_tokens=4", "heuristic=random")
    ended = tokenrank(*small, *prompts, "hydra.run.dir=~/x, y=1")
    assert ended.code == 0, ended.err
    assert (tmp_path / "x, y=1" / "metrics.parquet").is_file()
    assert not list(tmp_path.glob("~*"))
    nowhere = tokenrank(*small, "task=prompts", "task.path=~/no where.jsonl", "hydra.run.dir='~/run'")
    refused(nowhere, f"{tmp_path}/no where.jsonl is not there", tmp_path)
