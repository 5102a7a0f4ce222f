"""The unit that a check runs in: all that limits the service, nothing of its starts and stops."""

from pathlib import Path

from cli.supervision.limits import _unit_text

SERVICE = """\
# /usr/lib/systemd/system/nss-streamer.service
[Unit]
Description=NSS
OnFailure=alarm.service

[Service]
User=nss
ExecStart=/usr/bin/true \\
    --one \\
[Install]
# a comment
ProtectSystem=strict
[Install]
WantedBy=multi-user.target

# /etc/systemd/system/nss-streamer.service.d/override.conf
[Service]
ReadWritePaths=/srv
"""


def test_limits_are_kept_with_drop_ins_and_what_starts_and_stops_is_replaced() -> None:
    text = _unit_text(SERVICE, ["/opt/a b/python3", "100%", 'say "$HOME"'], Path("/run/x"))
    head, _, service = text.partition("[Service]\n")
    assert head == "[Unit]\nDescription=A check of nss-streamer.service\n"
    lines = service.splitlines()
    assert lines[:6] == [
        "User=nss",
        "ExecStart=/usr/bin/true \\",
        "    --one \\",
        "[Install]",
        "# a comment",
        "ProtectSystem=strict",
    ]
    assert "ReadWritePaths=/srv" in lines
    assert "WantedBy=multi-user.target" not in lines
    assert "OnFailure=alarm.service" not in lines
    last = lines.index("ReadWritePaths=/srv")
    assert lines.index("ExecStart=") > last
    assert lines[lines.index("ExecStart=") + 1] == (
        'ExecStart="/opt/a b/python3" "100%%" "say \\"$$HOME\\""'
    )
    assert "Type=oneshot" in lines[last:]
    assert "StandardOutput=file:/run/x/output" in lines[last:]
