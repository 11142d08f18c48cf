"""What goes wrong, said to a person: what and where, and what to do next. Knows nothing of HTTP or OAuth."""


class Problem(Exception):
    """An expected failure with a stable `code`, one clear line, a hint that mends it, and an exit status."""

    exit_code = 1

    def __init__(self, code: str, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint


class Misuse(Problem):
    """The program was called wrongly, or on the wrong folder: nothing was done (exit status 2)."""

    exit_code = 2
