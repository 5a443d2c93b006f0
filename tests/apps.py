"""Applications that tests share.

Making one costs more than most tests then do with it: hundreds of fields are analysed for its routes. So each worker makes one per service,
and each test gets it as a process that has just started has it.
"""

from __future__ import annotations

from fastapi import FastAPI

from shared.http.quotas import Quotas
from shared.runtime import AnyRuntime


def as_new(app: FastAPI, runtime: AnyRuntime) -> FastAPI:
    """The application over this runtime; of what it was before only its routes and its allowed origins are left."""
    app.state.runtime = runtime
    app.state.quotas = Quotas(runtime.settings.rate_limit)
    for middleware in app.user_middleware:
        if "runtime" in middleware.kwargs:
            middleware.kwargs["runtime"] = runtime
    app.middleware_stack = None  # made anew when the first request comes
    return app
