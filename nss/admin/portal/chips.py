"""Which kind of chip shows the state of a part."""

from collections.abc import Collection, Mapping

from nss.status.summary import Reason

Kind = str
"""`good`, `warn`, `bad`, `busy` or `quiet`."""

SOURCE: Mapping[str, Kind] = {
    "reading": "busy",
    "idle": "quiet",
    "failing": "bad",
    "ended": "quiet",
}
FEED: Mapping[str, Kind] = {
    "moving": "busy",
    "idle": "quiet",
    "failing": "bad",
    "stuck": "bad",
}
UPLOAD: Mapping[str, Kind] = {
    "collecting": "quiet",
    "uploading": "busy",
    "failing": "bad",
    "held": "warn",
    "unconfirmed": "bad",
    "stopped": "bad",
}


def chip(kinds: Mapping[str, Kind], state: str, reasons: Collection[Reason] = ()) -> Kind:
    """Return the kind for a state; a part that degrades the health is bad in any state."""
    return "bad" if any(found.degrades for found in reasons) else kinds.get(state, "quiet")
