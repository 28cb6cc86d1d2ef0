"""Tables of positions are found where there are any, and nothing is fed beyond their last row."""

import pytest

from tests.prefill.cases import model_of, prompt
from tokenrank.capture.needs import Needs
from tokenrank.capture.position_tables import check_in_table, position_table
from tokenrank.capture.reading import read
from tokenrank.models.architectures import ARCHITECTURES, SHAPE

ROWS = SHAPE["max_position_embeddings"]
TABLES = ("gpt2", "gpt2 (scaled by layer)", "gpt_bigcode", "opt")


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_learned_positions_have_a_table_and_rotary_ones_none(architecture: str) -> None:
    table = position_table(model_of(architecture))
    assert (table is not None) == (architecture in TABLES)
    if table is not None:
        assert table[1] == ROWS
        check_in_table(model_of(architecture), table, ROWS)


@pytest.mark.parametrize("architecture", TABLES)
def test_an_answer_or_a_look_ahead_ends_with_the_table(architecture: str) -> None:
    model = model_of(architecture)
    reason = rf"go on to token {ROWS + 1}, and \w+ has a table of {ROWS} positions \(.*weight\): shorten"
    assert len(read(model, prompt(ROWS - 3), lambda _: None, max_new_tokens=4).answer_ids) == 4  # the last is not fed
    with pytest.raises(ValueError, match=reason):
        read(model, prompt(ROWS - 3), lambda _: None, max_new_tokens=5)
    with pytest.raises(ValueError, match=reason):
        read(model, prompt(ROWS - 3), lambda _: None, max_new_tokens=1, needs=Needs(look_ahead=4))
    with pytest.raises(ValueError, match=reason):
        read(model, prompt(ROWS + 1), lambda _: None, max_new_tokens=1)
    read(model_of("llama"), prompt(ROWS + 1), lambda _: None, max_new_tokens=1)  # the control: rotary positions go on
