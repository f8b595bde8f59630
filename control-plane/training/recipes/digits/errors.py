"""The one error of this recipe that a person is meant to read."""


class RecipeError(Exception):
    """An input or a result is not what the recipe needs; the message says what and how to mend it."""
