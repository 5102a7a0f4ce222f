"""An update, step by step; or what a power cut or a kill has left of one, brought to its end.

    python3 -I /var/lib/nss-update/engine/run.py

It works from the plan, and notes each stage before it begins. When it starts and the journal names
a stage of the same plan that did not end, it goes on from there: before the packages are exchanged
by starting the service again, after that with the new package if dpkg has finished with it, and
otherwise by going back. So either version works in the end.
"""

import fcntl
import shutil
import sys
import time
from pathlib import Path

from nss.errors import NssError
from nss.updates import apt, journal, packages, plan, service, units
from nss.updates.failures import UpdateFailed, UpdateUnderWay
from nss.updates.journal import Entry, Journal
from nss.updates.plan import FOLDER, Plan
from nss.updates.spool import SpoolFile

_LOG = "sudo nss checkversion; journalctl -u nss-streamer"


def main() -> None:
    """Make the update of the plan."""
    made = plan.read()
    with (FOLDER / "lock").open("ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise UpdateUnderWay("update: another one is under way") from None
        found = journal.read()
        if found is not None and found.is_over and found.number == made.number:
            sys.exit(0)
        if found is None or found.is_over:
            entry = Entry(number=made.number, stage=journal.DOWNLOADING, began_at=time.time())
            Update(made, Journal(entry)).begin()
        else:
            Update(made, Journal(found)).resume()
    sys.exit(0)


class Update:
    """One update."""

    def __init__(self, made: Plan, log: Journal, folder: Path = FOLDER) -> None:
        self._plan = made
        self._log = log
        self._folder = folder
        self._new = folder / "packages/new.deb"
        self._old = folder / "packages/before.deb"
        self._conffiles = folder / "packages/conffiles"
        self._spool = None if made.spool is None else SpoolFile(made.spool, made.user)

    def begin(self) -> None:
        """Make it; how it ended is in the journal."""
        try:
            self._log.note()
            self._make()
        except (NssError, OSError) as error:
            self._failed(error)

    def resume(self) -> None:
        """Bring to its end what was cut off."""
        entry = self._log.entry
        say(f"An update was cut off while {entry.stage}; continuing")
        try:
            if entry.stage in journal.HARMLESS:
                why = self._restarted()
                doubt = f"; but the service does not run: {why}" if why else ""
                self._log.end(
                    journal.FAILED,
                    why=f"it was cut off while {entry.stage}; nothing was changed{doubt}",
                    remedy="sudo nss update-now",
                    code=UpdateFailed.exit_code,
                )
                self._cleared()
            elif entry.stage != journal.RETURNING and packages.installed() == entry.version_after:
                self._run_new()
            else:
                self._go_back("it was cut off while the packages were exchanged")
        except (NssError, OSError) as error:
            self._failed(error)

    def _make(self) -> None:
        before = packages.installed()
        if before is None:
            raise UpdateFailed(
                "update: nss-streamer is not completely installed",
                tip="sudo dpkg --configure -a; sudo apt-get install --fix-broken",
            )
        say("Connecting to server...")
        offer = apt.offers(self._folder / "apt", self._plan.timeout_secs)[0]
        if not packages.is_newer(offer.version, before) and not self._plan.force:
            self._log.end(journal.NOTHING_NEW)
            say(f"Version {before} is installed, and the repository has nothing newer")
            return
        self._log.note(version_before=before, version_after=offer.version)
        apt.check_dependencies(self._folder / "apt", offer.version)
        packages.check_room(self._folder, offer.size, offer.installed_size)
        say(f"Downloading latest version {offer.version}")
        self._new.parent.mkdir(mode=0o755, exist_ok=True)
        apt.download(self._folder / "apt", offer, self._new)
        packages.check(self._new, offer.version)
        self._log.note(stage=journal.KEEPING)
        packages.repack(self._old, self._folder / "packages/tree", strict=not self._plan.force)
        packages.keep_conffiles(self._conffiles)
        self._swap(offer)

    def _swap(self, offer: apt.Offer) -> None:
        status = service.status()
        is_running = service.is_running()
        changes_form = offer.spool_form is None or offer.spool_form != own_form()
        if self._spool is not None and self._spool.path.exists():
            self._spool.forget()
            if changes_form:
                self._spool.check_room(self._plan.spool_reserve)
        with packages.only_package_tool():
            self._log.note(
                stage=journal.STOPPING, was_running=is_running, before=service.picture(status)
            )
            units.watch_over(self._folder)
            say(f"Installing build {offer.version}")
            service.stop()
            if self._spool is not None and changes_form and self._spool.path.exists():
                self._spool.keep()
                self._log.note(form_before=self._spool.forms()[1])
            plan.put(self._folder / plan.SWAPPING, "")
            self._log.note(stage=journal.SWAPPING)
            said = packages.install(self._new)
            if said or packages.installed() != offer.version:
                self._go_back(f"the package can't be installed: {said}", locked=True)
                return
        self._run_new()

    def _run_new(self) -> None:
        """Start what was installed, and keep it if it works."""
        entry = self._log.entry
        self._log.note(stage=journal.STARTING)
        (self._folder / plan.SWAPPING).unlink(missing_ok=True)
        why = service.start() if entry.was_running else ""
        if why:
            self._go_back(f"the new version does not start: {why}")
            return
        if entry.was_running:
            self._log.note(stage=journal.VERIFYING)
            say("Verifying that the service is healthy and that records flow")
            why = service.verify(entry.before or {}, self._plan.verify_secs)
            if why:
                self._go_back(f"the new version does not work as the one before: {why}")
                return
        if self._spool is not None:
            self._spool.forget()
        self._log.end(journal.INSTALLED)
        self._cleared()
        say("Finished installation!")
        if not entry.was_running:
            say("The service was not running, so it was not started; try: sudo nss start")

    def _go_back(self, why: str, *, locked: bool = False) -> None:
        """Put the version before in place again, unless that would lose records."""
        entry = self._log.entry
        say(f"Going back to version {entry.version_before}: {why}")
        self._log.note(stage=journal.RETURNING, why=why)
        plan.put(self._folder / plan.SWAPPING, "")  # no start by others with either spool from here
        service.stop()
        aside = f".of-{entry.version_after}"
        aside_note = self._spool_back(aside)
        if aside_note is None:
            self._stay(why)
            return
        if locked:
            said = packages.install(self._old)
        else:
            with packages.only_package_tool(secs=600):
                said = packages.install(self._old)
        if not said:
            packages.restore_conffiles(self._conffiles)
        (self._folder / plan.SWAPPING).unlink(missing_ok=True)
        if said:
            raise UpdateFailed(
                f"update: {why}; and the version before can't be installed: {said}",
                tip=f"sudo dpkg --install {self._old}; sudo nss start",
            )
        again = self._restarted()
        if entry.was_running and not again:
            again = service.verify(entry.before or {}, self._plan.verify_secs)
        doubt = f"; version {entry.version_before} is back, but: {again}" if again else ""
        self._log.end(
            journal.ROLLED_BACK,
            why=f"{why}{aside_note}{doubt}",
            remedy="see the reason, then again: sudo nss update-now",
            code=UpdateFailed.exit_code,
        )
        self._cleared()
        say(f"Version {entry.version_before} is back{doubt}{aside_note}")

    def _spool_back(self, aside: str) -> str | None:
        """Put the spool of the version before back; `None` when that would lose records.

        Returns what is to be said of it.
        """
        spool, entry = self._spool, self._log.entry
        if spool is None or entry.form_before is None:
            return ""
        form, kept = spool.forms()
        if kept is None or form == kept:
            spool.forget()
            return ""  # the newer version never opened it, or it was put back already
        outlook = spool.outlook()
        if outlook.waiting == 0:
            spool.restore(aside, forget=not outlook.has_more)
            note = f"; rejected records are in {spool.path}{aside}"
            return note if outlook.has_more else ""
        (self._folder / plan.SWAPPING).unlink(missing_ok=True)
        if not service.start() and service.status() is not None:
            return None
        plan.put(self._folder / plan.SWAPPING, "")
        service.stop()
        spool.restore(aside, forget=False)
        number = "records" if outlook.waiting is None else f"{outlook.waiting:,} records"
        return (
            f"; {number} that the new version accepted are in {spool.path}{aside}, which only "
            f"version {entry.version_after} or a newer one can deliver: keep the file"
        )

    def _stay(self, why: str) -> None:
        """Leave the new version at work: what it has accepted is in its spool alone."""
        entry = self._log.entry
        reason = (
            f"{why}; version {entry.version_before} can't be put back now: records that version "
            f"{entry.version_after} accepted wait in a spool of a newer form, and none is lost"
        )
        self._log.end(
            journal.STAYED,
            why=reason,
            remedy="let feeds deliver (nss status), then a newer version: sudo nss update-now",
            code=UpdateFailed.exit_code,
        )
        self._cleared()
        say(reason)

    def _restarted(self) -> str:
        """Start the service if it ran before; returns why it does not start, else nothing."""
        (self._folder / plan.SWAPPING).unlink(missing_ok=True)
        return service.start() if self._log.entry.was_running else ""

    def _failed(self, error: NssError | OSError) -> None:
        """Note a failure. Whatever ran before runs again, as far as that can be."""
        entry = self._log.entry
        message = str(error.args[0]) if isinstance(error, NssError) else str(error)
        if entry.stage in journal.STOPPED and (why := self._restarted()):
            message += f"; and the service does not run: {why}"
        tip = error.tip if isinstance(error, NssError) else "make room: df -h"
        code = error.exit_code if isinstance(error, NssError) else UpdateFailed.exit_code
        is_broken = entry.stage not in journal.HARMLESS
        result = journal.FAILED
        (self._folder / plan.SWAPPING).unlink(missing_ok=True)
        self._log.end(result, why=message, remedy=tip or _LOG, code=code)
        self._cleared(keep=is_broken)
        say(message)

    def _cleared(self, *, keep: bool = False) -> None:
        """Remove what no step needs any more."""
        units.end_watch()
        shutil.rmtree(self._folder / "apt", ignore_errors=True)
        shutil.rmtree(self._folder / "packages/tree", ignore_errors=True)
        if not keep:
            self._new.unlink(missing_ok=True)


def own_form() -> int | None:
    """Return the form of the spool that the installed version writes, as its package says."""
    found = packages.field("Spool-Form")
    return int(found) if found.isdecimal() else None


def say(text: str) -> None:
    """Print a line of the transcript."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    try:
        main()
    except UpdateUnderWay as error:
        sys.exit(str(error))
