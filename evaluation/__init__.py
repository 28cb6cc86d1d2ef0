"""What a run measures; each one straight function over samples."""
