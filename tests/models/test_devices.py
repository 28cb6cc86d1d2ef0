"""The device of a model: what is chosen, and one sentence for what this machine does not have."""

import re

import pytest
import torch

from tokenrank.models.devices import check_device, pick_device
from tokenrank.models.shaped import Shaped
from tokenrank.models.tiny import Tiny

SHAPE = {"model_type": "llama", "hidden_size": 32, "num_attention_heads": 4, "num_hidden_layers": 1, "vocab_size": 300}


@pytest.mark.parametrize(("cuda", "mps", "chosen"), [(True, True, "cuda"), (False, True, "mps"), (False, False, "cpu")])
def test_auto_is_the_best_device_there_is(monkeypatch: pytest.MonkeyPatch, cuda: bool, mps: bool, chosen: str) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: cuda)
    monkeypatch.setattr("torch.backends.mps.is_available", lambda: mps)
    assert pick_device("auto") == chosen
    assert pick_device("cpu") == "cpu"


@pytest.mark.parametrize("device", ["gpu", "meta", "", "cuda:x", "cuda:-1", "größe"])
def test_what_is_no_device_is_refused_when_the_source_is_made(device: str) -> None:
    message = re.escape(f"model.device is {device!r}, must be auto or a torch device such as cpu")
    with pytest.raises(ValueError, match=message):
        check_device(device)
    with pytest.raises(ValueError, match=message):
        Tiny(device=device)


@pytest.mark.parametrize("device", ["cuda", "cuda:0", "mps", "xpu", "cpu:1", "hpu", "privateuseone"])
@pytest.mark.parametrize("kind", ["tiny", "random"])
def test_a_device_that_this_machine_lacks_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, device: str, kind: str
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr("torch.xpu.is_available", lambda: False)
    monkeypatch.setattr("torch.backends.mps.is_available", lambda: False)
    source = Tiny(device=device) if kind == "tiny" else Shaped("a/b", device=device, weights="random", shape=SHAPE)
    with pytest.raises(ValueError, match=rf"^model\.device is '{device}', and this machine has [^\n]*$"):
        source.model()


def test_a_number_above_those_there_are_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    assert [pick_device("cuda"), pick_device("cuda:1")] == ["cuda", "cuda:1"]
    with pytest.raises(ValueError, match="'cuda:99', and this machine has 2 devices of this kind"):
        pick_device("cuda:99")


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a driver")
def test_without_a_driver_cuda_is_one_sentence() -> None:
    with pytest.raises(ValueError, match=r"model\.device is 'cuda', and this machine has none that torch can use"):
        pick_device("cuda")
