"""A case as JSON and back."""

import json
from functools import cache
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError

from casemate.core.case import Case
from casemate.core.errors import RecordFailed
from casemate.store.packing import encode

T = TypeVar("T")


@cache
def _adapter() -> TypeAdapter[Case]:
    return TypeAdapter(Case)


def case_to_json(case: Case) -> bytes:
    """Write a case as UTF-8 JSON: equal cases give equal bytes, and `case_from_json` gives the case back.

    Half surrogates, which UTF-8 has no form for, become U+FFFD.
    """
    return to_json(_adapter(), case)


def to_json(adapter: TypeAdapter[T], value: T) -> bytes:
    """Write a noun as UTF-8 JSON, half surrogates as U+FFFD."""
    try:
        return adapter.dump_json(value)
    except PydanticSerializationError:
        plain = adapter.dump_python(value, mode="json")
        return encode(json.dumps(plain, ensure_ascii=False, separators=(",", ":")))


def case_from_json(data: bytes) -> Case:
    """Read a case back; `RecordFailed` saying which field when it is no case."""
    try:
        return _adapter().validate_json(data)
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise RecordFailed(
            f"a stored case cannot be read: {where}: {first['msg']}", way_out="bring the store back from a backup"
        ) from error
