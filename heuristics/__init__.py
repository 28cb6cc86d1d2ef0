"""Rankings of a prompt's tokens that can be computed before its answer is known: one paper, one file, one frozen dataclass."""
