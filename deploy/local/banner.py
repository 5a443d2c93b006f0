"""What `make run` prints when everything is ready: addresses, documentation, keys, and a first request to try."""

from pathlib import Path

from rich.console import Console

from deploy.local.startup import Platform


def show(console: Console, platform: Platform, seconds: float) -> None:
    """Print it."""
    console.print(f"\n[bold]Aftercare is ready[/] after {seconds:.1f} s\n", highlight=False)
    for text in (addresses(platform), places(platform), "Send a first request:\n", first_request(platform)):
        console.print(text, markup=False, highlight=False, soft_wrap=True)
    console.print("\nCtrl-C stops everything; the data stays.\n", highlight=False)


def addresses(platform: Platform) -> str:
    """One line per service, with its documentation, and the dashboard."""
    lines = [f"  {site.service:<10}http://127.0.0.1:{site.port} (http://127.0.0.1:{site.port}/docs)\n" for site in platform.sites]
    metrics = next(site for site in platform.sites if site.service == "metrics")
    dashboard = f"  dashboard http://127.0.0.1:{metrics.port}/dashboard (sign in with a key; make demo fills it)\n"
    return "".join([*lines, dashboard])


def places(platform: Platform) -> str:
    """Where to find what."""
    home = platform.home
    return (
        f"  API keys  {_short(home.keys)}, one per role\n"
        f"  mails     {_short(home.path / 'mail')}/, unless an SMTP server is set\n"
        f"  logs      {_short(home.logs)}/\n"
        f"  a shell   set -a; . {_short(home.path / 'environment')}; set +a   makes `aftercare` speak to this platform\n"
    )


def first_request(platform: Platform) -> str:
    """Two commands for a shell."""
    intake = platform.sites[0]
    keys = _short(platform.home.keys)
    return (
        f"""KEY=$(python3 -c 'import json; print(json.load(open("{keys}"))["agent"])')\n"""
        f"curl http://127.0.0.1:{intake.port}/v1/requests -H \"Authorization: Bearer $KEY\" -H 'Content-Type: application/json' \\\n"
        """     -d '{"channel": "web", "type": "repair", "customer": {"name": "Li Na", "email": "li.na@example.com"}, """
        """"text": "My kettle no longer heats."}'"""
    )


def _short(path: Path) -> str:
    """Relative to the current folder when it lies in there."""
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)
