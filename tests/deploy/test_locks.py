"""The lock files name everything, with hashes, and nothing of the machine that wrote them; every dependency states its reason."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LOCKS = ("requirements.lock", "requirements-dev.lock", "requirements-peers.lock")


def pinned(lock: str) -> set[str]:
    """`name==version ; marker` of every package in the file."""
    return {line.removesuffix(" \\") for line in (ROOT / lock).read_text().splitlines() if re.match(r"[a-z0-9]", line)}


def names(lock: str) -> set[str]:
    return {pin.split("==")[0] for pin in pinned(lock)}


def wanted(group: list[str]) -> set[str]:
    return {re.split(r"[\[<>=; ]", dependency)[0].lower() for dependency in group}


def test_what_runs_in_production_is_what_was_tested() -> None:
    assert pinned("requirements.lock") <= pinned("requirements-dev.lock")


def test_the_locks_hold_every_dependency_of_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

    assert wanted(project["dependencies"]) <= names("requirements.lock")
    groups = project["optional-dependencies"]
    # what benchmarks compare with is another project, which lives in an environment of its own
    assert wanted(groups.pop("peers")) <= names("requirements-peers.lock")
    for group in groups.values():
        assert wanted(group) <= names("requirements-dev.lock")
    assert not wanted(project["optional-dependencies"]["dev"]) & names("requirements.lock")


@pytest.mark.parametrize("lock", LOCKS)
def test_every_package_is_pinned_with_hashes(lock: str) -> None:
    entries = re.split(r"\n(?=[a-z0-9])", (ROOT / lock).read_text().strip())

    assert [entry for entry in entries if "==" not in entry or "--hash=sha256:" not in entry] == []


@pytest.mark.parametrize("lock", LOCKS)
def test_no_address_and_no_path_of_a_machine_is_in_a_lock(lock: str) -> None:
    assert re.findall(r"^.*(?:://|--index|--find-links|file:|/home/|/tmp/).*$", (ROOT / lock).read_text(), re.MULTILINE) == []


def test_every_dependency_states_its_reason() -> None:
    text = (ROOT / "pyproject.toml").read_text()
    project = text[text.index("dependencies = [") : text.index("[project.scripts]")]

    assert re.findall(r'^ {4}"[^"]+",\s*$', project, re.MULTILINE) == []
