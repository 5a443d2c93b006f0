"""The `aftercare` command: what an operator does by hand.

Every command takes `--json`. Exit code 0: done; 1: it found something wrong; 2: misused.
"""

from __future__ import annotations

import typer

from deploy.commands import db, keys, topics

app = typer.Typer(
    name="aftercare",
    help="Operate Aftercare. It reads the services' own variables (<SERVICE>_DATABASE_URL, KAFKA_BOOTSTRAP_SERVERS).",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.add_typer(db.app, name="db")
app.add_typer(topics.app, name="topics")
app.add_typer(keys.app, name="keys")


def main() -> None:
    """Run it."""
    app()


if __name__ == "__main__":
    main()
