"""Signals that rank a prompt's tokens: one paper, one file, one frozen dataclass."""
