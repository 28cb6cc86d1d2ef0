"""Whether transformers reads every tensor of a GGUF file: it leaves out without a word what its model has no place for."""

from pathlib import Path

from gguf import MODEL_ARCH_NAMES, GGUFReader, get_tensor_name_map
from transformers import PreTrainedModel
from transformers.modeling_gguf_pytorch_utils import TENSOR_PROCESSORS, TensorProcessor

from tokenrank.models.gguf_rope import ROPE_TENSORS


def check_all_tensors_are_read(model: PreTrainedModel, path: Path) -> None:
    """Raises ValueError if the file has a tensor of the model that transformers leaves out, as it does without a word.

    Experts are not checked: transformers merges and splits them under other names.

    Args:
        model: loaded from the file, or without weights.
        path: of the file.
    """
    reader = GGUFReader(path)
    architecture = str(reader.fields["general.architecture"].contents())
    known = _names_in_file(model, architecture) | set(ROPE_TENSORS)
    for tensor in reader.tensors:
        if tensor.name not in known and "exp" not in tensor.name:
            raise ValueError(
                f"the file {path.name} has the tensor {tensor.name}, which {type(model).__name__} as transformers builds it from "
                "GGUF files has no place for: load the model from a folder"
            )


def _names_in_file(model: PreTrainedModel, architecture: str) -> set[str]:
    """What transformers looks for in a file of this architecture; its own function takes a minute where there are 60 layers."""
    number = next(each for each, name in MODEL_ARCH_NAMES.items() if name == architecture)
    theirs = get_tensor_name_map(number, model.config.num_hidden_layers)
    processor = TENSOR_PROCESSORS.get(architecture, TensorProcessor)(config=model.config.to_dict())  # type: ignore[no-untyped-call]
    known: dict[str, str] = {}
    for full in model.state_dict():
        for name in (full, full.removeprefix(f"{model.base_model_prefix}.")):
            plain = processor.preprocess_name(name)
            suffix = next((each for each in (".weight", ".bias") if plain.endswith(each)), "")
            found = theirs.get_name(plain.removesuffix(suffix))
            if found is None:
                processor.perform_fallback_tensor_mapping(known, suffix, "", plain)
            else:
                known[f"{found}{suffix}"] = plain
    return set(known)
