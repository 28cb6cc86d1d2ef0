"""What the answer really attended to: the ground truth that every ranking is held against."""
