"""Evidence from one machine: the bench and the whole grid, published as small files.

Runs without notebooks, so that a GPU machine needs few packages; in slices, because such a
machine may be lent for minutes.
"""

import json
import re
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from ..base.device import default_device
from ..base.errors import DivergedError, sigterm_as_interrupt
from ..base.files import only_one, write_atomic
from ..base.templates import render, replace_section
from ..curation import PAPER_TOTAL, read_manifest, save
from ..experiment import (
    BATCH_SIZE,
    MODELS,
    PROFILES,
    data_name,
    failure_path,
    read_result,
    result_path,
)
from ..training import run_baselines, run_experiment, stages
from .bench import bench
from .grid import Grid, busy, check, fetch_weights, standing
from .tables import collect, terminal_table, write_report

MARKS = "<!-- performance -->", "<!-- end of performance -->"


def gather(grid: Grid, minutes: float, results: Path, command: str) -> int:
    """Measure and train what is missing, for at most `minutes`; publish once all is there.

    Writes <results>/<device>-<date>/. Returns 0 if all was computed, 1 if a run diverged, 130
    if time was up or the user stopped it: the same command goes on. Raises KitError as
    `reproduce` does.
    """
    try:
        with sigterm_as_interrupt(), _deadline(minutes):
            curation = check(grid)
            fetch_weights(grid)
            with only_one(grid.out / ".lock", busy(grid)):
                if curation:
                    save(grid.out, curation)
                _work(grid)
    except KeyboardInterrupt:
        print(f"stopped{standing(grid)}; the same command goes on from here")
        return 130
    folder = publish(grid, results, command)
    console, frame = Console(highlight=False, markup=False), collect(grid)
    for table in grid.tables:
        console.print(terminal_table(frame, table))
    print(f"published in {folder}")
    return int(frame["ours"].isna().any())


@contextmanager
def _deadline(minutes: float) -> Iterator[None]:
    """Interrupt the block, as Ctrl-C would, when its time is up."""
    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    signal.setitimer(signal.ITIMER_REAL, 60 * minutes)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _work(grid: Grid) -> None:
    if not (grid.out / "bench.json").exists():
        print("bench: data path, steps, epochs, ceilings", flush=True)
        bench_to(grid.out / "bench.json", 0, grid.batch_size, default_device(), grid.out / "bench")
    run_baselines(grid.out, grid.profile, grid.data, grid.painters)
    for experiment in grid.experiments():
        if any(failure_path(grid.out, run.id).exists() for run in stages(experiment)):
            continue  # a result as well: the table says so, and it is not tried until it passes
        print(experiment.id, flush=True)
        with suppress(DivergedError):
            run_experiment(experiment, grid.out)


def bench_to(
    path: Path, size: int, batch_size: int, device: torch.device, kept: Path
) -> dict[str, Any]:
    """Run the bench and write it as JSON; size 0: 256 px on a GPU, 64 px on a CPU."""
    measured = bench(size or (256 if device.type == "cuda" else 64), batch_size, device, kept)
    write_atomic(path, json.dumps(measured, indent=1) + "\n")
    return measured


def publish(grid: Grid, results: Path, command: str) -> Path:
    """Copy a grid's small files to <results>/<device>-<date>/, with a README; return the folder."""
    write_report(grid)
    benched = json.loads((grid.out / "bench.json").read_text())
    folder = results / f"{_slug(benched['device'])}-{time.strftime('%Y-%m-%d')}"
    found = [read_result(grid.out, e.id) for e in grid.experiments()]
    runs = [run for run in found if run]
    paths = [result_path(grid.out, name) for name in ("baselines", *(run["id"] for run in runs))]
    paths += [grid.out / name for name in ("bench.json", "tables.csv", "report.html")]
    for path in paths:
        write_atomic(folder / path.relative_to(grid.out), path.read_bytes())
    facts = {
        "grid": grid,
        "data": data_name(grid.data),
        "bench": benched,
        "baselines": read_result(grid.out, "baselines"),
        "runs": runs,
        "command": command,
        "differences": differences(grid, runs),
        "performance": performance(benched),
    }
    write_atomic(folder / "README.md", render("evidence.md", facts))
    if (readme := results.with_name("README.md")).exists():
        update_readme(readme, results)
    return folder


def _slug(device: str) -> str:
    if device.startswith("cpu"):
        return "cpu"
    return re.sub(r"[^a-z0-9]+", "-", device.removeprefix("cuda: ").lower()).strip("-")


def differences(grid: Grid, runs: list[dict[str, Any]]) -> list[str]:
    """Say in words how a grid's runs differ from the paper's."""
    manifest, paper = read_manifest(grid.out / "manifest.csv"), PROFILES["paper"]
    painters, settings = manifest["painter"].nunique(), PROFILES[grid.profile]
    told = [f"{len(manifest)} paintings by {painters} painters; the paper has {PAPER_TOTAL} by 4"]
    if any(run["config"]["weights"] == "random" for run in runs):
        told.append("the ResNet-18 begins with random weights; the paper's with ImageNet's")
    for unit, ours, theirs in (
        ("px", settings.size, paper.size),
        ("epochs", settings.epochs, paper.epochs),
        ("paintings a step", grid.batch_size, BATCH_SIZE),
    ):
        if ours != theirs:
            told.append(f"{ours} {unit}; the paper has {theirs}")
    precisions = ", ".join(sorted({run["config"]["precision"] for run in runs}))
    return [*told, f"computed in {precisions}; the paper does not say in what"]


def performance(benched: dict[str, Any]) -> str:
    """Write a bench as Markdown: a table of the models, the data path in words."""
    largest = max(row["epoch"]["data_share"] for row in benched["models"].values())
    return render("performance.md", {"bench": benched, "names": MODELS, "data_share": largest})


def newest_benches(results: Path) -> dict[str, dict[str, Any]]:
    """Read the newest published bench of each device: {folder's name: bench}."""
    newest = {}
    for path in sorted(results.glob("*/bench.json")):
        newest[path.parent.name[: -len("-2000-01-01")]] = path
    return {p.parent.name: json.loads(p.read_text()) for p in newest.values()}


def readme_section(results: Path) -> str:
    """Write README's section on performance from the published benches."""
    parts = [
        f"**{bench['device']}, {bench['threads']} threads** ([{name}](results/{name}/README.md))"
        f"\n\n{performance(bench)}"
        for name, bench in newest_benches(results).items()
    ]
    if not any("**cuda" in part for part in parts):
        parts.append("No GPU has been measured yet.")
    return "\n\n".join([MARKS[0], *parts, MARKS[1]])


def update_readme(readme: Path, results: Path) -> None:
    """Put the newest benches into a README between its marks, if it has them."""
    replace_section(readme, MARKS, readme_section(results))
