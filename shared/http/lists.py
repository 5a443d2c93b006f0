"""The shape of every list: `?limit=&cursor=` and `{"items": [...], "next_cursor": ...}`; see `shared/pages.py` for the cursors."""

from __future__ import annotations

from typing import Annotated, Final, Generic, TypeVar

from fastapi import Query
from pydantic import BaseModel, Field

from shared.pages import MAX_CURSOR

Item = TypeVar("Item")

DEFAULT_LIMIT: Final = 50
MAX_LIMIT: Final = 200

Limit = Annotated[int, Query(ge=1, le=MAX_LIMIT, description="Items of one page.")]
"""Parameter of a list: `limit: http.Limit = 50`."""

Cursor = Annotated[str | None, Query(max_length=MAX_CURSOR, description="`next_cursor` of the page before, with the same filters.")]
"""Parameter of a list: `cursor: http.Cursor = None`."""


class Page(BaseModel, Generic[Item]):
    """One page of a list."""

    items: list[Item]
    next_cursor: str | None = Field(description="Where the next page begins; null on the last one.")
