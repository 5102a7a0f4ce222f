"""The types of log files that Cloud Discovery documents, from `source_types.csv`.

Source: Microsoft's "Initiate file upload", of 2021 and of 2025. Both are taken: what the service
does with names of the other list is not documented.
"""

import csv
from importlib.resources import files


def _source_types() -> frozenset[str]:
    text = files("nss.lab.cloud").joinpath("source_types.csv").read_text(encoding="utf-8")
    return frozenset(row["source"] for row in csv.DictReader(text.splitlines()))


SOURCE_TYPES = _source_types()
