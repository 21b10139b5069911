"""The one error a user of the kit should ever have to read."""


class KitError(ValueError):
    """Something the user can mend: one line with the thing, the rule and the remedy.

    The command line prints it without a traceback and leaves with exit code 2.
    """
