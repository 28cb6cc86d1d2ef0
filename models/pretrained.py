"""A causal language model of the Hugging Face hub, of a local folder or of a GGUF file."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from huggingface_hub import try_to_load_from_cache
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoTokenizer,
    GenerationConfig,
    GgufConfig,
    PreTrainedConfig,
    PreTrainedModel,
)
from transformers import PreTrainedTokenizerBase as Tokenizer

from tokenrank.models.devices import check_device, pick_device
from tokenrank.models.fitting_weights import check_weights_fit
from tokenrank.models.from_config import DTYPES, built, placed
from tokenrank.models.gguf_files import follow_file
from tokenrank.models.gguf_tensors import check_all_tensors_are_read
from tokenrank.models.hub import hub_answers
from tokenrank.models.lengths import check_asked, check_table, readable_tokens
from tokenrank.models.load_errors import advice
from tokenrank.models.weight_files import check_hub_files, file_facts, user_path


@dataclass(frozen=True)
class Pretrained:
    """Weights and tokenizer behind one path. Nothing is loaded before it is asked for; code of a repository is never run.

    Weights are read from safetensors where there are any, else from GGUF or from pytorch_model.bin; of the latter torch
    reads tensors only (``weights_only``), so that code in a pickle is refused and not run. Attention is transformers' sdpa,
    or eager where the architecture has no sdpa, whatever config.json asks for.
    """

    path: str  # hub id, local folder, or a .gguf file
    name: str | None = None  # name in the records; None: the last part of the path
    revision: str | None = None  # branch, tag or commit of a hub id; None: its main branch
    dtype: str = "float32"
    device: str = "auto"
    device_map: str | None = None  # "auto" spreads the layers over all devices; then ``device`` is not used
    max_tokens: int | None = None  # the model reads, prompt and answer together; None: what its config says
    template: dict[str, Any] | None = field(default=None, kw_only=True, hash=False)  # arguments of the chat template

    def __post_init__(self) -> None:
        check_asked(self.max_tokens)
        if self.dtype not in DTYPES:
            raise ValueError(f"model.dtype is {self.dtype!r}, must be one of {', '.join(DTYPES)}")
        if self.device_map is None:
            check_device(self.device)

    @property
    def label(self) -> str:
        """The model's name in the records."""
        return self.name or Path(self.path).name

    def folder(self) -> str:
        """The path to load from; a subclass may create it first."""
        return self.path

    def tokenizer(self) -> Tokenizer:
        """The model's tokenizer.

        Raises:
            ValueError: there is no such model, or it cannot be read; the message says what to do.
        """
        return self._load(AutoTokenizer.from_pretrained)  # type: ignore[no-any-return]

    def readable_tokens(self) -> int:
        """The tokens that the model reads, prompt and answer together: ``max_tokens``, else what its config says.

        Raises:
            ValueError: as for the tokenizer; the config says nothing; or the model's table of positions is shorter.
        """
        if self.max_tokens is None:
            return readable_tokens(self.config(), f"the model {self.path!r}")
        check_table(self.skeleton(), self.max_tokens)
        return self.max_tokens

    def config(self) -> PreTrainedConfig:
        """The model's config, with the attention implementation left to transformers: sdpa, else eager.

        Raises:
            ValueError: as for the tokenizer.
        """
        config: PreTrainedConfig = self._load(AutoConfig.from_pretrained)
        config._attn_implementation = None
        if self._is_gguf():
            self._of_file(follow_file, config)
        return config

    def generation_settings(self) -> dict[str, Any]:
        """The model's generation config without its defaults, which its answers follow; ready for JSON.

        Raises:
            ValueError: as for the tokenizer.
        """
        try:
            own: GenerationConfig = self._load(GenerationConfig.from_pretrained)
        except ValueError:  # it has none: transformers makes one of the model's config
            own = GenerationConfig.from_model_config(self.config())
        return dict(json.loads(own.to_json_string(use_diff=True)))

    def skeleton(self) -> PreTrainedModel:
        """The model's architecture without weights: all parameters are on torch's ``meta`` device.

        Raises:
            ValueError: as for the tokenizer, or the config describes no causal language model.
        """
        return built(self.config(), "meta", self.dtype, f"the model {self.path!r}")

    def identity(self) -> dict[str, Any]:
        """Facts that decide the weights, ready for JSON; the weights are not loaded.

        Of a hub id: the id and, where the hub or its cache tells it, the commit. Of a local path: ``file_facts``, which
        do not depend on where the folder lies. And the dtype.

        Raises:
            ValueError: as for the tokenizer.
        """
        local = self._local()
        if local is not None:
            return {"source": "files", "files": file_facts(local), "dtype": self.dtype}
        self.config()  # the cache now knows the commit that the hub names, if the hub can be reached
        snapshot = self._snapshot()
        commit = None if snapshot is None else snapshot.name
        return {"source": "hub", "id": self.path, "commit": commit, "dtype": self.dtype}

    def model(self) -> PreTrainedModel:
        """The model, in evaluation mode, on its device.

        Raises:
            ValueError: as for the tokenizer, the weights are not those of the config (see ``check_weights_fit``), or not
                those of the hub (see ``check_hub_files``), or this machine
                has no such device, or not the memory.
        """
        device = pick_device(self.device) if self.device_map is None else None
        options: dict[str, Any] = {"dtype": DTYPES[self.dtype], "weights_only": True, "config": self.config()}
        if self.device_map is not None:
            options["device_map"] = self.device_map
        if self._is_gguf():
            options["quantization_config"] = GgufConfig(dequantize=True)
        model, report = self._load(AutoModelForCausalLM.from_pretrained, output_loading_info=True, **options)
        if (snapshot := self._snapshot()) is not None:
            check_hub_files(snapshot)
        check_weights_fit(report, model.config, self.path or str(self.folder()))
        if self._is_gguf():
            self._of_file(check_all_tensors_are_read, model)
        return placed(model, device)

    def _snapshot(self) -> Path | None:
        """Folder of the commit in the hub's cache; None for a local path, or if nothing is cached."""
        if self._local() is not None:
            return None
        cached = try_to_load_from_cache(self.path, "config.json", revision=self.revision)
        return Path(cached).parent if isinstance(cached, str) else None

    def _of_file(self, check: Callable[[Any, Path], None], made: Any) -> None:
        """Holds what was made of a GGUF file against the file."""
        try:
            check(made, user_path("model.path", self.folder()))
        except ValueError as error:
            raise ValueError(f"the model {self.path!r} cannot be loaded: {error}") from error

    def _is_gguf(self) -> bool:
        return self.folder().endswith(".gguf")

    def _local(self) -> Path | None:
        """The file or folder that the path names; None for a hub id.

        Raises:
            ValueError: there is no such file or folder, or a revision is given for it.
        """
        if not self.folder():
            raise ValueError("model.path is empty, must be a hub id, a local folder or a GGUF file")
        folder = user_path("model.path", self.folder())
        try:
            there = folder.exists()
        except OSError:  # too long a name
            there = False
        if not there:
            if self.folder().startswith((".", "/", "~")) or self._is_gguf():
                raise ValueError(f"model.path is {str(folder)!r}, and there is no such file or folder")
            return None
        if self.revision is not None:
            raise ValueError(f"model.revision is {self.revision!r}, must be null where model.path is a local path")
        return folder

    def _load(self, load: Any, **options: Any) -> Any:
        local = self._local()
        place = self.folder() if local is None else str(local)
        if local is None:
            options["local_files_only"] = not hub_answers()
            if self.revision is not None:
                options["revision"] = self.revision
        elif self._is_gguf():
            options["gguf_file"], place = local.name, str(local.parent)
        try:
            return load(place, trust_remote_code=False, **options)
        except Exception as error:  # loaders fail in many ways, struct.error among them; all mean: not loadable
            raise ValueError(f"the model {self.path or place!r} cannot be loaded: {advice(error)}") from error
