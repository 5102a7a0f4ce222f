"""Files that an administrator names: a path on the machine of the service."""

from pathlib import Path

from nss.admin.portal.pages.integrations.entries import Field
from nss.answers import AROUND, BadAnswer

_TIP = "give its whole path on the machine of the service, as /etc/nss/client.pem"


def named_file(field: Field, text: str) -> Path | None:
    """Return a path, `None` for nothing where nothing is needed. Raises `BadAnswer`."""
    name = text.strip(AROUND)
    if not name:
        if field.is_optional:
            return None
        raise BadAnswer(f"the {field.label} is missing", _TIP, field=field.name)
    if not name.startswith("/") or not name.isprintable():
        raise BadAnswer(f"the {field.label} is not a whole path", _TIP, field=field.name)
    return Path(name)
