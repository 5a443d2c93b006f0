"""The newest version of a schema is told as Alembic tells it, and without it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory

from shared.schema import heads, location_of

pytestmark = pytest.mark.pure

SERVICES = ("intake", "tickets", "feedback", "metrics")


def told_by_alembic(location: Path) -> set[str]:
    config = Config()
    config.set_main_option("script_location", str(location))
    config.set_main_option("path_separator", "os")
    return set(ScriptDirectory.from_config(config).get_heads())


@pytest.mark.parametrize("service", SERVICES)
def test_the_newest_version_is_that_of_alembic(service: str) -> None:
    location = location_of(service)

    assert heads(location) == told_by_alembic(location)
    assert len(heads(location)) == 1


def test_two_branches_have_two_heads(tmp_path: Path) -> None:
    versions = tmp_path / "versions"
    versions.mkdir()
    for revision, down in (("0001", "None"), ("0002", '"0001"'), ("0003", '"0001"')):
        (versions / f"{revision}.py").write_text(f'revision = "{revision}"\ndown_revision = {down}\n')

    assert heads(tmp_path) == told_by_alembic(tmp_path) == {"0002", "0003"}


def test_a_service_that_nobody_knows_has_no_place() -> None:
    with pytest.raises(LookupError):
        location_of("warehouse")


@pytest.mark.parametrize("service", ["intake", "tickets", "feedback", "metrics"])
def test_what_runs_loads_nothing_of_what_migrates(service: str) -> None:
    """Thirty megabytes in each process."""
    program = f"import sys, services.{service}.__main__; print([name for name in ('sqlalchemy', 'alembic', 'mako') if name in sys.modules])"

    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout == "[]\n"
