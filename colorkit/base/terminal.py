"""What the rooms' commands share: the console, and options of one meaning."""

from typing import Annotated

import typer
from rich.console import Console

console = Console(highlight=False, markup=False, soft_wrap=True)

Data = Annotated[str, typer.Option(help="sample, kaggle, or a folder of paintings")]
Out = Annotated[str, typer.Option(help="results folder; runs/<profile> if empty")]
Painters = Annotated[str, typer.Option(help='comma-separated, such as "Claude Monet,Rembrandt"')]
