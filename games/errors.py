"""Errors a person can meet when a position or a move comes as text. Each message is one sentence."""


class BadPosition(ValueError):
    """A position written as text that cannot be read; says what is wrong with it."""


class BadMove(ValueError):
    """A move written as text that cannot be read, or that is not legal; says which."""


class BadPuzzle(ValueError):
    """A line of a suite of puzzles that cannot be read; says which line, and what is wrong with it."""


class UnknownGame(ValueError):
    """A name that no game is registered under; lists those that are."""


def check_plain(text: str, most: int) -> None:
    """Refuse what can be no position in one line of text.

    Raises:
        BadPosition: the text is longer than ``most`` characters, or has others than ASCII's visible ones and spaces.
    """
    if len(text) > most:
        raise BadPosition(f"it has {len(text):,} characters, more than {most}")
    for character in text:
        if not character.isascii() or not (character.isprintable() or character.isspace()):
            raise BadPosition(f"it has characters that are not plain text, such as {character!a}")


def shown(text: str, limit: int = 40) -> str:
    """The text in quotes for a message: cut where it is long, escaped what cannot be printed.

    The wide space of Japanese counts as printable; a plain one takes its place.
    """
    plain = text[:limit].replace("\u3000", " ")
    return f"{plain!r}..." if len(text) > limit else repr(plain)
