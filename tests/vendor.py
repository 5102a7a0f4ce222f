"""The vendor's own client of ZIA, `zscaler-sdk-python`, with which tests look at the lab.

It runs in a process of its own: it is set up by environment variables, keeps global state, and its
code is not free of warnings. Calls and results go by standard input and output, as JSON.
"""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

from nss.lab.cloud import CloudLab

Call = tuple[str, dict[str, Any]]
"""A method as `url_categories.get_category`, and its arguments."""

_TIMEOUT_SECS = 120
_UNSET = ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")


def zia_calls(lab: CloudLab, *calls: Call) -> list[Any]:
    """Have the vendor's client sign in, make calls and sign out; return what it makes of each.

    That is what it returns, as JSON, or a text with its error. A value `$0.id` of an argument
    stands for the field `id` of the first result.
    """
    sessions = lab.zia.sessions
    environment = {name: value for name, value in os.environ.items() if name not in _UNSET} | {
        "ZIA_OVERRIDE_URL": lab.zia_url,
        "ZIA_CLOUD": "lab",
        "ZIA_USERNAME": sessions.username,
        "ZIA_PASSWORD": sessions.password,
        "ZIA_API_KEY": sessions.api_key,
        "REQUESTS_CA_BUNDLE": str(lab.ca_file),
        "NO_PROXY": "*",
    }
    done = subprocess.run(  # noqa: S603 - this file
        [sys.executable, "-W", "ignore", __file__],
        input=json.dumps(calls),
        env=environment,
        capture_output=True,
        text=True,
        timeout=_TIMEOUT_SECS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: list[Any] = json.loads(done.stdout)
    return found


def _main() -> None:
    from zscaler.oneapi_client import LegacyZIAClient  # noqa: PLC0415 - only in its own process

    results: list[Any] = []
    with LegacyZIAClient({}) as client:
        for name, arguments in json.load(sys.stdin):
            method: Any = client.zia
            for part in name.split("."):
                method = getattr(method, part)
            results.append(_result(method(**_filled(arguments, results))))
    json.dump(results, sys.stdout)


def _filled(arguments: dict[str, Any], results: Sequence[Any]) -> dict[str, Any]:
    filled = {}
    for name, value in arguments.items():
        filled[name] = value
        if isinstance(value, str) and value.startswith("$"):
            number, _, field = value[1:].partition(".")
            filled[name] = results[int(number)][field]
    return filled


def _result(answer: Any) -> Any:  # noqa: ANN401 - whatever the client returns
    """Return what a call gave: of (result, response, error) the result or the error."""
    if isinstance(answer, tuple):
        *_, error = answer
        return str(error) if error else _plain(answer[0])
    return _plain(answer)


def _plain(value: Any) -> Any:  # noqa: ANN401 - whatever the client returns
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value.as_dict() if hasattr(value, "as_dict") else value


if __name__ == "__main__":
    _main()
