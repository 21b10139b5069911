"""The rules that hold the paper's claims against runs, by the names that a protocol gives them."""

from collections.abc import Callable

from . import rules_of_models, rules_of_numbers, rules_of_training
from .evidence import Evidence, Judged
from .protocol import Terms

RULES: dict[str, Callable[[Evidence, Terms], Judged]] = {
    rule.__name__: rule
    for rule in (
        rules_of_numbers.consistent,
        rules_of_numbers.exchangeable,
        rules_of_numbers.like_training,
        rules_of_models.lowest,
        rules_of_models.equal_models,
        rules_of_training.same_rate,
        rules_of_models.nearer_than_scratch,
        rules_of_models.beats_table,
        rules_of_models.by_votes,
        rules_of_training.within_hours,
        rules_of_training.falls_faster,
        rules_of_training.more_helps,
    )
}
