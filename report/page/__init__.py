"""report.html, and a prompt's tokens in the terminal."""
