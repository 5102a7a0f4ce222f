"""The governance log: one entry for each upload that was parsed."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from nss.lab.cloud.uploads import Parsed

TASK = "DiscoveryParseLogTask"


def entry(result: Parsed) -> dict[str, Any]:
    """Return the entry of an upload, in the shape that microsoft/MCAS reads."""
    status: dict[str, object] = {"isSuccess": result.failure is None}
    if result.failure is not None:
        status["errorMessage"] = result.failure
    return {
        "_id": hashlib.sha256(result.upload.path.name.encode()).hexdigest()[:24],
        "taskName": TASK,
        "timestamp": int(result.at * 1000),
        "status": status,
        "targetObject": {"name": result.upload.name},
        "inputStreamName": result.upload.data_source,
    }


def matching(
    entries: Sequence[dict[str, Any]], question: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Return the entries, oldest first, that a question's filters let through, in its order."""
    filters = question.get("filters")
    filters = filters if isinstance(filters, dict) else {}
    types, states = _wanted(filters, "type"), _wanted(filters, "status")
    found = [
        entry
        for entry in entries
        if (types is None or entry["taskName"] in types)
        and (states is None or entry["status"]["isSuccess"] in states)
    ]
    if question.get("sortDirection", "desc") == "desc":
        found.reverse()
    return found


def _wanted(filters: Mapping[str, Any], name: str) -> list[Any] | None:
    wanted = filters.get(name)
    found = wanted.get("eq") if isinstance(wanted, dict) else None
    return found if isinstance(found, list) else None
