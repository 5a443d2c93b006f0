"""One worker of a rebuild; see `workers`."""

from __future__ import annotations

import asyncio
import os
import threading
from datetime import datetime
from io import FileIO
from typing import Any

import uvloop

from services.metrics.rebuild import jobs, workers
from services.metrics.store.generations import Generation
from shared import garbage
from shared.database import Database, from_json, is_transient


def main() -> None:
    """Do jobs until nobody is there any more who could ask for one."""
    answers = FileIO(os.dup(1), "w")
    # whatever is printed must not get between the answers
    os.dup2(2, 1)
    # without a buffer, whose lock a thread that waits for input would hold when the process ends
    asked = FileIO(0, closefd=False)
    opening = from_json(asked.readline())
    garbage.collect_seldom()
    uvloop.run(_work(opening["database"], _generation(opening["generation"]), asked, answers))


def _generation(told: dict[str, Any]) -> Generation:
    return Generation(**told | {"started_at": datetime.fromisoformat(told["started_at"])})


async def _work(url: str, generation: Generation, asked: FileIO, answers: FileIO) -> None:
    waiting: asyncio.Queue[bytes] = asyncio.Queue()
    threading.Thread(target=_listen, args=(asked, asyncio.get_running_loop(), waiting), daemon=True).start()

    def heard(entries: int, highest: int) -> None:
        answers.write(workers.progress(entries, highest))

    database = Database(url, pool_size=2, application_name="aftercare-kpi-worker")
    while True:
        job = workers.job_of(await waiting.get())
        try:
            await jobs.do(database, generation, job, heard)
        except Exception as error:
            answers.write(workers.failure(error, is_transient=is_transient(error)))
            raise
        answers.write(workers.done())


def _listen(asked: FileIO, loop: asyncio.AbstractEventLoop, waiting: asyncio.Queue[bytes]) -> None:
    """A thread, so that the end of the input is heard in the middle of counting."""
    for line in asked:
        loop.call_soon_threadsafe(waiting.put_nowait, line)
    os._exit(0)


if __name__ == "__main__":
    main()
