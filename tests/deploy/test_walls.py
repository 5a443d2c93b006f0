"""The walls of the house (`[tool.importlinter]`) hold: each one, when broken, fails by name.

A small tree with the rooms of the four services stands in for the code, so that the walls can be broken one at a time.
"""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SERVICES = ("intake", "tickets", "feedback", "metrics")
ROOMS = ("__main__", "app", "api", "consumer", "timers", "handlers", "store", "models", "schemas", "settings")

BREACHES = {
    "a service reads another service's models": (
        "services/tickets/handlers.py",
        "import services.intake.models",
        "Services meet only on the bus",
    ),
    "a service asks another one's settings, deep inside": (
        "services/metrics/settings.py",
        "from services.feedback import settings",
        "Services meet only on the bus",
    ),
    "shared learns about a service": ("shared/database.py", "import services.tickets.store", "shared knows no service"),
    "shared learns about what runs it": ("shared/database.py", "import deploy", "shared knows no service"),
    "a service leans on the local platform": ("services/intake/settings.py", "import deploy", "Services do not know what runs them"),
    "a service knows that it is measured": (
        "services/intake/app.py",
        "import benchmarks",
        "Nothing knows that it is measured",
    ),
    "a contract touches the bus": ("shared/events/intake.py", "import aiokafka", "Decisions are pure"),
    "the protocol reads the time": ("shared/protocol.py", "import time", "Decisions are pure"),
    "a decision asks the clock": ("services/tickets/workflow.py", "import shared.clock", "Decisions are pure"),
    "a decision reaches the database": ("services/tickets/workflow.py", "import services.tickets.models", "Decisions are pure"),
    "a model opens the door to a handler": ("services/feedback/models.py", "import services.feedback.handlers", "Rooms open one way"),
    "the store calls a handler": ("services/intake/store.py", "import services.intake.handlers", "Rooms open one way"),
    "one door calls another": ("services/tickets/api.py", "import services.tickets.consumer", "Rooms open one way"),
    "the verifier asks what it shall verify": (
        "services/metrics/verification.py",
        "import services.metrics.store",
        "The verifier shares nothing with the projection but the buckets",
    ),
    "a room nobody planned": ("services/metrics/utils.py", "", "Rooms open one way"),
}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """The house with every room, all of them empty but for the models, which know the database."""
    (tmp_path / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text())
    files = ["services/__init__.py", "deploy/__init__.py", "shared/__init__.py", "shared/clock.py", "shared/database.py"]
    files += ["shared/protocol.py", "shared/events/__init__.py", "shared/events/intake.py", "services/tickets/workflow.py"]
    files += ["benchmarks/__init__.py"]
    files += [f"services/{service}/{room}.py" for service in SERVICES for room in ("__init__", *ROOMS)]
    for file in files:
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).touch()
    for service in SERVICES:
        (tmp_path / f"services/{service}/models.py").write_text("import sqlalchemy\n")
        (tmp_path / f"services/{service}/store.py").write_text(f"import services.{service}.models\n")
    return tmp_path


def lint_imports(tree: Path) -> subprocess.CompletedProcess[str]:
    command = [Path(sys.executable).with_name("lint-imports"), "--no-cache"]
    return subprocess.run(command, cwd=tree, capture_output=True, text=True, check=False, env={"PYTHONPATH": str(tree)})


def test_a_house_in_order_passes(tree: Path) -> None:
    result = lint_imports(tree)

    assert result.returncode == 0, result.stdout + result.stderr
    assert " 0 broken" in result.stdout


@pytest.mark.parametrize("breach", BREACHES)
def test_a_broken_wall_is_named(tree: Path, breach: str) -> None:
    file, line, wall = BREACHES[breach]
    with (tree / file).open("a") as module:
        module.write(line + "\n")

    result = lint_imports(tree)

    assert result.returncode != 0
    assert f"{wall} BROKEN" in result.stdout


def test_every_room_of_decisions_is_held_to_be_pure() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    walls = {contract["name"]: contract for contract in contracts}
    layers = walls["Rooms open one way"]["layers"]
    decisions = layers[layers.index("models | (schemas)") + 1 : layers.index("settings")]
    rooms = {room.strip(" ()") for layer in decisions for room in layer.split("|")}

    pure = {module.removeprefix("services.*.") for module in walls["Decisions are pure"]["source_modules"]}

    assert rooms <= pure
