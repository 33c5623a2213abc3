"""The shapes of answers that no noun of `core` has."""

from dataclasses import dataclass
from typing import Annotated, Generic, TypeVar

from fastapi import Query

T = TypeVar("T")

Limit = Annotated[int, Query(ge=1, le=200, description="rows of one page")]


@dataclass(frozen=True, slots=True)
class List(Generic[T]):
    """One page of a list; `next` is the cursor of the next one, empty at the end."""

    items: tuple[T, ...]
    next: str = ""
