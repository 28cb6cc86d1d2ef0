"""Texts of errors in tables; what the log keeps, and what is released."""

import logging
import weakref

import pytest
import torch

from tokenrank.evaluation.failures import failure, reason


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ValueError("a score is NaN"), "ValueError: a score is NaN"),
        (RuntimeError("two\n  lines"), "RuntimeError: two\n  lines"),
        (MemoryError(), "out of memory: "),
        (MemoryError("no\nroom"), "out of memory: no room"),
        (torch.OutOfMemoryError("CUDA out of memory. " + "x" * 300), "out of memory: CUDA out of memory. " + "x" * 180),
        (
            RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"),
            "out of memory: RuntimeError: [enforce fail] DefaultCPUAllocator: can't allocate memory",
        ),
    ],
)
def test_the_text_says_what_it_was_and_whether_memory_lacked(error: Exception, text: str) -> None:
    assert failure(error, "claa at 20 %") == text


def test_reason_names_the_type() -> None:
    assert reason(KeyError("a")) == "KeyError: 'a'"


def breaks(held: list["weakref.ref[torch.nn.Linear]"]) -> None:
    """Breaks while it holds something large, of which ``held`` notes a weak reference."""
    large = torch.nn.Linear(2, 2)
    held.append(weakref.ref(large))
    raise RuntimeError("it broke")


def test_the_traceback_goes_to_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, "tokenrank"):
        try:
            breaks([])
        except RuntimeError as error:
            failure(error, "claa at 20 %, prompt one")
    assert "claa at 20 %, prompt one" in caplog.text
    assert "in breaks" in caplog.text
    assert {record.levelname for record in caplog.records} == {"DEBUG"}  # for run.log alone


def test_what_the_failed_one_held_is_released() -> None:
    held: list[weakref.ref[torch.nn.Linear]] = []
    try:
        breaks(held)
    except RuntimeError as error:
        assert held[0]() is not None  # by the traceback
        failure(error, "claa at 20 %, prompt one")
        assert held[0]() is None
