"""The command `colorkit`."""

import shlex
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from .base.errors import KitError
from .base.files import user_path
from .claims.commands import app as claims_app
from .experiment import BATCH_SIZE
from .notebook import quiet
from .recipes import MODELS

if TYPE_CHECKING:
    from .replication.grid import Grid

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
data_app = typer.Typer(no_args_is_help=True)
app.add_typer(data_app, name="data", help="Look at the paintings of a source.")
app.add_typer(claims_app)
console = Console(highlight=False, markup=False, soft_wrap=True)

Data = Annotated[str, typer.Option(help="sample, kaggle, or a folder of paintings")]
Profile = Annotated[str, typer.Option(help="smoke, class or paper")]
Out = Annotated[str, typer.Option(help="results folder; runs/<profile> if empty")]
BatchSize = Annotated[int, typer.Option(help="paintings a step; the paper's is 16")]
Precision = Annotated[str, typer.Option(help="auto (by device), fp32, bf16 or fp16")]
Deterministic = Annotated[
    bool, typer.Option("--deterministic", help="the same bits from a GPU each time; slower")
]
Painters = Annotated[str, typer.Option(help='comma-separated, such as "Claude Monet,Rembrandt"')]


@app.command()
def reproduce(
    profile: Profile = "smoke",
    data: Data = "sample",
    painters: Painters = "",
    tables: Annotated[str, typer.Option(help="1, 2 or 1,2")] = "1,2",
    seeds: Annotated[str, typer.Option(help="comma-separated, such as 0,1,2")] = "0",
    models: Annotated[str, typer.Option(help="comma-separated; all three if empty")] = "",
    variants: Annotated[str, typer.Option(help="changed recipes to run as well")] = "",
    split: Annotated[str, typer.Option(help="such as paper, paper-1, fold-1, flips")] = "paper",
    epochs: Annotated[int, typer.Option(help="0: the profile's")] = 0,
    batch_size: BatchSize = BATCH_SIZE,
    precision: Precision = "auto",
    deterministic: Deterministic = False,
    jobs: Annotated[int, typer.Option(min=1, help="jobs at once")] = 1,
    out: Out = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="list the runs and stop")] = False,
) -> None:
    """Recompute Tables 1 and 2 of the paper; goes on where it was stopped."""
    from .experiment import results_folder
    from .replication.grid import Grid
    from .replication.reproduce import reproduce as run_grid

    data = _absolute(data)
    settings = batch_size, precision, deterministic
    chosen = tuple(_words(models)) or tuple(MODELS), tuple(_words(variants)), split, epochs
    numbers = _numbers("tables", tables), _numbers("seeds", seeds)
    folder = results_folder(out, profile, data, split)
    grid = Grid(folder, profile, data, painters, *numbers, *chosen, *settings)
    if not dry_run:
        raise typer.Exit(run_grid(grid, jobs))
    _list_jobs(grid)


def _list_jobs(grid: "Grid") -> None:
    from .replication.grid import check, missing, plan

    check(grid)
    shown, todo = Table("job", "state", "results"), missing(grid)
    for job in plan(grid):
        results = ", ".join(str(path.relative_to(grid.out)) for path in job.results)
        state = "to do" if job in todo and job.done else job.state
        shown.add_row(job.name, state, results)
    console.print(shown, f"in {grid.out}")


@app.command()
def colorize(
    inputs: Annotated[list[str], typer.Argument(help="picture files, folders, patterns")],
    output: Annotated[str, typer.Option("-o", "--output", help="a folder, or a picture's name")],
    model: Annotated[
        str, typer.Option(help="a model's folder, or OWNER/NAME on the Hugging Face Hub")
    ] = "",
    size: Annotated[int, typer.Option(help="px the model sees; 0: its own")] = 0,
    device: Annotated[str, typer.Option(help="cuda or cpu; empty: the GPU if there is one")] = "",
    strength: Annotated[float, typer.Option(help="factor on the colours, 0 to 2")] = 1.0,
    compare: Annotated[
        bool, typer.Option("--compare", help="write NAME-compared too: grey, coloured, original")
    ] = False,
    recursive: Annotated[bool, typer.Option("--recursive", help="sub-folders too")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="write over outputs")] = False,
) -> None:
    """Colour pictures at their full size; the newest finished run is the model if none is named."""
    from .base.device import choose_device
    from .pictures.batch import Settings, plan, run, summary
    from .pretrained import load_pretrained, newest_model

    settings = Settings(strength, size, compare, overwrite)
    pairs = plan(inputs, output, recursive, compare)
    folder = model or newest_model()
    colorizer = load_pretrained(folder).to(choose_device(device))
    console.print(f"{len(pairs)} to colour, model {folder}: {colorizer.name}")
    began = time.monotonic()
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task("colouring", total=len(pairs))
        results = run(pairs, colorizer, settings, lambda _: progress.advance(task))
    for done in results:
        if done.error:
            print(f"failed: {_printable(done.error)}", file=sys.stderr)
    console.print(summary(results, began))
    raise typer.Exit(1 if any(done.error for done in results) else 0)


@app.command()
def demo(
    out: Annotated[str, typer.Option(help="results whose models are shown; empty: newest")] = "",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: the first free one")] = 0,
    share: Annotated[bool, typer.Option("--share", help="a public link, such as on Colab")] = False,
) -> None:
    """Open a page where pictures are dropped and coloured by every model."""
    from .pictures.demo import serve

    serve(out, port, share)


@app.command()
def export(
    output: Annotated[str, typer.Option("-o", "--output", help="such as model.onnx")],
    model: Annotated[
        str, typer.Option(help="a model's folder, or OWNER/NAME on the Hugging Face Hub")
    ] = "",
) -> None:
    """Write a model as ONNX, for programs without PyTorch, and check that it gives the same."""
    from .pictures.onnx import OPSET, export_onnx
    from .pretrained import load_pretrained, newest_model

    folder = model or newest_model()
    difference = export_onnx(load_pretrained(folder), output)
    console.print(f"{output}: {folder}, ONNX opset {OPSET}, at most {difference:.1e} from PyTorch")


@app.command()
def bench(
    size: Annotated[int, typer.Option(help="px of the steps; 0: 256 on a GPU, else 64")] = 0,
    batch: BatchSize = BATCH_SIZE,
    device: Annotated[str, typer.Option(help="cuda or cpu; empty: the GPU if there is one")] = "",
) -> None:
    """Measure how fast this machine trains, and what stands between it and its hardware."""
    from .base.device import choose_device
    from .base.files import runs_root
    from .replication.evidence import bench_to, performance

    chosen = choose_device(device)
    path = runs_root() / f"bench-{chosen.type}.json"
    with tempfile.TemporaryDirectory() as parts:
        measured = bench_to(path, size, batch, chosen, Path(parts))
    console.print(performance(measured), f"written to {path}")


@app.command()
def evidence(
    profile: Profile = "paper",
    data: Data = "sample",
    painters: Painters = "",
    minutes: Annotated[float, typer.Option(help="stop after so long; call again to go on")] = 8.5,
    results: Annotated[str, typer.Option(help="where to publish")] = "results",
    out: Out = "",
) -> None:
    """Run the bench and both tables without notebooks, and publish the small files."""
    from .experiment import data_name, results_folder
    from .replication.evidence import gather
    from .replication.grid import Grid

    data = _absolute(data)
    grid = Grid(results_folder(out, profile, data), profile, data, painters)
    words = ["colorkit", "evidence", "--profile", profile, "--data", data_name(data)]
    command = shlex.join([*words, *(["--painters", painters] if painters else [])])
    raise typer.Exit(gather(grid, minutes, user_path(results), command))


@data_app.command()
def show(data: Data = "sample", painters: Painters = "") -> None:
    """Count the paintings of each painter and show what would be used."""
    from .sources import choose_painters, open_source

    source = open_source(data)
    chosen = choose_painters(source, painters)
    found = [painting.painter for painting in source.paintings]
    table = Table("painter", "found", "artists.csv", "used", title=f"{source.name}")
    for painter in sorted({*found, *source.catalogue}, key=lambda name: (-found.count(name), name)):
        listed = str(source.catalogue.get(painter, ""))
        used = "yes" if painter in chosen else ""
        table.add_row(painter, str(found.count(painter)), listed, used)
    used_count = sum(painter in chosen for painter in found)
    console.print(table, f"{len(found)} paintings by {len(set(found))} painters; {used_count} used")


@data_app.command()
def check(data: Data = "sample", painters: Painters = "") -> None:
    """Audit every picture file and say what is done with it. Writes nothing."""
    from .curation import audit
    from .sources import choose_painters, open_source

    source = open_source(data)
    chosen = choose_painters(source, painters) if painters else ()
    paintings = [p for p in source.paintings if not chosen or p.painter in chosen]
    curation = audit(source, paintings)
    table = Table(title=f"{source.name}: findings")
    for column in ("file", "rule", "detail", "action"):
        table.add_column(column, overflow="fold")
    for finding in curation.findings:
        table.add_row(finding.path, finding.rule, finding.detail, finding.action)
    if curation.findings:
        console.print(table)
    console.print(f"{len(paintings)} files looked at, {len(curation.manifest)} can be used")


@app.command()
def doctor() -> None:
    """Check this machine: packages, device, disk, sample; exit code 1 if something is missing."""
    from .notebook import diagnose

    rows = diagnose()
    for fine, found, remedy in rows:
        console.print("ok  " if fine else "FAIL", found, "" if fine else f"-> {remedy}")
    raise typer.Exit(0 if all(fine for fine, _, _ in rows) else 1)


def _absolute(data: str) -> str:
    """Make a folder's path absolute: jobs of the workflow work in another one."""
    return data if data in ("", "sample", "kaggle") else str(user_path(data))


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def _numbers(name: str, text: str) -> tuple[int, ...]:
    try:
        numbers = tuple(dict.fromkeys(int(part) for part in text.split(",")))
    except ValueError:
        raise KitError(
            f"--{name} {text!r}: must be whole numbers with commas, such as 1,2"
        ) from None
    return numbers


def main() -> None:
    """Run the command; an error the user can mend is one line and exit code 2."""
    quiet()
    try:
        app()
    except ModuleNotFoundError as error:
        remedy = "pip install 'colorkit[repro]', or in a checkout pip install -e '.[repro]'"
        _fail(f"{error.name} is not installed; {remedy}")
    except (KitError, OSError) as error:
        _fail(str(error))


def _fail(message: str) -> None:
    print(f"colorkit: {' '.join(_printable(message).split())}", file=sys.stderr)
    sys.exit(2)


def _printable(message: str) -> str:
    """Write names that are not UTF-8 so that they can be printed."""
    return message.encode(errors="backslashreplace").decode()
