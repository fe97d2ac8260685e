"""Numbers in words."""


def plural(count: int, noun: str) -> str:
    """Such as "1 thread", "4 threads" or "1,000 epochs"."""
    return f"{count:,} {noun}" + "s" * (count != 1)
