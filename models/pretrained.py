"""A causal language model of the Hugging Face hub, of a local folder or of a GGUF file."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, GgufConfig, PreTrainedModel
from transformers import PreTrainedTokenizerBase as Tokenizer

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def pick_device(device: str) -> str:
    """``auto`` becomes ``cuda`` or ``mps`` where there is one, else ``cpu``; any other name is checked and kept."""
    if device != "auto":
        try:
            return str(torch.device(device))
        except RuntimeError:
            raise ValueError(
                f"model.device is {device!r}, must be auto or a torch device such as cpu, cuda or cuda:1"
            ) from None
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def _advice(error: BaseException) -> str:
    """What to do about a model that does not load."""
    causes = [error]
    while (cause := causes[-1].__cause__ or causes[-1].__context__) is not None:
        causes.append(cause)
    if any(isinstance(each, GatedRepoError) for each in causes):
        return (
            "it is gated; accept its licence on its page of the hub, then log in with `hf auth login` or set HF_TOKEN"
        )
    if any(isinstance(each, RepositoryNotFoundError) for each in causes):
        return "the hub has no such model, or it is private; check the name, and log in with `hf auth login` if it is yours"
    if "connect" in str(error) or "offline" in str(error).lower():
        return (
            "the hub cannot be reached and the model is not in the local cache; go online once, "
            "or set model.path to a local folder or GGUF file"
        )
    return f"{str(error).splitlines()[0] if str(error) else type(error).__name__} (a folder must hold config.json, tokenizer and weights)"


@dataclass(frozen=True)
class Pretrained:
    """Weights and tokenizer behind one path. Nothing is loaded before it is asked for; code of a repository is never run."""

    path: str  # hub id, local folder, or a .gguf file
    name: str | None = None  # what the records call it; None: the last part of the path
    dtype: str = "float32"
    device: str = "auto"
    device_map: str | None = None  # "auto" spreads the layers over all devices; then ``device`` is not used

    def __post_init__(self) -> None:
        if self.dtype not in DTYPES:
            raise ValueError(f"model.dtype is {self.dtype!r}, must be one of {', '.join(DTYPES)}")

    @property
    def label(self) -> str:
        """What the records call the model."""
        return self.name or Path(self.path).name

    def folder(self) -> str:
        """The path to load from; a subclass may have to make it first."""
        return self.path

    def tokenizer(self) -> Tokenizer:
        """The model's tokenizer.

        Raises:
            ValueError: the path leads to nothing, or to what may not be read; the message says what to do.
        """
        return self._load(AutoTokenizer.from_pretrained)  # type: ignore[no-any-return]

    def max_tokens(self) -> int:
        """Positions that the model was made for: prompt and answer together may be this long."""
        config = self._load(AutoConfig.from_pretrained)
        return int(config.get_text_config().max_position_embeddings)

    def model(self) -> PreTrainedModel:
        """The model, in evaluation mode, on its device.

        Raises:
            ValueError: as for the tokenizer.
        """
        placed: dict[str, Any] = {"dtype": DTYPES[self.dtype]}
        if self.device_map is not None:
            placed["device_map"] = self.device_map
        if self._is_gguf():
            placed["quantization_config"] = GgufConfig(dequantize=True)
        model, report = self._load(AutoModelForCausalLM.from_pretrained, output_loading_info=True, **placed)
        if report["missing_keys"]:  # transformers would fill the gap with random numbers
            raise ValueError(f"the model {self.path!r} cannot be loaded: it lacks {min(report['missing_keys'])}")
        if self.device_map is None:
            device = pick_device(self.device)
            try:
                model.to(device)
            except (AssertionError, RuntimeError) as error:
                raise ValueError(f"model.device is {device!r}, and the model cannot be put there: {error}") from error
        return model.eval()  # type: ignore[no-any-return]

    def _is_gguf(self) -> bool:
        return self.folder().endswith(".gguf")

    def _load(self, load: Any, **options: Any) -> Any:
        folder = self.folder()
        here = folder.startswith((".", "/", "~")) or self._is_gguf()
        if here:
            folder = str(Path(folder).expanduser())
            if not Path(folder).exists():
                raise ValueError(f"model.path is {folder!r}, and there is no such file or folder")
        if self._is_gguf():
            options["gguf_file"] = Path(folder).name
            folder = str(Path(folder).parent)
        try:
            return load(folder, trust_remote_code=False, **options)
        except Exception as error:  # loaders fail in many ways, struct.error among them; all mean: not loadable
            raise ValueError(f"the model {self.path or folder!r} cannot be loaded: {_advice(error)}") from error
