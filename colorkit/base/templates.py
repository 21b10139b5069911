"""Pages made from templates."""

from pathlib import Path
from typing import Any

import jinja2

from .files import write_atomic


def render(template: str, facts: dict[str, Any]) -> str:
    """Fill in a template, the core's or a room's ("claims/x.md"); an unknown name is an error."""
    room, _, name = template.rpartition("/")
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("colorkit", str(Path(room, "templates"))),
        undefined=jinja2.StrictUndefined,
        autoescape=template.endswith(".html"),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(name).render(facts)


def replace_section(page: Path, marks: tuple[str, str], section: str) -> None:
    """Put a section, its marks included, in the place of a page's own; if it has both marks."""
    before, begin, rest = page.read_text(encoding="utf-8").partition(marks[0])
    _, end, after = rest.partition(marks[1])
    if begin and end:
        write_atomic(page, before + section + after)
