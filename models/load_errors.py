"""Errors of loading a model, as one sentence that says what to do."""

import pickle
from collections.abc import Iterator

from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError, RevisionNotFoundError


def first_line(error: BaseException) -> str:
    """The first line of an error's message, with the next one where it ends in a colon; else the error's type."""
    lines = [line.strip() for line in str(error).strip().splitlines()] or [type(error).__name__]
    return " ".join(lines[:2]) if lines[0].endswith(":") else lines[0]


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def advice(error: BaseException) -> str:
    """What to do about a model that does not load."""
    causes = list(_causes(error))
    text = " ".join(map(str, causes))
    if any(isinstance(each, GatedRepoError) for each in causes):
        return (
            "it is gated; accept its licence on its page of the hub, then log in with `hf auth login` or set HF_TOKEN"
        )
    if any(isinstance(each, RevisionNotFoundError) for each in causes):
        return "the hub has the model, but not the branch, tag or commit of model.revision"
    if any(isinstance(each, RepositoryNotFoundError) for each in causes):
        return "the hub has no such model, or it is private; check the name, and log in with `hf auth login` if it is yours"
    if any(isinstance(each, pickle.UnpicklingError) for each in causes) or "weights_only" in text:
        return "its weights are a pickle that holds more than tensors or is damaged; only tensors are read, use safetensors"
    if "trust_remote_code" in text:
        return "it needs custom code of its repository, which is never run here"
    if "connect" in str(error) or "offline" in str(error).lower() or "local_files_only" in text:
        return (
            "the hub cannot be reached and the model is not in the local cache; go online once, "
            "or set model.path to a local folder or GGUF file"
        )
    return f"{first_line(error)} (a folder must hold config.json, tokenizer and weights)"
