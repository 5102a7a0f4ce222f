"""What an image consists of, as SPDX 2.3 in JSON (https://spdx.github.io/spdx-spec/v2.3/)."""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal
from urllib.parse import quote

Package = dict[str, object]


def write(
    path: Path,
    subject: str,
    purpose: Literal["CONTAINER", "OPERATING-SYSTEM"],
    version: str,
    epoch: int,
    debian: Iterable[Mapping[str, str]],
    python: Iterable[tuple[str, str]],
) -> None:
    """Write the bill of materials of `subject`: Debian's packages, and those of our environment.

    Of Debian's it takes Package, Version, Architecture, Maintainer and Source, as dpkg's status has
    them; of Python's, name and version. Licences of Debian's packages are in the image, in
    /usr/share/doc/*/copyright, in no form that SPDX could name, so none is asserted.
    """
    name = f"{subject}-{version}"
    packages = [_debian(one) for one in debian] + [_python(*one) for one in python]
    image = _package("SPDXRef-image", subject, version, "Organization: The NSS authors")
    image["primaryPackagePurpose"] = purpose
    relations = [_relation("SPDXRef-DOCUMENT", "DESCRIBES", "SPDXRef-image")]
    relations += [_relation("SPDXRef-image", "CONTAINS", str(one["SPDXID"])) for one in packages]
    contents = json.dumps([packages, epoch], sort_keys=True).encode()
    document = {
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": name,
        "documentNamespace": f"https://nss.example.com/spdx/{name}-{_digest(contents)}",
        "creationInfo": {
            "created": datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "creators": ["Organization: The NSS authors", "Tool: packaging/sbom.py"],
        },
        "packages": [image, *packages],
        "relationships": relations,
    }
    path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def _debian(one: Mapping[str, str]) -> Package:
    name, version, architecture = one["Package"], one["Version"], one["Architecture"]
    supplier = re.sub(r"\s*<(.*)>$", r" (\1)", one["Maintainer"])
    found = _package(f"SPDXRef-deb-{_identifier(name)}", name, version, f"Organization: {supplier}")
    found["sourceInfo"] = f"built from {one.get('Source', name)}"
    if name != "nss-streamer":
        place = f"pkg:deb/debian/{quote(name)}@{quote(version)}?arch={architecture}"
        found["externalRefs"] = [_purl(f"{place}&distro=bookworm")]
    return found


def _python(name: str, version: str) -> Package:
    found = _package(f"SPDXRef-pypi-{_identifier(name)}", name, version, "NOASSERTION")
    if name != "nss-streamer":
        found["externalRefs"] = [_purl(f"pkg:pypi/{quote(name.lower())}@{quote(version)}")]
    return found


def _package(identifier: str, name: str, version: str, supplier: str) -> Package:
    return {
        "SPDXID": identifier,
        "name": name,
        "versionInfo": version,
        "supplier": supplier,
        "downloadLocation": "NOASSERTION",
        "filesAnalyzed": False,
        "licenseConcluded": "NOASSERTION",
        "licenseDeclared": "NOASSERTION",
        "copyrightText": "NOASSERTION",
    }


def _purl(place: str) -> dict[str, str]:
    kind = {"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl"}
    return {**kind, "referenceLocator": place}


def _relation(one: str, kind: str, other: str) -> dict[str, str]:
    return {"spdxElementId": one, "relationshipType": kind, "relatedSpdxElement": other}


def _identifier(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9.-]", "-", name)


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:32]
