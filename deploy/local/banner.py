"""What `make run` prints when everything is ready: addresses, documentation, keys, and a first request to try."""

from pathlib import Path

from rich.console import Console
from rich.table import Table

from deploy.local.startup import Platform


def show(console: Console, platform: Platform, seconds: float) -> None:
    """Print it."""
    console.print(f"\n[bold]Aftercare is ready[/] after {seconds:.1f} s", highlight=False)
    console.print(_addresses(platform))
    console.print(_places(platform))
    console.print("Send a first request:\n", highlight=False)
    console.print(first_request(platform), markup=False, highlight=False, soft_wrap=True)
    console.print("\nCtrl-C stops everything; the data stays.\n", highlight=False)


def _addresses(platform: Platform) -> Table:
    table = _table()
    for site in platform.sites:
        table.add_row(f"[bold]{site.service}[/]", f"http://127.0.0.1:{site.port}", f"[dim]http://127.0.0.1:{site.port}/docs[/]")
    return table


def _places(platform: Platform) -> Table:
    home = platform.home
    table = _table()
    table.add_row("API keys", f"{_short(home.keys)}  [dim]one per role[/]")
    table.add_row("mails", f"{_short(home.path / 'mail')}  [dim]when no SMTP server is set[/]")
    table.add_row("logs", _short(home.logs))
    table.add_row("for a shell", f"set -a; . {_short(home.path / 'environment')}; set +a")
    return table


def first_request(platform: Platform) -> str:
    """Two lines for a shell."""
    intake = platform.sites[0]
    keys = _short(platform.home.keys)
    return (
        f"""KEY=$(python3 -c 'import json; print(json.load(open("{keys}"))["agent"])')\n"""
        f"curl http://127.0.0.1:{intake.port}/v1/requests -H \"Authorization: Bearer $KEY\" -H 'Content-Type: application/json' \\\n"
        """     -d '{"channel": "web", "type": "repair", "customer": {"name": "Li Na", "email": "li.na@example.com"}, """
        """"text": "My kettle no longer heats."}'"""
    )


def _table() -> Table:
    table = Table(box=None, padding=(0, 2), show_header=False)
    for _ in range(3):
        table.add_column(no_wrap=True, overflow="ignore")
    return table


def _short(path: Path) -> str:
    """Relative to the current folder where that is shorter."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)
