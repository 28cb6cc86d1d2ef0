"""Arguments that set something which is not chosen: each gets a sentence that names what is chosen and what has the setting."""

from pathlib import Path

import pytest

from tests.command import SMALL, Command, refused
from tests.plans import CONFIGS, composed, config
from tokenrank.planning.not_chosen import UNUSED, check_chosen, holders_of, unknown_setting, without_effect

SENTENCES = [
    ("heuristic=gemfilter heuristic.claa.n=2", "heuristic.claa.n is no setting of what is chosen, heuristic=gemfilter: heuristic=claa has it"),
    ("evaluation=accuracy heuristic.speculative.look_ahead=2", "of what is chosen, heuristic=[claa,fastkv,gemfilter]: heuristic=speculative has it"),
    ("heuristic=gemfilter +heuristic.claa.n=2", "is no setting of what is chosen, heuristic=[gemfilter]: heuristic=claa has it"),
    ("executor=local executor.actors=2", "is chosen, executor=local: executor=ray has it"),
    ("task=longbench task.depths=[0]", "task.depths is no setting of what is chosen, task=longbench: task=niah, task=niah_short have it"),
    ("task=niah task.length=[300]", "task.length is no setting of what is chosen, task=niah: task=ruler_data has it; did you mean task.lengths?"),
    ("heuristic.claa.windwo=3", "heuristic.claa.windwo is not a setting; did you mean window? There are: heads, kernel, n, window"),
    ("heuristic.tova.windwo=3", "heuristic=claa is chosen, and heuristic=tova has none of this name"),
    ("heuristics=claa", "heuristics is not a setting; did you mean heuristic?"),
    ("universe.windw=2", "universe.windw is not a setting; did you mean window? There are: of, window"),
    ("-m heuristic=claa,gemfilter heuristic.claa.n=2", "is chosen, heuristic=gemfilter: heuristic=claa has it"),
    ("model.name=a,b", "model.name=a,b holds a comma"),
    ("model.name=a(b", "is put in quotes within quotes"),
]  # fmt: skip


@pytest.mark.parametrize(("setting", "sentence"), SENTENCES)
def test_a_setting_of_what_is_not_chosen_gets_a_sentence(
    tokenrank: Command, tmp_path: Path, setting: str, sentence: str
) -> None:
    own = [each for each in SMALL if not (each.startswith("task.") and "task=" in setting)]
    folder = [f"hydra.sweep.dir={tmp_path / 'run'}"] if "-m" in setting else []
    first, *more = setting.split()
    ended = tokenrank(first, *own, *more, *folder)
    assert ended.code == 2
    said = [line for line in ended.err.splitlines() if line.startswith("error: ")]
    assert len(said) == 1, ended.err
    assert sentence in said[0]


@pytest.mark.parametrize(
    ("given", "who"),
    [
        ("answer=reference", "answer=reference needs a reference answer"),
        ("answers=a.jsonl", "answer is brought (by the setting answers), must"),
    ],
)
def test_ttft_refuses_an_answer(tokenrank: Command, tmp_path: Path, given: str, who: str) -> None:
    (tmp_path / "a.jsonl").write_text('{"id": "random_300", "answer": "some words"}\n')
    ended = tokenrank("model=tiny", "evaluation=ttft", "task.lengths=[300]", "heuristic=tova", given)
    refused(ended, who, tmp_path)


def test_every_setting_of_every_file_is_found_in_it() -> None:
    assert holders_of("executor", "processes") == ["local"]
    assert holders_of("heuristic", "claa.kernel") == ["claa"]
    assert holders_of("evaluation", "repeats") == ["ttft"]
    assert holders_of("model", "shape.hidden_size") == ["llama3"]
    assert holders_of("task", "nonsense") == holders_of("nonsense", "a") == []


def test_other_messages_of_hydra_are_not_touched() -> None:
    assert unknown_setting("Could not override 'hydra.nope'.") is None
    assert unknown_setting("mismatched input") is None


def test_what_hinders_composing_is_said_elsewhere_and_an_error_of_ours_is_not_hidden(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sys.argv", ["run.py", "heuristic=nobody", "heuristics=2"])
    said = "Could not override 'heuristics'."
    assert unknown_setting(said) is None  # heuristic=nobody is what is wrong first
    monkeypatch.setattr("tokenrank.planning.not_chosen.compose", lambda *_, **__: None)
    with pytest.raises(AttributeError, match="NoneType"):
        unknown_setting(said)


def test_an_experiment_may_set_heuristics_that_were_not_chosen_but_a_command_may_not() -> None:
    made = composed("model=tiny", "experiment=claa_window", "heuristic=claa")
    check_chosen(["heuristic.claa.n=2", "heuristic=claa"], made)
    check_chosen(["heuristic=gemfilter"], composed("heuristic=gemfilter", "+heuristic.claa.n=2"))  # not the command's
    with pytest.raises(ValueError, match=r"heuristic\.claa\.n is no setting of what is chosen"):
        check_chosen(["+heuristic.claa.n=2"], composed("heuristic=gemfilter", "+heuristic.claa.n=2"))


@pytest.mark.parametrize(
    ("kind", "override", "noted"),
    [
        ("ranking", "prefill.keep=[5]", True), ("ranking", "k=[5]", False), ("accuracy", "prefill.keep=[5]", False),
        ("accuracy", "metric=[recall]", True), ("accuracy", "metric.recall.x=1", True), ("fidelity", "plots.k=5", True),
        ("ttft", "compare.against=claa", True), ("ttft", "prefill.together=false", True), ("ttft", "prefill.keep=[5]", False),
        ("accuracy", "prefill.engine.gemfilter.window=4", True), ("accuracy", "prefill.engine.claa.window=4", False),
        ("accuracy", "prefill.engine.any.window=4", False), ("somebody's", "prefill.keep=[5]", False),
    ],
)  # fmt: skip
def test_what_an_evaluation_ignores_is_said(kind: str, override: str, noted: bool) -> None:
    found = without_effect([override], config(), kind)
    assert len(found) == noted
    assert all(each.startswith("note: ") and "no effect" in each for each in found)


def test_every_name_that_is_ignored_is_a_setting() -> None:
    made = composed("model=tiny")
    for name in {each for names in UNUSED.values() for each in names}:
        group, _, inner = name.partition(".")
        assert group in made
        assert not inner or inner in made[group]
    assert set(UNUSED) == {file.stem for file in (CONFIGS / "evaluation").glob("*.yaml")}


def test_a_run_says_what_has_no_effect(tokenrank: Command) -> None:
    ended = tokenrank(
        *SMALL,
        "task.depths=[0]",
        "heuristic=random",
        "prefill.keep=[5]",
        "prefill.window=4",
        "masks.count=8",
        "metric=recall",
    )
    assert ended.code == 0, ended.err
    notes = [line for line in ended.err.splitlines() if "no effect" in line]
    assert notes == [
        *(f"note: prefill.{name} has no effect with evaluation=ranking" for name in ("keep", "window")),
        "note: masks.count has no effect with metric=recall",
    ]
