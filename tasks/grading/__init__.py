"""How good an answer is: one formula a file, each in [0, 1]."""
