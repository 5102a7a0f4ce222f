"""What the image consists of, as SPDX 2.3 in JSON."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

from disk import identity

Package = dict[str, object]


def write(
    path: Path,
    version: str,
    epoch: int,
    debian: list[dict[str, str]],
    python: list[dict[str, str]],
) -> None:
    """Write the bill of materials: Debian's packages, and those of our environment.

    Licenses of Debian's packages are in /usr/share/doc/*/copyright of the image, not in a form that
    SPDX could name, so none is asserted here.
    """
    name = f"nss-appliance-{version}"
    packages = [_debian(one) for one in debian] + [_python(one) for one in python]
    image = _package("SPDXRef-image", "nss-appliance", version, "Organization: The NSS authors")
    image["primaryPackagePurpose"] = "OPERATING-SYSTEM"
    relations = [_relation("SPDXRef-DOCUMENT", "DESCRIBES", "SPDXRef-image")]
    relations += [_relation("SPDXRef-image", "CONTAINS", str(one["SPDXID"])) for one in packages]
    document = {
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": name,
        "documentNamespace": f"https://nss.example.com/spdx/{name}-{identity(f'{name} {epoch}')}",
        "creationInfo": {
            "created": datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "creators": ["Organization: The NSS authors", "Tool: packaging/appliance/sbom.py"],
        },
        "packages": [image, *packages],
        "relationships": relations,
    }
    path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def _debian(one: dict[str, str]) -> Package:
    name, version, architecture = one["Package"], one["Version"], one["Architecture"]
    supplier = re.sub(r"\s*<(.*)>$", r" (\1)", one["Maintainer"])
    found = _package(f"SPDXRef-deb-{_identifier(name)}", name, version, f"Organization: {supplier}")
    found["sourceInfo"] = f"built from {one['source:Package']} {one['source:Version']}"
    place = f"pkg:deb/debian/{quote(name)}@{quote(version)}?arch={architecture}&distro=bookworm"
    if name != "nss-streamer":
        found["externalRefs"] = [_purl(place)]
    return found


def _python(one: dict[str, str]) -> Package:
    name, version = one["name"], one["version"]
    found = _package(f"SPDXRef-pypi-{_identifier(name)}", name, version, "NOASSERTION")
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
