"""`python -m colorkit`: the command where it is not installed as one."""

from .cli import main

main()
