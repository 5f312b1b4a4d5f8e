"""What unmix says when it cannot go on, and when it can but should be doubted."""


class UnmixError(ValueError):
    """Something the user gave cannot be used; the message is one sentence that says what to do."""


class UnmixWarning(UserWarning):
    """A result is handed over, with a reason to doubt it."""
