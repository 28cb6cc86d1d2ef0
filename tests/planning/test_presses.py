"""Each press is a heuristic of its own: its name, its settings, its engine; what is no list of presses is refused."""

from pathlib import Path

import pandas as pd
import pytest
from omegaconf import OmegaConf

from tests.command import SMALL, Command
from tests.heuristics.test_kvpress import stand_in
from tests.plans import CONFIGS, composed, plan
from tokenrank.heuristics.kvpress import KVPress
from tokenrank.planning.presses import each_press
from tokenrank.planning.settings import of_the_chosen
from tokenrank.prefill.layerwise import Layerwise

__all__ = ["stand_in"]  # a fixture


def names(*overrides: str) -> dict[str, str]:
    """Name of each heuristic -> its press, or nothing."""
    found = each_press(of_the_chosen(composed(*overrides), CONFIGS))
    return {str(name): node.get("press", "") for name, node in found.heuristic.items()}


def test_each_press_is_a_row_named_by_its_class() -> None:
    assert names("heuristic=kvpress", "press=SnapKVPress") == {"kvpress_SnapKVPress": "SnapKVPress"}
    assert names("heuristic=[claa,kvpress,random]", "press=[SnapKVPress,my_pkg.part.MyPress]") == {
        "claa": "",
        "kvpress_SnapKVPress": "SnapKVPress",
        "kvpress_MyPress": "my_pkg.part.MyPress",
        "random": "",
    }
    assert list(names("heuristic=kvpress", "heuristic.kvpress.press=[A,B]")) == ["kvpress_A", "kvpress_B"]


def test_presses_without_kvpress_are_refused() -> None:
    assert names("heuristic=claa") == {"claa": ""}
    with pytest.raises(ValueError, match=r"^press is \['A', 'B'\], must be null unless kvpress is chosen"):
        names("heuristic=claa", "press=[A,B]")


def test_other_settings_hold_for_every_press_and_what_is_done_stays() -> None:
    given = composed("heuristic=kvpress", "press=[A,B]", "+heuristic.kvpress.options.window_size=16")
    found = each_press(given)
    assert [node.options for node in found.heuristic.values()] == [{"window_size": 16}] * 2
    assert OmegaConf.to_yaml(each_press(found)) == OmegaConf.to_yaml(found)
    assert list(given.heuristic) == ["kvpress"]


@pytest.mark.usefixtures("stand_in")
def test_every_press_has_the_engine_of_kvpress() -> None:
    line = "+prefill.engine.kvpress={_target_: tokenrank.prefill.layerwise.Layerwise, min_layer: 2}"
    made = plan("heuristic=kvpress", "press=[NormPress,outside_presses.LastPress]", line, evaluation="accuracy")
    ours = {each.name: each for each in made.contestants if each.name.startswith("kvpress")}
    assert [each.heuristic for each in ours.values()] == [KVPress("NormPress"), KVPress("outside_presses.LastPress")]
    for each in ours.values():
        assert isinstance(each.engine, Layerwise)
        assert each.engine.min_layer == 2


@pytest.mark.parametrize(
    ("press", "sentence"),
    [
        ("[]", r"press is \[\], must be names of scorers, as in press=\[SnapKVPress,my_pkg\.MyPress\]"),
        ("[A,b.A]", r"press is \['A', 'b\.A'\], which gives two heuristics the name kvpress_A"),
        ("[1,2]", "press is .*, must be"),
    ],
)
def test_what_is_no_list_of_presses_is_refused(press: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        plan("heuristic=kvpress", f"press={press}")


def test_without_a_press_the_sentence_is_the_heuristics() -> None:
    with pytest.raises(ValueError, match=r"heuristic\.kvpress: press is null"):
        plan("heuristic=kvpress")


@pytest.mark.usefixtures("stand_in", "no_pictures")
def test_the_command_ranks_every_press_beside_ours(tokenrank: Command, tmp_path: Path) -> None:
    ended = tokenrank(
        *SMALL, "heuristic=[keynorm,kvpress]", "press=[NormPress,outside_presses.LastPress]", "metric=recall"
    )
    assert ended.code == 0, ended.err
    found = pd.read_parquet(tmp_path / "run" / "metrics.parquet")
    assert list(found["heuristic"].dropna().unique()) == ["keynorm", "kvpress_NormPress", "kvpress_LastPress"]
    values = found.set_index("heuristic")["value"]
    assert values["kvpress_NormPress"].tolist() == values["keynorm"].tolist()
    assert values["kvpress_LastPress"].tolist() != values["keynorm"].tolist()
