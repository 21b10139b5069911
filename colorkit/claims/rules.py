"""The rules that hold the paper's claims against runs, by the names that a protocol gives them."""

from collections.abc import Callable

from . import rules_of_models, rules_of_numbers
from .evidence import Evidence, Judged
from .protocol import RULE_NAMES, Terms

WRITTEN = vars(rules_of_numbers) | vars(rules_of_models)
RULES: dict[str, Callable[[Evidence, Terms], Judged]] = {name: WRITTEN[name] for name in RULE_NAMES}
