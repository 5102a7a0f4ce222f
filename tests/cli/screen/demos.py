"""A demonstration as it ends, made up."""

from collections.abc import Mapping
from pathlib import Path

from nss.lab.demo import Demo, Progress
from nss.lab.discovery import Traffic
from nss.spool import ReasonCount

LINE = (
    b"Nov 26 21:07:24 zscaler-nss: LEEF:1.0|Zscaler|NSS|4.1|Allowed|cat=Allowed\t"
    b"devTime=Nov 26 2026 21:07:24 GMT\tdevTimeFormat=MMM dd yyyy HH:mm:ss z\tsrc=10.22.1.149\t"
    b"dst=192.0.2.4\tsrcPostNAT=203.0.113.12\trealm=Berlin\tusrName=ana.silva@example.com\t"
    b"srcBytes=2412\tdstBytes=182321\trole=Sales\tpolicy=Allowed\turl=www.youtube.com/watch"
)
REASONS = (
    ("reqsize: text 'a lot', expected a number", 2),
    ("time is impossible: day is out of range for month", 2),
    ("the record has no time", 2),
)
APPS = (
    ("YouTube", 261, 28_100, 72e6, 58e9),
    ("Spotify", 233, 8_209, 26e6, 18e9),
    ("Netflix", 226, 7_182, 18e6, 12e9),
    ("TikTok", 175, 3_096, 10e6, 7e9),
    ("OneDrive", 165, 3_012, 9e9, 5e9),
)


def finished(numbers: Mapping[str, int] | None = None, sample: Path | None = None) -> Demo:
    """Return a demonstration that has ended well, but for `numbers` of its progress."""
    demo = Demo(15, 5000, sample=sample)
    demo.progress = Progress(
        sent=75_021,
        bad=6,
        accepted=75_021,
        delivered=75_015,
        received=75_015,
        rejected=6,
        finished=True,
        elapsed_secs=15.0,
        sent_per_sec=5_001.4,
        accepted_per_sec=5_001.4,
        delivered_per_sec=5_001.0,
        received_per_sec=5_001.0,
        reasons=[ReasonCount("mcas", reason, records, 0.0) for reason, records in REASONS],
    )
    for name, number in (numbers or {}).items():
        setattr(demo.progress, name, number)
    demo.progress.samples.append(LINE)
    for name, users, records, upload, download in APPS:
        partners = {str(number) for number in range(users)}
        demo.discovery.apps[name] = Traffic(records, int(upload), int(download), partners)
    return demo
