"""Rankings of a prompt's tokens without its answer: one paper, one file, one frozen dataclass."""
