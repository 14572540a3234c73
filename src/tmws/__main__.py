"""`python -m tmws` is the `tmws` command."""

from tmws.faces.cli import main

main()
