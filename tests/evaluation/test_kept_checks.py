"""Keep rates that leave a ranking nothing to choose beside what always stays are refused before anything is read."""

from dataclasses import replace

import pytest

from tests.plans import plan
from tokenrank.evaluation.kept_checks import check_kept
from tokenrank.evaluation.plan import Plan


def with_context(context: range | None, *overrides: str) -> Plan:
    """A plan of one prompt of 300 tokens, of which 100 are the context."""
    made = plan("task.depths=[50]", *overrides, evaluation="accuracy")
    (unit,) = made.units
    assert len(unit.prompt.input_ids) == 300
    return replace(made, units=(replace(unit, prompt=replace(unit.prompt, context=context)),))


def test_the_window_must_leave_a_token() -> None:
    check_kept(with_context(None), [3, 50], "window")  # 9 tokens, one more than the window
    with pytest.raises(
        ValueError,
        match=r"^prefill\.keep holds 2\.9 percent: of the 300 tokens of prompt niah_300_50_0 these are 8, no more than the window of 8 ",
    ):
        check_kept(with_context(None), [50, 2.9], "window")


def test_the_frame_must_leave_a_token() -> None:
    """60 tokens before and 100 after the context: 160 always stay, the window of 8 among them."""
    context = range(60, 200)
    check_kept(with_context(context), [54, 80], "frame")  # 162
    check_kept(with_context(context), [3], "window")
    with pytest.raises(ValueError, match="no more than the 160") as caught:
        check_kept(with_context(context), [80, 53], "frame")
    assert str(caught.value) == (
        "prefill.keep holds 53 percent: of the 300 tokens of prompt niah_300_50_0 these are 159, no more than the 160 that "
        "prefill.protect=frame always keeps (all tokens outside of the context, and the window of 8 of claa); keep more, or set prefill.protect=window or "
        "prefill.budget=beside"
    )


def test_a_window_that_reaches_into_the_context_counts_once() -> None:
    made = with_context(range(60, 298), "prefill.window=10")  # 60 + 10
    check_kept(made, [24], "frame")  # 72
    with pytest.raises(ValueError, match="these are 69, no more than the 70 that"):
        check_kept(made, [23], "frame")


def test_beside_the_keep_rate_any_rate_leaves_a_token_unless_all_are_protected() -> None:
    check_kept(with_context(range(60, 200)), [0.1], "frame", "beside")
    check_kept(with_context(range(60, 293)), [0.1], "frame", "beside")
    check_kept(with_context(None), [0.1], "window", "beside")
    with pytest.raises(
        ValueError, match="protect=frame always keeps all 300 tokens of prompt niah_300_50_0 of niah"
    ) as caught:
        check_kept(with_context(range(294, 298)), [100], "frame", "beside")  # the context lies in the window
    assert str(caught.value).endswith(
        "(the window of claa is 8), and prefill.budget=beside needs a token that is not protected: set prefill.protect=window, or leave the prompt out"
    )
    with pytest.raises(
        ValueError, match=r"prefill\.budget=beside needs .*: set prefill\.window lower, or leave the prompt out$"
    ):
        with_context(None, "prefill.window=300", "prefill.budget=beside")


def test_the_widest_window_counts() -> None:
    made = with_context(None, "prefill.engine.gemfilter.window=30", "prefill.keep=[50]")
    check_kept(made, [11], "window")
    with pytest.raises(ValueError, match="these are 30, no more than the window of 30 that gemfilter always keeps"):
        check_kept(made, [10], "window")


def test_the_frame_of_a_prompt_without_a_known_context_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r"^prefill\.protect is frame, and the context of prompt niah_300_50_0 of niah is not known"
    ):
        check_kept(with_context(None), [50], "frame")
