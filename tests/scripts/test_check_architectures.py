"""The tables of docs/architectures.md: a row for what is exact, a sentence for what is refused, all of them on the page."""

from pathlib import Path

import pytest

from scripts.check_architectures import REFUSED, refused_row, row
from tokenrank.models.architectures import ARCHITECTURES

PAGE = Path(__file__).resolve().parents[2] / "docs" / "architectures.md"


def test_the_row_of_an_architecture_says_how_far_it_is_from_the_models_own_attention() -> None:
    name, route, layers, windowed, prompt, answer, same = row("mistral (window)").strip("| ").split(" | ")
    assert (name, route, layers, windowed, same) == ("mistral (window)", "sdpa", "all", "0, 1, 2", "yes")
    assert float(prompt) < 1e-5
    assert float(answer) < 1e-5


def test_what_is_refused_has_its_sentence_and_what_is_not_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    assert refused_row("no attention").startswith("| no attention | mamba | no attention layer of MambaForCausalLM")
    assert "no position_ids" in refused_row("engines: no position_ids")
    monkeypatch.setitem(REFUSED, "no attention", ("llama", {}))
    with pytest.raises(ValueError, match="llama is exact, must be refused"):
        refused_row("no attention")


def test_the_page_has_all_of_them() -> None:
    rows = [line.split(" | ")[0].removeprefix("| ") for line in PAGE.read_text(encoding="utf-8").splitlines()]
    assert set(ARCHITECTURES) <= set(rows)
    assert set(REFUSED) <= set(rows)
    assert not [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.endswith("| NO |")]
