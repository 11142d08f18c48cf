"""What goes wrong, said to a person: what and where, and what to do next. Knows nothing of HTTP or OAuth."""

from collections.abc import Mapping


class Problem(Exception):
    """An expected failure with a stable `code`, one clear line, a hint that mends it, and an exit status.

    `more` is for programs only: further members of the error's JSON document.
    """

    exit_code = 1

    def __init__(self, code: str, message: str, *, hint: str = "", more: Mapping[str, object] | None = None) -> None:
        super().__init__(message)
        if hint:
            self.add_note(f"hint: {hint}")  # a traceback shows it, too
        self.code = code
        self.message = message
        self.hint = hint
        self.more = more or {}


class KeyProblem(Problem):
    """A key in a service or a keyring cannot be used as it stands. What is under it is not lost."""


class Misuse(Problem):
    """The program was called wrongly, or on the wrong folder: nothing was done (exit status 2)."""

    exit_code = 2
