"""Words for people about numbers."""


def counted(number: int, one: str, many: str = "") -> str:
    """Write a number with its noun, such as `1 record` or `2,000 records`; `many` is the plural if `s` does not do."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"
