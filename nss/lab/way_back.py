"""The second half of the MCAS demonstration: an app is marked as unsanctioned, and is blocked.

What a command says of ZIA's API is held against what the lab's gateway does with a request.
"""

from collections.abc import AsyncIterator
from pathlib import Path

from nss.config.sync import SyncConfig
from nss.lab import commands
from nss.lab.catalog import APPS
from nss.lab.cloud import CloudLab
from nss.lab.cloud.zia.policies import url_filtering_rule
from nss.lab.discovery import Discovery

RULE = "Unsanctioned apps"
APP = next(app for app in APPS if app.status == "Unsanctioned")


class WayBack:
    """One run: `async for line in back.run(..)` says what happens.

    `config` is a configuration whose state directory has credentials for the lab's MCAS.
    """

    def __init__(self, config: Path, lab: CloudLab) -> None:
        self.is_blocked = False
        """Whether a request to the app was blocked at the end."""
        self._config = config
        self._lab = lab

    async def run(self, discovery: Discovery) -> AsyncIterator[str]:
        """Run it. Raises `ServiceError` when a command fails, as when the app is not blocked."""
        lab, host = self._lab, APP.host
        seen = discovery.apps.get(APP.name)
        domain = "." + host.removeprefix("www.")
        yield f"{seen.transactions if seen else 0:,} transactions with {APP.name} were seen."
        lab.mcas.unsanctioned.apps[APP.name] = [domain]
        yield f"In MCAS, {APP.name} ({domain}) is marked as unsanctioned."
        yield "$ nss configure-zia --client-id ... --vanity-domain ... --cloud ..."
        arguments = ["--client-id", lab.zia.one_api.client_id, "--cloud", lab.one_api_url]
        arguments += ["--vanity-domain", lab.one_api_token_url]
        secret = {"NSS_ZIA_CLIENT_SECRET": lab.zia.one_api.secret}
        for line in await commands.run(self._config, "configure-zia", *arguments, secrets=secret):
            yield f"  {line}"
        # Else the rules of each type of app are read, which takes ten seconds at ZIA's pace.
        lab.zia.policies.advanced_settings["cascadeUrlFiltering"] = True
        yield "$ nss sync-unsanctioned"
        for line in await commands.run(self._config, "sync-unsanctioned"):
            yield f"  {line}"
        yield f'In ZIA, the URL filtering rule "{RULE}" is added, which blocks the category.'
        category = lab.zia.categories.shown(SyncConfig().category)["id"]
        lab.zia.policies.url_filtering.append(url_filtering_rule(RULE, [category]))
        yield f"$ nss verify-blocking {host}"
        for line in await commands.run(self._config, "verify-blocking", host):
            yield f"  {line}"
        yield "By ZIA's API: blocked: yes"
        decision = lab.zia.gateway.decide(host)
        self.is_blocked = decision.is_blocked
        word = "yes" if self.is_blocked else "no"
        yield f'By the gateway: blocked: {word} ({host}, rule "{decision.by}")'
