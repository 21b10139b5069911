"""Which painting is trained on, tested, or watched in training; and the ways to get it wrong.

A split is named by one word, with a number or a painter after a dash where there are several:
"paper", "fold-3", "without-Claude Monet". Paper: section 3.1 (70:10:20 for training, testing,
validation).
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from .base.errors import KitError, check_choice, close_names

PARTS = {"train": 0.70, "test": 0.10, "valid": 0.20}  # in the paper's own order
WITHOUT_TEST = {"train": 7 / 9, "valid": 2 / 9}
FOLDS = 5
SCHEMES = {
    "paper": "70:10:20 for training, testing and validation, as the paper says; painters in "
    "proportion, near-duplicates on one side; paper-1, paper-2, … are other draws",
    "usual": "70:20:10, the usual order: the paper's may be a slip",
    "fold": "fold-1 to fold-5, 70:20:10: together they test every painting once",
    "half": "half-1 to half-5: as that fold, with half of its training paintings",
    "quarter": "quarter-1 to quarter-5: as that fold, with a quarter of its training paintings",
    "draw": "draw-<count>: so many paintings drawn at random (seed 0), then as paper: draw-519",
    "plain": "70:10:20 at random, painters and near-duplicates as they fall (a leak by these)",
    "sorted": "70:20:10 for training, validation and testing in the order of the files: the last "
    "painters are tested",
    "flips": "paper, with mirrored copies made before training and validation are drawn (leak)",
    "inside": "paper, but what would validate trains, and validation is drawn from that (leak)",
    "without": "without-<painter>: that painter is tested, the others train and validate",
}

SPARE = "spare"  # neither trained on nor tested
SHARES = {"half": 1 / 2, "quarter": 1 / 4}  # of a fold's training paintings
LEAKS = ("plain", "sorted", "flips", "inside")  # of these, only as lessons


def deal(paintings: pd.DataFrame, split: str) -> pd.DataFrame:
    """Deal audited paintings (columns path, painter, group) to train, test and valid.

    Returns the rows with the columns `mirrored` (0 or 1) and `part`, in their old order; a
    leak repeats some. No part is empty; what a split leaves out is "spare". Raises KitError for
    an unknown split, or too few paintings for it.
    """
    name, _, detail = split.partition("-")
    check_choice("split", name, SCHEMES)
    paintings = paintings.reset_index(drop=True).assign(mirrored=0)
    if name == "fold" or name in SHARES:
        dealt = paintings.assign(part=_fold(paintings, _number(split, detail, 1, FOLDS)))
        if name in SHARES:  # the same are tested: only how many are learnt from differs
            pool, kept = dealt["part"] == "train", SHARES[name]
            dealt.loc[pool, "part"] = stratify(dealt[pool], 0, {"train": kept, SPARE: 1 - kept})
        return dealt
    if name == "draw":
        drawn = paintings.sample(_number(split, detail, 3, len(paintings)), random_state=0)
        part = stratify(drawn.sort_index())
        return paintings.assign(part=part.reindex(paintings.index, fill_value=SPARE))
    if name == "without":
        return paintings.assign(part=_without(paintings, detail))
    seed = _number(split, detail or "0", 0, 2**32 - 1)
    if name == "usual":
        shares = {"train": 0.70, "test": 0.20, "valid": 0.10}
        return paintings.assign(part=stratify(paintings, seed, shares))
    if name == "plain":
        return paintings.assign(part=stratify(_alone(paintings), seed))
    if name == "sorted":  # names begin with the painter: whoever comes last is not learnt from
        sizes, order = part_sizes(len(paintings)), ("train", "valid", "test")
        names = np.repeat(order, [sizes[part] for part in order])
        return paintings.sort_values("path", kind="stable").assign(part=names).sort_index()
    clean = paintings.assign(part=stratify(paintings, seed))
    return clean if name == "paper" else {"flips": _flips, "inside": _inside}[name](clean, seed)


def stratify(
    paintings: pd.DataFrame, seed: int = 0, shares: Mapping[str, float] = PARTS
) -> pd.Series:
    """Deal 70:10:20 to train, test and valid (or by other shares), stratified by painter.

    paintings: columns painter and group. Groups of near-duplicates stay whole. Painter after
    painter, each group (shuffled) goes to the part that lags most behind its share, so every
    painter is spread in proportion and the totals are exact up to the size of a group: 363, 52
    and 104 of 519. Returns a part for each row; none is empty: KitError if there are fewer groups
    than parts.
    """
    turn = sorted(set(paintings["painter"]))
    if seed:  # seed 0: the order that published results were dealt in; in one order for all seeds,
        # a painter's only painting would always come to the same part
        turn = np.random.default_rng(seed).permutation(turn).tolist()
    shuffled = paintings.sample(frac=1, random_state=seed)
    by_painter = shuffled.groupby("group").agg(painter=("painter", "min"), size=("painter", "size"))
    by_painter = by_painter.loc[shuffled["group"].unique()]
    by_painter = by_painter.iloc[by_painter["painter"].map(turn.index).argsort(kind="stable")]
    targets = pd.Series(part_sizes(len(paintings), shares), dtype=float)
    placed, seen, chosen = targets * 0, 0, {}
    for group, size in by_painter["size"].items():
        seen += size
        lag = targets * seen / len(paintings) - placed
        room = targets - placed >= size
        name = (lag[room] if room.any() else targets - placed).idxmax()
        placed[name] += size
        chosen[group] = name
    _fill_empty_parts(chosen, list(shares))
    return paintings["group"].map(chosen)


def part_sizes(count: int, shares: Mapping[str, float] = PARTS) -> dict[str, int]:
    """Share `count` paintings 70:10:20 in whole numbers (largest remainders)."""
    sizes = {name: int(count * share + 1e-9) for name, share in shares.items()}
    remainders = sorted(shares, key=lambda name: sizes[name] - count * shares[name])
    for name in remainders[: count - sum(sizes.values())]:
        sizes[name] += 1
    return sizes


def _fill_empty_parts(chosen: dict[int, str], names: Sequence[str]) -> None:
    if len(chosen) < len(names):
        raise KitError(
            f"{len(chosen)} groups of near-duplicates: too few for {len(names)} parts, as each "
            "stays whole; add other paintings"
        )
    for name in names:
        if name not in chosen.values():
            counts = pd.Series(chosen).value_counts()
            last = max(g for g, part in chosen.items() if part == counts.index[0])
            chosen[last] = name


def _alone(paintings: pd.DataFrame) -> pd.DataFrame:
    """Take paintings as if they were by one painter, and each in a group of its own."""
    return paintings.assign(painter="", group=range(len(paintings)))


def _fold(paintings: pd.DataFrame, number: int) -> pd.Series:
    """Two tenths are tested, the next one validates, seven train."""
    tenths = [str(tenth) for tenth in range(2 * FOLDS)]
    first = 2 * (number - 1)
    parts = dict.fromkeys(tenths, "train") | dict.fromkeys(tenths[first : first + 2], "test")
    parts[tenths[(first + 2) % len(tenths)]] = "valid"
    return stratify(paintings, 0, dict.fromkeys(tenths, 1 / len(tenths))).map(parts)


def _without(paintings: pd.DataFrame, painter: str) -> pd.Series:
    tested = paintings["painter"] == painter
    if not tested.any() or tested.all():
        meant = close_names(painter, set(paintings["painter"]))
        raise KitError(
            f"split 'without-{painter}': must name one of several painters here; {meant}"
            "see `colorkit data show`"
        )
    others = stratify(paintings[~tested], 0, WITHOUT_TEST)
    return others.reindex(paintings.index, fill_value="test")


def _flips(clean: pd.DataFrame, seed: int) -> pd.DataFrame:
    pool = clean[clean["part"] != "test"]
    pool = pd.concat([pool, pool.assign(mirrored=1)])
    pool["part"] = stratify(_alone(pool), seed, WITHOUT_TEST)
    return _in_order(pd.concat([clean[clean["part"] == "test"], pool]))


def _inside(clean: pd.DataFrame, seed: int) -> pd.DataFrame:
    count = (clean["part"] == "valid").sum()
    clean = clean.assign(part=clean["part"].replace("valid", "train"))
    watched = clean[clean["part"] == "train"].sample(count, random_state=seed)
    return _in_order(pd.concat([clean, watched.assign(part="valid")]))


def _in_order(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.sort_index(kind="stable").reset_index(drop=True)


def _number(split_name: str, text: str, least: int, most: int) -> int:
    if not text.isdecimal() or not least <= int(text) <= most:
        raise KitError(f"split {split_name!r}: needs a number from {least} to {most} after a dash")
    return int(text)
