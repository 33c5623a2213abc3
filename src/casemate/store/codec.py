"""A case as JSON and back."""

import json
from functools import cache

from pydantic import TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError

from casemate.core.case import Case
from casemate.core.errors import StoreFailed
from casemate.store.packing import encode


@cache
def _adapter() -> TypeAdapter[Case]:
    return TypeAdapter(Case)


def case_to_json(case: Case) -> bytes:
    """Write a case as UTF-8 JSON: equal cases give equal bytes, and `case_from_json` gives the case back.

    Half surrogates, which UTF-8 has no form for, become U+FFFD.
    """
    try:
        return _adapter().dump_json(case)
    except PydanticSerializationError:
        plain = _adapter().dump_python(case, mode="json")
        return encode(json.dumps(plain, ensure_ascii=False, separators=(",", ":")))


def case_from_json(data: bytes) -> Case:
    """Read a case back; `StoreFailed` saying which field when it is no case."""
    try:
        return _adapter().validate_json(data)
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise StoreFailed(
            f"a stored case cannot be read: {where}: {first['msg']}", way_out="bring the store back from a backup"
        ) from error
