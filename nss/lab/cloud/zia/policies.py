"""What decides whether a category blocks: rules and settings that clients of the lab read.

Tests and the control page change the lists; the objects are in the form of recorded replies.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

RULE_TYPES: Mapping[str, str] = {
    "Webmail": "WEBMAIL",
    "Social Networking": "SOCIAL_NETWORKING",
    "Finance": "FINANCE",
    "Legal": "LEGAL",
    "AI & ML Applications": "AI_ML",
    "Human Resources": "HUMAN_RESOURCES",
    "DNS Over HTTPS Services": "DNS_OVER_HTTPS",
    "System & Development": "SYSTEM_AND_DEVELOPMENT",
    "Instant Messaging": "INSTANT_MESSAGING",
    "Video Streaming": "STREAMING_MEDIA",
    "Health Care": "HEALTH_CARE",
    "File Sharing": "FILE_SHARE",
    "Consumer": "CONSUMER",
    "Hosting Providers": "HOSTING_PROVIDER",
    "Collaboration and Online Meetings": "ENTERPRISE_COLLABORATION",
    "Custom Applications": "CUSTOM_CAPP",
    "Sales & Marketing": "SALES_AND_MARKETING",
    "IT Services": "IT_SERVICES",
    "Productivity and CRM Tools": "BUSINESS_PRODUCTIVITY",
}
"""Of cloud app control: what the portal calls them, and what the API does."""

_PROTOCOLS = (
    *("WEBSOCKETSSL_RULE", "WEBSOCKET_RULE", "DOHTTPS_RULE", "TUNNELSSL_RULE", "HTTP_PROXY"),
    *("FOHTTP_RULE", "FTP_RULE", "HTTPS_RULE", "HTTP_RULE", "SSL_RULE", "TUNNEL_RULE"),
)
_METHODS = (
    *("OPTIONS", "GET", "HEAD", "POST", "PUT", "DELETE", "TRACE", "CONNECT", "OTHER"),
    *("PROPFIND", "PROPPATCH", "MOVE", "MKCOL", "LOCK", "COPY", "UNLOCK", "PATCH"),
)


class Policies:
    """An organisation's rules, in no particular order: `order` says which comes first."""

    def __init__(self) -> None:
        self.url_filtering: list[dict[str, Any]] = []
        self.cloud_app_control: dict[str, list[dict[str, Any]]] = {}
        """By type of rule, as `FILE_SHARE`."""
        self.ssl_inspection: list[dict[str, Any]] = [
            ssl_inspection_rule("Default SSL_TLS Inspection Rule", order=-1, is_default=True)
        ]
        self.advanced_settings: dict[str, Any] = {
            "authBypassUrlCategories": ["NONE"],
            "enableEvaluatePolicyOnGlobalSSLBypass": True,
            "cascadeUrlFiltering": False,
            "enablePolicyForUnauthenticatedTraffic": True,
            "enableAdminRankAccess": True,
            "uiSessionTimeout": 300,
        }
        self.nss_servers: list[dict[str, Any]] = [
            {
                "id": 25235,
                "name": "NSS",
                "status": "ENABLED",
                "state": "HEALTHY",
                "type": "NSS_FOR_WEB",
            }
        ]
        self.integration_partners: list[dict[str, Any]] = []
        """MCAS is never among them."""

    @property
    def users(self) -> Counter[str]:
        """How many rules use a category, by its id."""
        return Counter(
            category
            for rule in (*self.url_filtering, *self.ssl_inspection)
            for category in {*rule.get("urlCategories", ()), *rule.get("urlCategories2", ())}
        )


def url_filtering_rule(
    name: str,
    categories: Sequence[str],
    *,
    action: str = "BLOCK",
    order: int = 1,
    **fields: object,
) -> dict[str, Any]:
    """Return a URL filtering rule for categories; `fields` are any others of the object."""
    return {
        "id": 1_153_400 + order,
        "accessControl": "READ_WRITE",
        "name": name,
        "order": order,
        "protocols": list(_PROTOCOLS),
        "urlCategories": list(categories),
        "excludeSrcCountries": False,
        "state": "ENABLED",
        "rank": 7,
        "requestMethods": list(_METHODS),
        "blockOverride": False,
        "lastModifiedTime": 1_766_179_195,
        "enforceTimeValidity": False,
        "cbiProfileId": 0,
        "capturePCAP": False,
        "sourceIpGroups": [],
        "usersAndGroupsSet": False,
        "groupsAndDepartmentsSet": False,
        "action": action,
        "predefined": False,
    } | fields


def cloud_app_rule(
    rule_type: str,
    name: str,
    actions: Sequence[str],
    *,
    order: int = 1,
    **fields: object,
) -> dict[str, Any]:
    """Return a rule of cloud app control, as with the actions `ALLOW_FILE_SHARE_VIEW`."""
    return {
        "id": 192_263 + order,
        "type": rule_type,
        "order": order,
        "applications": [],
        "actions": list(actions),
        "state": "ENABLED",
        "rank": 7,
        "lastModifiedTime": 1_764_200_867,
        "enforceTimeValidity": False,
        "accessControl": "READ_WRITE",
        "name": name,
        "cascadingEnabled": False,
        "eunEnabled": False,
        "eunTemplateId": 0,
        "browserEunTemplateId": 0,
        "predefined": False,
    } | fields


def ssl_inspection_rule(
    name: str,
    categories: Sequence[str] = (),
    *,
    action: str = "DO_NOT_DECRYPT",
    order: int = 1,
    is_default: bool = False,
    **fields: object,
) -> dict[str, Any]:
    """Return an SSL inspection rule; without categories it is for all of them."""
    return {
        "id": 186_639 + order,
        "accessControl": "READ_WRITE",
        "name": name,
        "order": order,
        "rank": 7,
        "roadWarriorForKerberos": False,
        **({"urlCategories": list(categories)} if categories else {}),
        "action": {"type": action, "showEUN": False, "overrideDefaultCertificate": False},
        "state": "ENABLED",
        "lastModifiedTime": 1_760_069_005,
        "predefined": False,
        "defaultRule": is_default,
    } | fields
