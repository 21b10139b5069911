"""Rules for the numbers of the paper's tables: are they such as our runs, or any runs, give?"""

import math

import numpy as np

from ..recipes import MODELS
from ..replication.paper import PARTS, paper_cell
from . import stats
from .evidence import (
    FAILED,
    INCONCLUSIVE,
    MEAN_COLOUR,
    NOT,
    ODDS,
    REPLICATED,
    Evidence,
    Finding,
    Judged,
)
from .protocol import Terms

SIZES = 104, 52  # of the paper's validation and test parts


def consistent(evidence: Evidence, terms: Terms) -> Judged:
    """Does each cell of the paper lie where a new run of ours could, where one colour would not?

    Prediction intervals on the log scale, wide enough to hold all cells at once; a new run has
    other paintings by other painters, a new split and a new seed.
    """
    cells = sorted((table, PARTS.index(part), part, model) for table, model in evidence.cells for part in PARTS)
    return Judged("", "", [])
