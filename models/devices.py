"""The device that a model is put on: checked by name, then against this machine."""

import torch


def check_device(device: str) -> None:
    """Raises ValueError unless the setting is ``auto`` or the name of a kind of device that can run a model."""
    if device == "auto":
        return
    try:
        kind = torch.device(device).type
    except RuntimeError:
        kind = "meta"
    if kind == "meta":
        raise ValueError(f"model.device is {device!r}, must be auto or a torch device such as cpu, cuda or cuda:1")


def pick_device(device: str) -> str:
    """``auto`` becomes ``cuda`` or ``mps`` where there is one, else ``cpu``; any other name is checked and kept.

    Raises:
        ValueError: as for ``check_device``, or this machine has no such device.
    """
    check_device(device)
    if device == "auto":
        if torch.cuda.is_available():
            return "cuda"
        return "mps" if torch.backends.mps.is_available() else "cpu"
    wanted = torch.device(device)
    number = _devices(wanted.type)
    if (wanted.index or 0) >= number:
        has = f"{number} device{'s' if number > 1 else ''} of this kind" if number else "none that torch can use"
        raise ValueError(f"model.device is {device!r}, and this machine has {has}: choose another, or auto")
    return str(wanted)


def _devices(kind: str) -> int:
    """How many devices of a kind torch can use here."""
    if kind == "cpu":
        return 1
    if kind == "mps":
        return int(torch.backends.mps.is_available())
    try:
        module = torch.get_device_module(kind)
        return int(module.device_count()) if module.is_available() else 0
    except (AttributeError, RuntimeError):  # a kind that this build of torch knows by name only
        return 0
