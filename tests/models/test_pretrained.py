"""Pretrained: what loads from a folder and from the hub's cache, skeleton and identity, that no foreign code runs, and the advice where it fails."""

import json
import re
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from gguf import GGMLQuantizationType, GGUFWriter, quantize
from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, PreTrainedModel

from tests.models.hub_cache import COMMIT, LOADERS, into_hub_cache, pretrained
from tokenrank.models.architectures import ARCHITECTURES, tiny_of
from tokenrank.models.from_config import ATTENTION, placed
from tokenrank.models.tiny import Tiny

EIGHT_BITS = GGMLQuantizationType.Q8_0
GGUF_NAMES = {
    "model.layers.": "blk.", "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down",
    "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm", "model.embed_tokens": "token_embd",
    "model.norm": "output_norm", "lm_head": "output",
}  # fmt: skip


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model and its tokenizer in a folder; not to be changed."""
    folder = tmp_path_factory.mktemp("models") / "tiny"
    tiny = Tiny(name="tiny")
    tiny.model().save_pretrained(folder)
    tiny.tokenizer().save_pretrained(folder)
    return folder


@pytest.fixture
def folder(saved: Path, tmp_path: Path) -> Path:
    """A copy to be broken."""
    return Path(shutil.copytree(saved, tmp_path / "copy"))


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of the hub, which is offline."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


def same_weights(one: PreTrainedModel, other: PreTrainedModel) -> bool:
    pairs = zip(one.parameters(), other.parameters(), strict=True)
    return all(torch.equal(mine.cpu(), yours.cpu().to(mine.dtype)) for mine, yours in pairs)


def change_weights(folder: Path, change: Any) -> None:
    weights = load_file(folder / "model.safetensors")
    change(weights)
    save_file(weights, folder / "model.safetensors", {"format": "pt"})


def write_gguf(path: Path, model: PreTrainedModel, tokens: list[str], merge: str, quantised: bool) -> None:
    """The model as llama.cpp keeps it: other names, and the two halves of each head's rows interleaved."""
    config = model.config
    heads = {"q_proj": config.num_attention_heads, "k_proj": config.num_key_value_heads}
    writer = GGUFWriter(path, "llama")
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(tokens)
    writer.add_token_merges([merge])
    writer.add_bos_token_id(256)
    writer.add_eos_token_id(256)
    for name, weight in model.state_dict().items():
        for part in heads:
            if part in name:
                weight = weight.unflatten(0, (heads[part], 2, -1)).swapaxes(1, 2).flatten(0, 2)
        for theirs, its in GGUF_NAMES.items():
            name = name.replace(theirs, its)
        kind = EIGHT_BITS if quantised and weight.dim() == 2 else GGMLQuantizationType.F32
        writer.add_tensor(name, quantize(weight.cpu().contiguous().numpy(), kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_a_folder_loads_in_the_dtype_asked_for(saved: Path, tiny_model: PreTrainedModel, dtype: str) -> None:
    model = pretrained(saved, dtype=dtype).model()
    assert {each.dtype for each in model.parameters()} == {getattr(torch, dtype)}
    assert same_weights(model, tiny_model)
    assert not same_weights(model, Tiny(name="tiny", seed=1).model())
    assert (str(model.device), model.training) == ("cpu", False)


@pytest.mark.parametrize("device_map", ["cpu", "auto"])
def test_a_folder_loads_with_a_device_map(saved: Path, tiny_model: PreTrainedModel, device_map: str) -> None:
    model = pretrained(saved, device="not looked at", device_map=device_map).model()
    assert same_weights(model, tiny_model)
    assert not model.training


def test_tokenizer_and_length_come_from_the_folder(saved: Path) -> None:
    source = pretrained(saved)
    assert source.tokenizer()("größer")["input_ids"] == Tiny(name="tiny").tokenizer()("größer")["input_ids"]
    assert source.tokenizer().chat_template == Tiny(name="tiny").tokenizer().chat_template
    assert source.readable_tokens() == 8192


@pytest.mark.parametrize("quantised", [False, True])
def test_a_gguf_file_loads(tmp_path: Path, tiny_model: PreTrainedModel, quantised: bool) -> None:
    byte_tokens = list(Tiny(name="tiny").tokenizer().convert_ids_to_tokens(list(range(256))))
    write_gguf(tmp_path / "tiny.gguf", tiny_model, [*byte_tokens, "ab"], merge="a b", quantised=quantised)
    source = pretrained(tmp_path / "tiny.gguf")
    model = source.model()
    assert {each.dtype for each in model.parameters()} == {torch.float32}
    assert same_weights(model, tiny_model) != quantised
    for mine, yours in zip(model.parameters(), tiny_model.parameters(), strict=True):
        step = yours.detach().abs().max().item() / 127  # of eight bits
        torch.testing.assert_close(mine.cpu(), yours.cpu(), rtol=0, atol=step)
    assert source.readable_tokens() == 8192
    ids = list(source.tokenizer()("größe ab")["input_ids"])
    assert ids == [*Tiny(name="tiny").tokenizer()("größe ")["input_ids"], 256]


def test_a_path_may_start_at_home_or_here(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(saved.parent))
    monkeypatch.chdir(saved.parent)
    for path in ("~/tiny", "./tiny", "tiny"):
        assert pretrained(path).readable_tokens() == 8192


def test_a_hub_id_loads_from_the_cache_without_network(saved: Path, hub: Path, tiny_model: PreTrainedModel) -> None:
    into_hub_cache(saved, hub, "me/tiny")
    source = pretrained("me/tiny")
    assert same_weights(source.model(), tiny_model)
    assert source.readable_tokens() == 8192
    assert source.tokenizer()("größer")["input_ids"] == Tiny(name="tiny").tokenizer()("größer")["input_ids"]


def test_weights_of_the_hub_that_changed_in_its_cache_are_refused(saved: Path, hub: Path) -> None:
    into_hub_cache(saved, hub, "me/tiny")
    (blob,) = (hub / "models--me--tiny" / "blobs").iterdir()
    with blob.open("r+b") as opened:
        opened.seek(-1, 2)
        last = opened.read(1)[0]
        opened.seek(-1, 2)
        opened.write(bytes([last ^ 1]))
    with pytest.raises(
        ValueError, match=rf"model.safetensors in the hub's cache is damaged, .*: delete {blob} and load"
    ):
        pretrained("me/tiny").model()


@pytest.mark.parametrize("load", LOADERS)
def test_a_hub_out_of_reach_comes_with_advice(saved: Path, hub: Path, load: str) -> None:
    into_hub_cache(saved, hub, "me/another")
    with pytest.raises(ValueError, match=r"'me/tiny' cannot be loaded: the hub cannot be reached .* go online once"):
        getattr(pretrained("me/tiny"), load)()


@pytest.mark.parametrize("load", LOADERS)
@pytest.mark.parametrize(
    ("cause", "advice"),
    [
        (GatedRepoError, "it is gated; accept its licence .* `hf auth login`"),
        (RepositoryNotFoundError, "the hub has no such model"),
    ],
)
def test_a_model_that_may_not_be_read_comes_with_advice(
    monkeypatch: pytest.MonkeyPatch, cause: type[RepositoryNotFoundError], advice: str, load: str
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        try:
            raise cause.__new__(cause, "no")  # without __init__, which wants a response
        except RepositoryNotFoundError as error:  # as transformers passes it on
            raise OSError("You are trying to access a repo.\nCannot connect") from error

    for loader in ("AutoTokenizer", "AutoConfig", "AutoModelForCausalLM"):
        monkeypatch.setattr(f"tokenrank.models.pretrained.{loader}.from_pretrained", refuse)
    with pytest.raises(ValueError, match=f"'me/tiny' cannot be loaded: {advice}"):
        getattr(pretrained("me/tiny"), load)()


def test_code_of_a_repository_is_never_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def record(*_: Any, **options: Any) -> Tiny:
        asked.append(options["trust_remote_code"])
        raise OSError("recorded")

    for loader in ("AutoTokenizer", "AutoConfig", "AutoModelForCausalLM"):
        monkeypatch.setattr(f"tokenrank.models.pretrained.{loader}.from_pretrained", record)
    for source in (pretrained("me/tiny"), pretrained("me/tiny", device_map="auto", dtype="bfloat16")):
        for load in LOADERS:
            with pytest.raises(ValueError, match="recorded"):
                getattr(source, load)()
    assert asked == [False] * 2 * len(LOADERS)


@pytest.mark.parametrize("model_type", ["llama", "own"])
def test_code_of_a_repository_is_never_run(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model_type: str
) -> None:
    config = json.loads((folder / "config.json").read_text())
    config |= {"model_type": model_type, "auto_map": {"AutoConfig": "own.Own", "AutoModelForCausalLM": "own.Own"}}
    (folder / "config.json").write_text(json.dumps(config))
    mark = tmp_path / "it ran"
    (folder / "own.py").write_text(
        "from pathlib import Path\nfrom transformers import LlamaConfig\n"
        f"Path({str(mark)!r}).touch()\nclass Own(LlamaConfig):\n    model_type = 'own'\n"
    )
    for load in LOADERS:
        if model_type == "llama" or load == "tokenizer":
            getattr(pretrained(folder), load)()
        else:
            with pytest.raises(ValueError, match=r"cannot be loaded: .* custom code"):
                getattr(pretrained(folder), load)()
    assert not mark.exists()
    if model_type == "own":  # the code would run if it were trusted
        monkeypatch.setattr("transformers.dynamic_module_utils.HF_MODULES_CACHE", str(tmp_path / "modules"))
        monkeypatch.setattr(sys, "path", list(sys.path))
        AutoConfig.from_pretrained(folder, trust_remote_code=True)
        assert mark.exists()


@pytest.mark.parametrize("load", LOADERS)
@pytest.mark.parametrize("name", ["none", "none.gguf"])
def test_a_path_that_leads_nowhere_is_refused(tmp_path: Path, name: str, load: str) -> None:
    message = f"model.path is {str(tmp_path / name)!r}, and there is no such file or folder"
    with pytest.raises(ValueError, match=re.escape(message)):
        getattr(pretrained(tmp_path / name), load)()


@pytest.mark.parametrize("load", LOADERS)
def test_a_folder_without_a_config_says_what_it_must_hold(tmp_path: Path, load: str) -> None:
    with pytest.raises(ValueError, match=f"{re.escape(str(tmp_path))}' cannot be loaded: .*must hold config.json"):
        getattr(pretrained(tmp_path), load)()


@pytest.mark.parametrize("load", LOADERS)
def test_a_broken_config_is_refused(folder: Path, load: str) -> None:
    (folder / "config.json").write_text("{ no json")
    with pytest.raises(ValueError, match=r"cannot be loaded: .*not a valid JSON file"):
        getattr(pretrained(folder), load)()


@pytest.mark.parametrize("kept", [0, 5, 1000, -100])
def test_weights_that_break_off_are_refused(folder: Path, kept: int) -> None:
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:kept])
    with pytest.raises(ValueError, match=r"cannot be loaded: .*must hold config\.json, tokenizer and weights"):
        pretrained(folder).model()


def test_a_folder_without_weights_or_tokenizer_is_refused(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    for file in folder.glob("tokenizer*"):
        file.unlink()
    assert pretrained(folder).readable_tokens() == 8192
    for load in ("model", "tokenizer"):
        with pytest.raises(ValueError, match="cannot be loaded: "):
            getattr(pretrained(folder), load)()


@pytest.mark.parametrize("dtype", ["fp32", "float64", "int8", ""])
def test_an_unknown_dtype_is_refused_with_those_there_are(dtype: str) -> None:
    with pytest.raises(ValueError, match=f"model.dtype is '{dtype}', must be one of float32, bfloat16, float16"):
        pretrained("me/tiny", dtype=dtype)


def test_an_unknown_device_is_refused(saved: Path) -> None:
    with pytest.raises(ValueError, match=r"model\.device is 'gpu', must be auto or a torch device such as cpu"):
        pretrained(saved, device="gpu").model()


def test_an_unknown_device_map_is_refused(saved: Path) -> None:
    with pytest.raises(ValueError, match=r"cannot be loaded: .*'auto'.* but found everywhere"):
        pretrained(saved, device_map="everywhere").model()


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has the device")
def test_a_device_that_this_machine_lacks_is_refused(saved: Path) -> None:
    with pytest.raises(ValueError, match=r"model\.device is 'cuda'"):
        pretrained(saved, device="cuda").model()


def test_a_weight_that_is_missing_is_refused(folder: Path) -> None:
    change_weights(folder, lambda weights: weights.pop("model.layers.0.self_attn.q_proj.weight"))
    with pytest.raises(ValueError, match=r"cannot be loaded: .*model\.layers\.0\.self_attn\.q_proj\.weight"):
        pretrained(folder).model()


def test_a_weight_of_the_wrong_shape_is_refused(folder: Path) -> None:
    change_weights(folder, lambda weights: weights.update({"lm_head.weight": torch.zeros(3, 64)}))
    with pytest.raises(ValueError, match="cannot be loaded: "):
        pretrained(folder).model()


@pytest.mark.parametrize("load", LOADERS)
def test_a_broken_gguf_file_is_refused(tmp_path: Path, load: str) -> None:
    file = tmp_path / "broken.gguf"
    file.write_bytes(b"GGUF and nothing")
    with pytest.raises(ValueError, match=r"broken\.gguf' cannot be loaded: "):
        getattr(pretrained(file), load)()


@pytest.mark.parametrize("key", ["attn_implementation", "_attn_implementation", "_attn_implementation_internal"])
@pytest.mark.parametrize(
    "asked", ["flash_attention_2", "flex_attention", "kernels-community/flash-attn", "nonsense", 3]
)
def test_attention_is_sdpa_whatever_the_config_asks_for(folder: Path, key: str, asked: Any) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {key: asked}))
    for load in ("model", "skeleton"):
        assert getattr(pretrained(folder), load)().config._attn_implementation == "sdpa"


def test_attention_is_eager_where_the_architecture_has_no_sdpa(tmp_path: Path) -> None:
    model = tiny_of("gpt_oss")
    assert model.config._attn_implementation == "eager"
    model.save_pretrained(tmp_path)
    for load in ("model", "skeleton"):
        assert getattr(pretrained(tmp_path), load)().config._attn_implementation == "eager"


def test_another_attention_is_refused(tiny_model: PreTrainedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiny_model.config, "_attn_implementation", "flex_attention")
    with pytest.raises(ValueError, match="attention is 'flex_attention', must be one of sdpa, eager"):
        placed(tiny_model, None)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_skeleton_is_the_model_without_weights(tmp_path: Path, architecture: str) -> None:
    model = tiny_of(architecture)
    model.config.save_pretrained(tmp_path)  # no weights
    skeleton = pretrained(tmp_path, dtype="bfloat16").skeleton()
    assert {str(each.device) for each in skeleton.parameters()} == {"meta"}
    shapes = [{name: each.shape for name, each in one.named_parameters()} for one in (model, skeleton)]
    assert shapes[0] == shapes[1]
    assert skeleton.config._attn_implementation == model.config._attn_implementation
    assert skeleton.config._attn_implementation in ATTENTION
    assert (skeleton.training, skeleton.dtype) == (False, torch.bfloat16)


def test_a_skeleton_of_no_language_model_is_refused(tmp_path: Path) -> None:
    AutoConfig.for_model("vit").save_pretrained(tmp_path)
    with pytest.raises(ValueError, match=r"cannot be built: Unrecognized configuration class"):
        pretrained(tmp_path).skeleton()
    with pytest.raises(
        ValueError, match=r"does not say how many tokens .*max_position_embeddings is None.*: set model.max_tokens"
    ):
        pretrained(tmp_path).readable_tokens()


def test_the_identity_of_a_folder_follows_its_files_not_its_place(saved: Path, folder: Path) -> None:
    identity = pretrained(folder).identity()
    assert json.loads(json.dumps(identity)) == identity == pretrained(saved).identity()
    assert [each["name"] for each in identity["files"]] == [
        "config.json",
        "generation_config.json",
        "model.safetensors",
    ]
    assert pretrained(folder, dtype="bfloat16").identity() != identity
    change_weights(folder, lambda weights: weights["model.norm.weight"].add_(1))
    assert pretrained(folder).identity() != identity


def test_the_identity_of_a_gguf_file_is_the_file(tmp_path: Path) -> None:
    (tmp_path / "a.gguf").write_bytes(b"GGUF")
    (tmp_path / "config.json").write_text("{}")
    assert [each["name"] for each in pretrained(tmp_path / "a.gguf").identity()["files"]] == ["a.gguf"]


def test_the_identity_of_a_hub_model_is_its_id_and_commit(saved: Path, hub: Path) -> None:
    into_hub_cache(saved, hub, "me/tiny")
    wanted = {"source": "hub", "id": "me/tiny", "commit": COMMIT, "dtype": "float32"}
    assert pretrained("me/tiny").identity() == wanted
    assert pretrained("me/tiny", revision=COMMIT).identity() == wanted


def test_a_revision_reaches_every_loader(saved: Path, hub: Path) -> None:
    into_hub_cache(saved, hub, "me/tiny")
    for load in LOADERS:
        getattr(pretrained("me/tiny", revision="main"), load)()
        with pytest.raises(ValueError, match="'me/tiny' cannot be loaded: "):
            getattr(pretrained("me/tiny", revision="other"), load)()


def test_a_revision_of_a_local_path_is_refused(saved: Path) -> None:
    with pytest.raises(ValueError, match=r"model\.revision is 'main', must be null where model\.path is a local path"):
        pretrained(saved, revision="main").tokenizer()


class Runs:
    """What a pickle can do: unpickling it calls a function."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.mark,)


def test_a_pickle_of_tensors_loads(folder: Path, tiny_model: PreTrainedModel) -> None:
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    assert same_weights(pretrained(folder).model(), tiny_model)


@pytest.mark.parametrize("beside", [False, True])
def test_code_in_a_pickle_is_never_run(folder: Path, tmp_path: Path, tiny_model: PreTrainedModel, beside: bool) -> None:
    mark = tmp_path / "it ran"
    torch.save({"lm_head.weight": Runs(mark)}, folder / "pytorch_model.bin")
    if beside:  # safetensors come first
        assert same_weights(pretrained(folder).model(), tiny_model)
    else:
        (folder / "model.safetensors").unlink()
        with pytest.raises(
            ValueError, match=r"cannot be loaded: .* only tensors are read, use safetensors$"
        ) as refused:
            pretrained(folder).model()
        assert not re.search(r"weights_only|trust", str(refused.value))
    assert not mark.exists()
    torch.load(folder / "pytorch_model.bin", weights_only=False)
    assert mark.exists()  # it would have run


def test_a_path_too_long_for_a_file_is_no_traceback(hub: Path) -> None:
    with pytest.raises(ValueError, match="cannot be loaded"):
        pretrained("a" * 5000).tokenizer()


def test_without_a_home_directory_a_path_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match=r"model\.path is '~no-such-user/tiny', and the home directory is not known"):
        pretrained("~no-such-user/tiny").tokenizer()


@pytest.mark.parametrize("load", [*LOADERS, "skeleton", "identity"])
def test_an_empty_path_is_refused(load: str) -> None:
    with pytest.raises(ValueError, match=r"model\.path is empty, must be a hub id"):
        getattr(pretrained(""), load)()
