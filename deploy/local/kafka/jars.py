"""Apache Kafka's jars, resolved once by Maven into a cache that all homes of the user share."""

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Final

POM: Final = Path(__file__).with_name("pom.xml")
OLDEST_JAVA: Final = 17


class KafkaUnavailable(Exception):
    """Apache Kafka cannot run on this machine; the message says what is missing."""


def java() -> Path:
    """The Java that runs the broker: JAVA_HOME's, else the one on the path; KafkaUnavailable when none is new enough."""
    home = os.environ.get("JAVA_HOME")
    found = shutil.which("java", path=f"{home}/bin" if home else None)
    if found is None:
        raise KafkaUnavailable(f"no Java {OLDEST_JAVA} or newer")
    text = subprocess.run([found, "-version"], capture_output=True, text=True, check=False).stderr
    version = re.search(r'version "(\d+)', text)
    if version is None or int(version[1]) < OLDEST_JAVA:
        raise KafkaUnavailable(f"{found} is older than Java {OLDEST_JAVA}")
    return Path(found)


def cached_jars() -> Path:
    """Where the jars of this pom are, or will be: a change of the pom is another folder."""
    cache = os.environ.get("AFTERCARE_CACHE")
    folder = Path(cache) if cache else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "aftercare"
    return folder / f"kafka-{hashlib.sha256(POM.read_bytes()).hexdigest()[:12]}"


def resolve_jars() -> Path:
    """The folder with the jars; Maven fetches them the first time (about 45 MB). KafkaUnavailable when that fails."""
    jars = cached_jars()
    if jars.exists():
        return jars
    maven = shutil.which("mvn")
    if maven is None:
        raise KafkaUnavailable("no Maven (mvn) to fetch Apache Kafka with")
    jars.parent.mkdir(parents=True, exist_ok=True)
    with jars.with_name(jars.name + ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two runs at once: the second waits, then finds them
        if not jars.exists():
            _fetch(maven, jars)
    return jars


def _fetch(maven: str, jars: Path) -> None:
    unfinished = jars.with_name(jars.name + ".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    command = [maven, "-q", "-B", "-f", str(POM), "dependency:copy-dependencies", "-DincludeScope=runtime"]
    result = subprocess.run(
        [*command, f"-DoutputDirectory={unfinished}"], capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False
    )
    if result.returncode != 0:
        last = (result.stdout + result.stderr).strip().splitlines()[-3:]
        raise KafkaUnavailable("Maven could not fetch Apache Kafka: " + " ".join(last))
    unfinished.rename(jars)
