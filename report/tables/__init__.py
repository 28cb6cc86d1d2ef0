"""Tables for a paper, and the leaderboard."""
