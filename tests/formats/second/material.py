"""What random cases are made of: names, pieces of text, odd values, pieces of formats."""

from tests.formats.second.language import FIELDS

NAMES = sorted(name for name, row in FIELDS.items() if row["group"] != "Obfuscated")
OBFUSCATED = {name for name in FIELDS if "obfuscate" in FIELDS[name]["derivations"]}
PRINTED = [name for name in NAMES if name not in OBFUSCATED]
TEXTS = [name for name in PRINTED if FIELDS[name]["conversion"] == "s"]
NUMBERS = [name for name in PRINTED if FIELDS[name]["conversion"] == "d"]
COMMON = ["login", "url", "eurl", "ua", "reason", "action", "cip", "reqsize", "eurlpath", "elogin"]

PIECES: list[str] = [
    *"\t\n\r\0\x1b\x7f\x85\x9f\u2028\u2029\u00a0|^=\\\"',;:{}[]<>%&#?/~ .-+0aAfF\xe4\U0001f600",
    "\r\n", "^^", "\\\\", "\\|", "\\\t", '","', '"', '""', "%s{login}", "%0A", "%5", "word", "None",
    "LEEF:1.0|a|b|c|d|", "CEF:0|a|b|c|d|e|f|", "\tusrName=root", "\ncat=x", " suser=root", " a=",
    " act=Blocked", '","action":"Allowed', "^^user=root", "|ACTION|Blocked", "example.com", "/path",
    "?next=/x", "198.51.100.7", "\ufeff",
]  # fmt: skip
ORDINARY = [
    "ana@example.com", "Allowed", "www.example.com/a?b=c", "a b", "192.0.2.1", "403", "Ana",
    "example.com:443", "2001:db8::1",
]  # fmt: skip
WANTED = {
    "action": ["Allowed", "blocked"],
    "threat_severities": ["High", "none"],
    "address": ["192.0.2.0/24", "192.0.2.1-192.0.2.9, 2001:db8::/32", "0.0.0.0/0", "2001:db8::1"],
    "code": ["403", "4xx", "400-499", "200, 403"],
    "size": ["0", "0-64KB", "1KB-", "10KB-1MB, 7", "12"],
    "score": ["0", "75-100", "7", "1-"],
}
MOMENTS: list[object] = [
    "Fri Oct  6 09:05:08 2023", "2023-10-06 09:05:08", "2023-10-06T09:05:08.25+02:00",
    "Oct 06 2023 09:05:08 CEST", "2023-10-29 02:30:00", "Oct 6 2023 09:05:08",
    "2024-02-29 23:59:60", 1696583108, "1696583108123", "0", 0, "N/A", "-", "null", 1e9, 7.5, True,
    "2023-02-29 00:00:00", None, "0001-01-01 00:00:00", "9999-12-31 23:59:59",
    "fri oct 06 09:05:08 2023 gmt+1", [1], "n/a", "", "soon",
]  # fmt: skip
PART_VALUES: dict[str, list[object]] = {
    "yy": [2023, "2024", "NA", 23], "yyyy": [2023, "", None], "mon": ["Oct", "feb", "Mon", ""],
    "mth": [10, "02", 13, "x"], "dd": [6, "29", 31, 0], "hh": [9, "00", 24], "mm": [5, "05", 60],
    "ss": [8, "60", 61, "8.5"],
    "tz": ["GMT", "CEST", "GMT+03:30", "America/Chicago", "XYZ", "", "NA", "localtime", "right/UTC",
           "Factory"],
}  # fmt: skip
ODD_NUMBERS: list[object] = [
    0, 7, -7, 1050, 2**53 + 1, 2**63, 2**64, 10**25, 10**39, 10**45, "0", "007", "+5", "-5", " 12 ",
    "", "None", "n/a", "-", "null", "NA", "Unknown", "1e3", "1.0", "1.5", 1.0, 1.5, 1e30, "9" * 39,
    "9" * 50, "0x10", "\uff11", True, False, None, [], {}, "1_0",
    "9007199254740993.0", "9007199254740992.0", "9007199254740991.0", "1." + "0" * 30 + "1",
    "15e-1", "1." + "0" * 38, "1." + "0" * 39, 2.0**53, "150e-1", "-1e3", "1e99", "1.",
]  # fmt: skip
ODD_BASE64 = ["None", "NA", "N/A", "Unknown", "CXVz=", "CXU==", "CXU", "_-8=", "A", "=", " YQ "]
HEADERS = [
    "<134>", "<134>Oct  6 09:05:08 host app: ", "Oct  6 09:05:08 host app: ",
    "<134>1 2023-10-06T09:05:08Z host app - - - ",
    '<134>1 2023-10-06T09:05:08.5+02:00 h a 1 ID [a b="c"] ',
]  # fmt: skip
ZONES = ["GMT", "Europe/Berlin", "America/Chicago", "Asia/Kolkata", "GMT+2", "GMT-05:30"]
STATED_TIMES = [
    ["time"], ["epochtime"], ["datetime"], ["time", "tz"], ["epochtime", "time"], [],
    ["yy", "mon", "dd", "hh", "mm", "ss"], ["mon", "dd", "hh", "mm", "ss"], [*PART_VALUES],
]  # fmt: skip
CLOCK = "%02d{hh}:%02d{mm}:%02d{ss}"
PRINTED_TIMES = [
    "%s{time}", "%d{epochtime}", "%s{time} %s{tz}", f"%d{{yy}}-%02d{{mth}}-%02d{{dd}} {CLOCK}",
    f"%s{{mon}} %d{{dd}} %d{{yy}} {CLOCK} %s{{tz}}",
]  # fmt: skip
HEADS = [
    "", "", "", f"%s{{mon}} %02d{{dd}} {CLOCK} zscaler-nss: ", "<134>", "x ", "%s{login} ",
    "<134>1 - host app - - - ", "%d{reqsize} ",
]  # fmt: skip
BETWEEN = [
    " ", ", ", ": ", "; ", "|", " - ", "[", "] ", "(", ")", "/", "", '"', "'", "\\t", "\\n", "\\r",
    "\\{", "\\}", "\\\\", "%%", "\n", "\r\n  ", "\t", "\xe4", "a", "=",
]  # fmt: skip
FAULTS = [
    "%", "{", "}", "\\", "%s{nope}", "%d{login}", "%5s{url}", "%s{url", "\0", "\x85", "\U000f0000",
    "%q{url}", "%033d{hh}", "%s {url}", "\\x", "\u2028", "", "%%", "\n",
]  # fmt: skip
DELIMITERS = [
    ("^", "^"), ("x5E", "^"), ("0x7e", "~"), ("x09", "\\t"), ("", "\\t"), (";", ";"), ("x7C", "|"),
    ("xa6", "\xa6"), ("!", "!"), ("#", "#"), ("x", "x"), ("=", "="), (".", "."), (":", ":"),
    ("x20", " "), ("[", "["), ("-", "-"), ("+", "+"), ("%%", "%%"), ("7", "7"),
    ("x41", "A"), ("|", "|"), ("xd800", ";"),
]  # fmt: skip
