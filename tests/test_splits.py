import itertools

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from colorkit import splits
from colorkit.base.errors import KitError


def parts_of(painters, groups=None, seed: int = 0) -> pd.Series:
    """Deal paintings, each in a group of its own if nothing else is said."""
    groups = range(len(painters)) if groups is None else groups
    return splits.stratify(pd.DataFrame({"painter": painters, "group": groups}), seed)


def test_papers_part_sizes():
    assert splits.part_sizes(519) == {"train": 363, "test": 52, "valid": 104}


@settings(deadline=None, max_examples=60)
@given(st.lists(st.sampled_from("abcd"), min_size=10, max_size=200), st.integers(0, 1000))
def test_split_is_exact_and_nearly_in_proportion(painters, seed):
    result = parts_of(painters, seed=seed)
    assert result.value_counts().to_dict() == splits.part_sizes(len(painters))
    for painter in set(painters):
        here = result[[p == painter for p in painters]]
        for name, share in splits.PARTS.items():
            assert abs((here == name).sum() - share * len(here)) <= 2.5


@settings(deadline=None, max_examples=40)
@given(st.lists(st.integers(0, 30), min_size=10, max_size=100), st.integers(0, 1000))
def test_groups_stay_whole_and_no_split_is_empty(groups, seed):
    if len(set(groups)) < 3:
        with pytest.raises(KitError, match="too few for 3 parts"):
            parts_of(["x"] * len(groups), groups, seed)
        return
    parts = parts_of(["x"] * len(groups), groups, seed)
    table = pd.DataFrame({"group": groups, "part": parts})
    assert (table.groupby("group")["part"].nunique() == 1).all()
    assert set(table["part"]) == set(splits.PARTS)


def test_split_depends_on_its_seed_only():
    one, again, other = (parts_of(["a"] * 30 + ["b"] * 30, seed=seed) for seed in (1, 1, 2))
    assert one.equals(again)
    assert not one.equals(other)


@pytest.fixture
def paintings() -> pd.DataFrame:
    """Sixty paintings by three painters; the first two of each are one composition."""
    rows = []
    for p, painter in enumerate(("Ada", "Bo", "Cy")):
        for n in range(20):
            group = 100 * p + max(n, 1)
            rows.append({"path": f"{painter}/{n:02}.jpg", "painter": painter, "group": group})
    return pd.DataFrame(rows)


def test_painters_with_one_painting_each_are_dealt_anew_by_every_draw():
    draws = [parts_of([f"{n:02}" for n in range(40)], seed=seed) for seed in range(1, 61)]
    tested = (pd.DataFrame(draws) == "test").sum()
    assert tested.min() >= 1
    assert tested.max() <= 20


def test_five_folds_test_every_painting_once_and_never_on_both_sides(paintings):
    dealt = [splits.deal(paintings, f"fold-{number}") for number in range(1, 6)]
    tested = pd.concat([one[one["part"] == "test"] for one in dealt])
    assert sorted(tested["path"]) == sorted(paintings["path"])
    for one in dealt:
        assert one["path"].tolist() == paintings["path"].tolist()
        assert (one.groupby("group")["part"].nunique() == 1).all()
        sizes = one["part"].value_counts().to_dict()
        assert sizes == pytest.approx({"train": 42, "test": 12, "valid": 6}, abs=2)


@pytest.mark.parametrize("name", ["paper", "paper-3", "usual", "fold-2", "without-Bo"])
def test_a_clean_split_keeps_near_duplicates_together(paintings, name):
    dealt = splits.deal(paintings, name)
    assert (dealt.groupby("group")["part"].nunique() == 1).all()
    assert set(dealt["part"]) == set(splits.PARTS)
    assert dealt["path"].is_unique
    assert not dealt["mirrored"].any()


@pytest.mark.parametrize(("name", "share"), [("half-2", 1 / 2), ("quarter-2", 1 / 4)])
def test_fewer_paintings_train_and_the_same_are_tested(paintings, name, share):
    whole, less = (splits.deal(paintings, split) for split in ("fold-2", name))
    rest = whole["part"] != "train"
    assert (less.loc[rest, "part"] == whole.loc[rest, "part"]).all()
    trained = less[~rest].groupby("painter")["part"].agg(lambda part: (part == "train").mean())
    assert trained.tolist() == pytest.approx([share] * 3, abs=0.05)
    assert set(less.loc[~rest, "part"]) == {"train", splits.SPARE}


@pytest.mark.parametrize(("name", "share"), [("half-1", 1 / 2), ("quarter-1", 1 / 4)])
def test_a_share_of_many_painters_is_that_share_of_all(name, share):
    """Painters with one training painting each: none has a half, all together have."""
    numbers = [f"{number:03}" for number in range(100)]
    table = pd.DataFrame({"path": numbers, "painter": numbers, "group": range(100)})
    whole, less = (splits.deal(table, split) for split in ("fold-1", name))
    trained = [(dealt["part"] == "train").sum() for dealt in (whole, less)]
    assert trained[1] == pytest.approx(share * trained[0], abs=1)


def test_as_many_paintings_are_drawn_as_asked_for(paintings):
    dealt = splits.deal(paintings, "draw-50")
    sizes = {"train": 35, "test": 5, "valid": 10, splits.SPARE: 10}
    assert dealt["part"].value_counts().to_dict() == sizes


def test_a_painter_left_out_is_all_that_is_tested(paintings):
    dealt = splits.deal(paintings, "without-Bo")
    assert ((dealt["part"] == "test") == (dealt["painter"] == "Bo")).all()


def test_sorted_tests_the_last_ones(paintings):
    parts = [name for name, _ in itertools.groupby(splits.deal(paintings, "sorted")["part"])]
    assert parts == ["train", "valid", "test"]


def test_the_leaks_leak_into_validation_and_nowhere_else(paintings):
    for name in ("flips", "inside"):
        dealt = splits.deal(paintings, name)
        paths = {part: set(dealt.loc[dealt["part"] == part, "path"]) for part in splits.PARTS}
        assert len(paths["valid"] & paths["train"]) > len(paths["valid"]) / 2
        assert not paths["test"] & (paths["train"] | paths["valid"])
        clean = splits.deal(paintings, "paper")
        assert paths["test"] == set(clean.loc[clean["part"] == "test", "path"])
    flips = splits.deal(paintings, "flips")
    assert not flips[["path", "mirrored"]].duplicated().any()
    assert flips.loc[flips["part"] != "test", "mirrored"].mean() == 0.5


def test_plain_lets_near_duplicates_fall_apart_sooner_or_later(paintings):
    dealt = [splits.deal(paintings, f"plain-{seed}") for seed in range(20)]
    assert max(one.groupby("group")["part"].nunique().max() for one in dealt) > 1


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("folds", "must be one of paper, usual, fold"),
        ("fold-6", "needs a number from 1 to 5"),
        ("draw-61", "needs a number from 3 to 60"),
        ("paper-x", "needs a number from 0"),
        ("without-Adda", "one of several painters here; did you mean Ada[?] see `colorkit data"),
        ("without-Dora", "one of several painters here; see `colorkit data show`$"),
    ],
)
def test_an_unknown_split_is_named(paintings, name, says):
    with pytest.raises(KitError, match=says):
        splits.deal(paintings, name)
