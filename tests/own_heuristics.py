"""A heuristic of somebody else's: its class in a module of their own, its config in a folder of their own."""

from pathlib import Path

MODULE = '''
import os
import time
from dataclasses import dataclass
from pathlib import Path
import torch
from tokenrank.heuristics.heuristic import Heuristic

@dataclass(frozen=True)
class Backwards(Heuristic):
    """Earlier is better. Prompts of some lengths break it, or, where BLOCKED names a file, keep it for ever."""
    broken_tokens: int = 0
    raising_tokens: int = 0
    blocking_tokens: int = 0

    def score(self, layer):
        if layer.tokens == self.raising_tokens:
            raise LookupError("somebody else's error")
        if layer.tokens == self.blocking_tokens and os.environ.get("BLOCKED"):
            Path(os.environ["BLOCKED"]).touch()
            time.sleep(600)
        scores = -torch.arange(layer.tokens, dtype=torch.float32)
        return scores / 0 if layer.tokens == self.broken_tokens and layer.index == 2 else scores
'''
CONFIG = """
backwards:
  _target_: outside_heuristics.Backwards
  broken_tokens: 0
  raising_tokens: 0
  blocking_tokens: 0
"""


def write_own_heuristics(folder: Path) -> Path:
    """The folder, with the module and ``heuristic/backwards.yaml``: both the config folder and the one to import from."""
    (folder / "heuristic").mkdir(parents=True)
    (folder / "outside_heuristics.py").write_text(MODULE)
    (folder / "heuristic" / "backwards.yaml").write_text(CONFIG)
    return folder
