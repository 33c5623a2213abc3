"""The TSV files of CTI-Bench as they are published."""

import csv
from collections.abc import Sequence
from pathlib import Path

from casemate.core.errors import WrongUsage

_FIELD_LIMIT = 4_000_000


def read_table(path: Path, columns: Sequence[str]) -> list[dict[str, str]]:
    """Read the named columns of every row, white space around the answer (`GT`) cut; `WrongUsage` where one is missing.

    An empty file is a table without rows.
    """
    before = csv.field_size_limit(_FIELD_LIMIT)
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = [{name: row[name] for name in columns} for row in csv.DictReader(file, delimiter="\t")]
    except (OSError, KeyError, UnicodeDecodeError, csv.Error) as error:
        message = f"{path} is no CTI-Bench table with {', '.join(columns)}: {error}"
        raise WrongUsage(message, way_out="name the TSV file as it is published") from error
    finally:
        csv.field_size_limit(before)
    if any(value is None for row in rows for value in row.values()):
        raise WrongUsage(f"{path}: a row has too few columns", way_out="name the TSV file as it is published")
    return [{**row, "GT": row["GT"].strip()} if "GT" in row else row for row in rows]
