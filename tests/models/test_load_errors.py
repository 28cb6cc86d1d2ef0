"""An error of a loader becomes one sentence that says what to do."""

import pickle

import pytest

from tokenrank.models.load_errors import advice, first_line


def caused(message: str, cause: BaseException) -> BaseException:
    try:
        raise OSError(message) from cause
    except OSError as error:
        return error


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (caused("cannot load", pickle.UnpicklingError("no")), "use safetensors"),
        (
            OSError("requires you to set trust_remote_code=True"),
            "custom code of its repository, which is never run here",
        ),
        (OSError("We couldn't connect to the server"), "the hub cannot be reached"),
        (caused("cannot load", OSError("outgoing traffic is off: local_files_only")), "the hub cannot be reached"),
        (ValueError("bad shape\nand more"), r"^bad shape \(a folder must hold config.json"),
    ],
)
def test_the_sentence_follows_the_cause(error: BaseException, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        raise ValueError(advice(error))


def test_advice_never_passes_on_how_to_run_a_pickle() -> None:
    said = advice(
        caused("re-run with weights_only=False, do it only if you trust the file", pickle.UnpicklingError("no"))
    )
    assert "weights_only" not in said


def test_a_line_that_ends_in_a_colon_takes_the_next_one_with_it() -> None:
    assert first_line(ValueError("\n one \n two")) == "one"
    assert first_line(ValueError("missing:\n  a\n  b")) == "missing: a"
    assert first_line(KeyboardInterrupt()) == "KeyboardInterrupt"
