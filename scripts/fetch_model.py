"""Fetches the default model into the cache ($TOKENRANK_CACHE, else ~/.cache/tokenrank) unless it is there; says where."""

from tokenrank.models.smollm2 import smollm2_folder


def main() -> None:
    """Prints the folder."""
    print(f"the default model is in {smollm2_folder()}")


if __name__ == "__main__":
    main()
