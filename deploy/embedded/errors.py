"""What can go wrong with the embedded servers, said so that a person can act on it."""


class EmbeddedError(Exception):
    """An embedded server could not do what was asked.

    Args:
        what: what happened, in one sentence.
        todo: what the reader can do about it, in one sentence.
    """

    def __init__(self, what: str, todo: str) -> None:
        super().__init__(f"{what} {todo}")
        self.what = what
        self.todo = todo
