"""The HTML of the control page."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import get_args

from nss.lab.cloud.aadsts import REFUSALS
from nss.lab.cloud.faults import KIND_MEANINGS, Fault
from nss.lab.cloud.notes import ServerName

_PAGE = """\
<!DOCTYPE html>
<html lang="en"><meta charset="utf-8"><title>Cloud lab</title>
<style>body{{font:16px sans-serif;max-width:50em;margin:2em auto}}label{{margin-right:1em}}
input[type=number]{{width:5em}}form,table{{margin-bottom:2em}}td{{padding-right:1em}}</style>
<h1>Cloud lab</h1>
<h2>What came in</h2><table>{seen}</table>
<h2>Faults</h2><ul>{faults}</ul>
<form id="fault">
<label>server <select name="server">{servers}</select></label>
<label>part of the path <input name="path" placeholder="upload_url"></label>
<label>kind <select name="kind">{kinds}</select></label>
<label>status <input name="status" type="number" value="503"></label>
<label>body <input name="body" placeholder='{{"success": false}}'></label>
<label>Retry-After <input name="retry_after"></label>
<label>secs <input name="secs" type="number" value="0" step="any"></label>
<label>times <input name="times" type="number" value="1" title="empty: always"></label>
<label>skip <input name="skip" type="number" value="0"></label>
<button>Switch on</button> <button type="button" id="clear">Switch all off</button>
</form>
<h2>Sign-in and storage</h2>
<form id="switches">
<label>Entra refuses with <select name="refuse"><option value="">nothing</option>{codes}</select>
</label>
<label>clock ahead by <input name="skew_secs" type="number" step="any"> s</label>
<label>roles <input name="roles" placeholder="Discovery.manage"></label>
<label>storage <select name="provider"><option value="">as it is<option>azure
<option>aws</select></label>
<label>a repeated finalize <select name="repeat"><option value="">as it is<option>ok
<option>refused<option>unsuccessful</select></label>
<label><input name="expire_sas" type="checkbox"> upload URLs expire</label>
<label><input name="revoke_secret" type="checkbox"> revoke the secret</label>
<label><input name="revoke_tokens" type="checkbox"> revoke the tokens</label>
<button>Apply</button>
</form>
<h2>Unsanctioned apps and ZIA</h2>
<form id="zia">
<label>mark the app <input name="app" placeholder="Box"></label>
<label>its domains <input name="domains" placeholder=".box.com .box.net"></label>
<label>refuse the next <input name="lock" type="number"> writes (edit lock)</label>
<label>writes take <input name="write_secs" type="number" step="any"> s</label>
<label><input name="real_pace" type="checkbox"> keep the real pace</label>
<label><input name="read_only" type="checkbox"> read-only for maintenance</label>
<label><input name="lose_sessions" type="checkbox"> lose all sessions</label>
<button>Apply</button> <a href="/zia">what is there</a>
</form>
<output id="said"></output>
<script>
const send = async (method, path, body) => {{
  const answer = await fetch(path, {{method, headers: {{"content-type": "application/json"}},
                                   body: body && JSON.stringify(body)}});
  if (answer.ok) location.reload();
  else document.getElementById("said").textContent = await answer.text();
}};
const fields = form => {{
  const found = {{}};
  for (const field of form.elements) {{
    if (!field.name) continue;
    if (field.type === "checkbox") found[field.name] = field.checked;
    else if (field.value !== "")
      found[field.name] = field.type === "number" ? Number(field.value) : field.value;
  }}
  return found;
}};
document.getElementById("fault").onsubmit = event => {{
  event.preventDefault();
  send("POST", "/faults", {{times: null, ...fields(event.target)}});
}};
document.getElementById("clear").onclick = () => send("DELETE", "/faults");
document.getElementById("switches").onsubmit = event => {{
  event.preventDefault();
  const found = {{refuse: null, ...fields(event.target)}};
  if ("roles" in found) found.roles = found.roles.split(/[ ,]+/);
  send("POST", "/switches", found);
}};
document.getElementById("zia").onsubmit = event => {{
  event.preventDefault();
  const {{app, domains, ...found}} = fields(event.target);
  if (app) found.mark = {{[app]: (domains || "").split(/[ ,]+/).filter(Boolean)}};
  send("POST", "/zia", found);
}};
</script>
</html>
"""


def page(seen: Mapping[str, int], faults: Sequence[Fault]) -> str:
    """Return the page for what came in and the faults that are switched on."""
    return _PAGE.format(
        seen="".join(f"<tr><td>{name}<td>{count:,}" for name, count in seen.items()),
        faults="".join(f"<li>{escape(_described(fault))}" for fault in faults) or "<li>none",
        servers="".join(f"<option>{name}" for name in get_args(ServerName)),
        kinds="".join(
            f'<option value="{kind}">{kind}: {meaning}' for kind, meaning in KIND_MEANINGS.items()
        ),
        codes="".join(f"<option>AADSTS{code}" for code in sorted(REFUSALS)),
    )


def _described(fault: Fault) -> str:
    how_often = "always" if fault.times is None else f"times: {fault.times}"
    status = f" {fault.status}" if fault.kind == "status" else ""
    return f"{fault.server} {fault.path or 'all requests'}: {fault.kind}{status}, {how_often}"
