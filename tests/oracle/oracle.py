"""The life of a subscription, a second time.

Written from the text of the design alone, without a look at the Rust code, to be compared with it (fuzz.py).
Naive on purpose: it looks at the world at every instant at which anything could change, and tells what changed.

    python3 oracle.py SCENARIO.json     prints the timeline as JSON lines, in the form of tests/cases
"""

import json
import re
import sys
from datetime import datetime, timezone

DAY = 86_400
NEVER = float("inf")
EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def instant(text):
    """Seconds since 1970, or ValueError."""
    if not isinstance(text, str):
        raise ValueError(text)
    moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    if moment.tzinfo is None:
        raise ValueError(text)
    past = moment - EPOCH
    return past.days * DAY + past.seconds


def text(seconds):
    if seconds is None or seconds == NEVER:
        return None
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


class Nonsense(Exception):
    pass


class Refused(Exception):
    def __init__(self, code):
        super().__init__(code)
        self.code = code


# --- documents ---------------------------------------------------------------------------------------------------


def need(condition):
    if not condition:
        raise Nonsense


def whole(value, least):
    need(isinstance(value, int) and not isinstance(value, bool) and value >= least)
    return value


def moment(value):
    try:
        return instant(value)
    except ValueError:
        raise Nonsense from None


def flag(value):
    need(isinstance(value, bool))
    return value


def thing(value):
    need(isinstance(value, dict))
    return value


def version(value):
    need(isinstance(value, str) and re.fullmatch(r"\d+(\.\d+)*", value))
    numbers = [int(part) for part in value.split(".")]
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)


def optional(read, value, default=None, *more):
    return default if value is None else read(value, *more)


def trickle(value, unit):
    if value == "stop":
        return "stop"
    need(set(thing(value)) == {unit})
    return {unit: whole(value[unit], 1)}


def read_state(claims, states):
    state = claims.get("state")
    since = optional(moment, claims.get("state_since"))
    if state is None:
        return "active", since
    need(state in states and since is not None)
    return state, since


def read_document(raw):
    """What a document says, with every default filled in. Nonsense where it makes no sense."""
    raw = thing(raw)
    key = thing(raw.get("key"))
    need(isinstance(key.get("id"), str) and key["id"] != "")
    need(key.get("kind") in ("subscription", "commercial"))
    said = {
        "id": key["id"],
        "kind": key["kind"],
        "rev": whole(raw.get("rev"), 1),
        "devices": optional(whole, raw.get("devices"), None, 1),
        "min_product_version": optional(version, raw.get("min_product_version")),
        "grace_days": 0,
        "auto_renew": False,
        "after_grace": {"database_updates": "stop", "ksn": "stop"},
        "type": "commercial",
        "ends_at": None,
        "paid_until": None,
        "period_days": None,
    }
    if said["kind"] == "commercial":
        licence = thing(raw.get("licence"))
        said["period_days"] = whole(licence.get("period_days"), 1)
        said["state"], said["since"] = read_state(licence, ("active", "blocked"))
        return said
    claims = thing(raw.get("subscription"))
    said["state"], said["since"] = read_state(
        claims, ("active", "paused", "soft_cancelled", "hard_cancelled", "blocked")
    )
    term = thing(claims.get("term"))
    need(term.get("type") in ("limited", "unlimited"))
    said["type"] = term["type"]
    said["ends_at"] = optional(moment, term.get("ends_at"))
    said["paid_until"] = optional(moment, term.get("paid_until"))
    if said["type"] == "limited":
        need(said["ends_at"] is not None and said["paid_until"] is None)
    else:
        need(said["ends_at"] is None)
    said["grace_days"] = optional(whole, claims.get("grace_days"), 0, 0)
    said["auto_renew"] = optional(flag, claims.get("auto_renew"), False)
    if said["state"] == "soft_cancelled":
        need(said["type"] == "limited" and not said["auto_renew"])
    after = optional(thing, claims.get("after_grace"), {})
    said["after_grace"] = {
        "database_updates": optional(trickle, after.get("database_updates"), "stop", "per_day"),
        "ksn": optional(trickle, after.get("ksn"), "stop", "per_minute"),
    }
    return said


# --- one key at one instant ----------------------------------------------------------------------------------------


class World:
    def __init__(self, scenario):
        settings = scenario.get("settings") or {}
        self.reminders = set(settings.get("reminder_days", [30, 14, 7, 3, 1]))
        self.grace_reminders = set(settings.get("grace_reminder_days", [7, 3, 1]))
        self.paid_reminders = set(settings.get("paid_reminder_days", [3, 1]))
        self.expiring_days = settings.get("expiring_status_days", 7)
        self.promote_on_lapse = settings.get("promote_reserve_on_lapse", False)
        self.product = version(scenario["product_version"])
        self.held = {"active": None, "reserve": None}  # role -> document
        self.added = {}  # key id -> when it was added, the last time
        self.first_active = {}  # key id of a commercial key -> when it first became active; never forgotten
        self.told_expired = set()  # (key id, end date)
        self.told_marks = set()  # (event, key id, deadline, days)
        self.highest = {}  # key id -> the highest revision that was held here; never forgotten
        self.devices = 0
        self.told = {
            "phase": ("not_activated", None),
            "permits": {"database_updates": "stopped", "ksn": "stopped"},
            "level": "none",
            "status": "critical",
        }

    def end(self, document):
        """The end date of a limited subscription or of a commercial key that became active."""
        if document["kind"] == "commercial":
            if document["id"] not in self.first_active:
                return NEVER
            return self.first_active[document["id"]] + document["period_days"] * DAY
        return NEVER if document["ends_at"] is None else document["ends_at"]

    def withdrawn(self, document):
        """When the key is hard-cancelled or blocked."""
        return document["since"] if document["state"] in ("hard_cancelled", "blocked") else NEVER

    def grace_start(self, document):
        """The earliest of end, pause and unpaid date, with its cause; ties in that order."""
        pause = document["since"] if document["state"] == "paused" else NEVER
        unpaid = NEVER if document["paid_until"] is None else document["paid_until"]
        return min(
            ((self.end(document), 0, "ended"), (pause, 1, "paused"), (unpaid, 2, "unpaid")),
            key=lambda each: each[:2],
        )

    def grace_end(self, document):
        return self.grace_start(document)[0] + document["grace_days"] * DAY

    def phase(self, document, now):
        if document is None:
            return "not_activated", None
        if self.withdrawn(document) <= now:
            return "restricted", {"blocked": "blocked", "hard_cancelled": "cancelled"}[document["state"]]
        if document["kind"] == "commercial":
            return ("active", None) if now < self.end(document) else ("restricted", "expired")
        start, _, cause = self.grace_start(document)
        if now < start:
            return "active", None
        if now < self.grace_end(document):
            return "grace", cause
        return "restricted", "grace_over" if document["grace_days"] > 0 else "not_granted"

    def restricted_at(self, document):
        lapse = self.end(document) if document["kind"] == "commercial" else self.grace_end(document)
        return min(lapse, self.withdrawn(document))

    def lapse_cause(self, document, now):
        """What started the grace of a key that is restricted for want of renewal."""
        if self.phase(document, now)[1] in ("grace_over", "not_granted"):
            return self.grace_start(document)[2]
        return None

    def known_end(self, document):
        """What a key in its term comes to, and why; NEVER where nothing is known. Ties in the order of the list."""
        state, since, graceless = document["state"], document["since"], document["grace_days"] == 0
        ends = [
            (since if state == "blocked" else NEVER, "blocked"),
            (since if state == "hard_cancelled" else NEVER, "cancelled"),
            (self.end(document), "ended"),
            (since if state == "paused" and graceless else NEVER, "paused"),
            (document["paid_until"] if document["paid_until"] is not None and graceless else NEVER, "unpaid"),
        ]
        earliest = min(at for at, _ in ends)
        return earliest, next(why for at, why in ends if at == earliest)

    def reminders_for(self, why):
        return self.paid_reminders if why == "unpaid" else self.reminders

    def expiring_from(self, document):
        """From when a key in its term has the reason `expiring`."""
        end, why = self.known_end(document)
        if why == "ended" and document["auto_renew"]:
            return NEVER
        if why == "unpaid":
            return end - max(self.paid_reminders) * DAY if self.paid_reminders else NEVER
        return end - self.expiring_days * DAY if self.expiring_days > 0 else NEVER

    def permits(self, now):
        document = self.held["active"]
        phase, cause = self.phase(document, now)
        if phase in ("active", "grace"):
            return {"database_updates": "full", "ksn": "full"}
        if cause in ("grace_over", "not_granted"):
            return {
                resource: "stopped" if rule == "stop" else "limited"
                for resource, rule in document["after_grace"].items()
            }
        return {"database_updates": "stopped", "ksn": "stopped"}

    def level(self):
        document = self.held["active"]
        if document is None or document["devices"] is None:
            return "none"
        for percent in (110, 100, 90):
            if self.devices * 100 > document["devices"] * percent:
                return f"over_{percent}"
        return "none"

    def device_status(self, now):
        document = self.held["active"]
        phase, _ = self.phase(document, now)
        critical, warning = set(), set()
        if phase in ("not_activated", "restricted"):
            critical.add(phase)
        if phase == "grace":
            warning.add("grace")
        if self.level() == "over_110":
            critical.add("devices_over_110")
        if self.level() == "over_100":
            warning.add("devices_over_100")
        if document is not None:
            end = self.end(document)
            if end <= now and not self.withdrawn(document) <= end:
                critical.add("expired")
            if phase == "active" and self.expiring_from(document) <= now:
                warning.add("expiring")
            if self.too_new(document):
                warning.add("product_version_too_old")
        status = "critical" if critical else "warning" if warning else "ok"
        return status, sorted(critical | warning)

    def too_new(self, document):
        return document["min_product_version"] is not None and document["min_product_version"] > self.product

    # --- a look: what has time done? -----------------------------------------------------------------------------

    def takeover(self):
        """When the reserve takes over, and why; None where nothing says so."""
        active, reserve = self.held["active"], self.held["reserve"]
        if active is None or reserve is None:
            return None
        reasons = [
            (self.withdrawn(active), 0 if active["state"] == "hard_cancelled" else 1,
             "cancelled" if active["state"] == "hard_cancelled" else "blocked"),
            (self.end(active), 2, "ended"),
            (self.restricted_at(active) if self.promote_on_lapse else NEVER, 3, "lapsed"),
        ]
        at, _, why = min(reasons)
        if at == NEVER:
            return None
        at = max(at, self.added[reserve["id"]], self.added[active["id"]])
        return (at, why) if self.could_work(reserve, at) else None

    def could_work(self, document, at):
        return self.withdrawn(document) > at and self.end(document) > at

    def apply_reserve(self, events, replaced, at, why, now):
        reserve = self.held["reserve"]
        self.held = {"active": reserve, "reserve": None}
        self.first_active.setdefault(reserve["id"], at)
        self.taken_over = at
        event = {"type": "key.reserve_applied", "severity": 1, "key": reserve["id"], "replaced": replaced, "why": why,
                 "effective_at": self.earlier(at, now)}
        events.append(event)

    def since(self, now, part):
        """Since when a part of what is shown is as it is at `now`, as far back as the take-over at most."""
        start = self.taken_over
        turns = sorted(each for each in self.could_change() if each <= now and (start is None or each > start))
        for turn in reversed(turns):
            before = turn - 1 if start is None else max(turn - 1, start)
            if part(before) != part(now):
                return turn
        return start

    def changed(self, events, event, now, part):
        """Tells a change of what is shown; where an input made it, since when is left open."""
        if self.time_alone:
            event["effective_at"] = self.earlier(self.since(now, part), now)
        events.append(event)

    @staticmethod
    def earlier(at, now):
        return text(at) if at is not None and at < now else None

    def look(self, now, events, time_alone=True):
        """Tells what changed. Where `effective_at` is in an event, null means now."""
        self.taken_over = None
        self.time_alone = time_alone
        takeover = self.takeover()
        if takeover is not None and takeover[0] <= now:
            self.apply_reserve(events, self.held["active"]["id"], *takeover, now)

        document = self.held["active"]
        key = None if document is None else document["id"]

        if document is not None:
            end = self.end(document)
            if end <= now and not self.withdrawn(document) <= end and (key, end) not in self.told_expired:
                self.told_expired.add((key, end))
                name = "licence" if document["kind"] == "commercial" else "subscription"
                events.append({"type": f"{name}.expired", "severity": 4, "key": key,
                               "effective_at": self.earlier(end, now)})

        before = self.told["phase"]
        phase, cause = self.phase(document, now)
        if (phase, cause) != before:
            severity = {"active": 1, "grace": 2}.get(phase, 4)
            event = {"type": "subscription.status_changed", "severity": severity, "from": before[0], "to": phase,
                     "cause": cause, "lapse_cause": self.lapse_cause(document, now)}
            if document is not None:
                event["ends_at"] = text(self.end(document))
                if phase == "grace":
                    event["grace_ends_at"] = text(self.grace_end(document))
            self.changed(events, event, now, lambda at: self.phase(self.held["active"], at))
        self.told["phase"] = (phase, cause)

        if phase == "active":
            deadline, why = self.known_end(document)
            severity = 1 if document["auto_renew"] and why == "ended" else 2
            fields = {"why": why, "ends_at": text(deadline)}
            self.remind(events, "subscription.expiring", severity, deadline, self.reminders_for(why), now, True,
                        fields)
        if phase == "grace":
            tell = before[0] == "grace"
            deadline = self.grace_end(document)
            self.remind(events, "subscription.grace_ending", 2, deadline, self.grace_reminders, now, tell, {})

        permits = self.permits(now)
        for resource in ("database_updates", "ksn"):
            if permits[resource] != self.told["permits"][resource]:
                severity = 1 if permits[resource] == "full" else 4
                event = {"type": "enforcement.changed", "severity": severity, "resource": resource,
                         "from": self.told["permits"][resource], "to": permits[resource]}
                self.changed(events, event, now, lambda at: self.permits(at)[resource])
        self.told["permits"] = permits

        level = self.level()
        if level != self.told["level"]:
            severity = {"over_100": 2, "over_110": 4}.get(level, 1)
            events.append({"type": "devices.limit", "severity": severity, "from": self.told["level"], "to": level})
        self.told["level"] = level

        status, _ = self.device_status(now)
        if status != self.told["status"]:
            severity = {"ok": 1, "warning": 2, "critical": 4}[status]
            event = {"type": "device.status_changed", "severity": severity, "from": self.told["status"], "to": status}
            self.changed(events, event, now, lambda at: self.device_status(at)[0])
        self.told["status"] = status

    def remind(self, events, name, severity, deadline, days, now, tell, fields):
        key = self.held["active"]["id"]
        if deadline == NEVER:
            return
        reached = [each for each in days if deadline - each * DAY <= now]
        # A mark counts as told where a nearer one of the same deadline was: one deadline may have had two lists.
        nearest = min((each[3] for each in self.told_marks if each[:3] == (name, key, deadline)), default=NEVER)
        if reached and tell and min(reached) < nearest:
            left = -((now - deadline) // DAY)
            events.append({"type": name, "severity": severity, "key": key, "days_left": left, **fields})
        self.told_marks |= {(name, key, deadline, each) for each in reached}

    def could_change(self):
        """Every instant at which anything about the keys held could change."""
        instants = set()
        document = self.held["active"]
        if document is not None:
            end, grace_end = self.end(document), self.grace_end(document)
            instants |= {end, grace_end, self.grace_start(document)[0], self.withdrawn(document)}
            known_end, why = self.known_end(document)
            instants |= {known_end - days * DAY for days in self.reminders_for(why)} | {self.expiring_from(document)}
            instants |= {grace_end - days * DAY for days in self.grace_reminders}
            takeover = self.takeover()
            if takeover is not None:
                instants.add(takeover[0])
        return instants

    # --- the steps ----------------------------------------------------------------------------------------------

    def step(self, step, now):
        """The events of one step, and of what time makes of it at the same instant."""
        events = []
        do = step["do"]
        try:
            if do == "activate":
                self.activate(events, step.get("document"), now)
            elif do == "publish":
                self.publish(events, step.get("document"), now)
            elif do == "add_reserve":
                self.add_reserve(events, step.get("document"), now)
            elif do == "remove_key":
                self.remove(events, step.get("key"), now)
            elif do == "protected_devices":
                self.devices = step["count"]
        except Refused as refused:
            name = "documents.rejected" if do == "publish" else "key.rejected"
            events.append({"type": name, "severity": 3, "code": refused.code})
        self.look(now, events, time_alone=do == "power_on")
        return events

    def read(self, raw):
        try:
            document = read_document(raw)
        except Nonsense:
            raise Refused("invalid_document") from None
        for held in self.held.values():
            if held is not None and held["id"] == document["id"] and held["kind"] != document["kind"]:
                raise Refused("invalid_document")
        return document

    def not_older(self, document):
        """A key that is not held but was: no revision below the highest that was held."""
        held = any(self.holds(role, document["id"]) for role in self.held)
        if not held and document["rev"] < self.highest.get(document["id"], 0):
            raise Refused("older_revision")

    def holds(self, role, key):
        return self.held[role] is not None and self.held[role]["id"] == key

    def add(self, events, role, document, now):
        self.held[role] = document
        self.remember(document)
        self.added[document["id"]] = now
        events.append({"type": "key.added", "severity": 1, "key": document["id"], "role": role})
        if role == "active" and document["kind"] == "commercial":
            self.first_active.setdefault(document["id"], now)

    def remember(self, document):
        self.highest[document["id"]] = max(document["rev"], self.highest.get(document["id"], 0))

    def drop(self, events, role, why):
        key = self.held[role]["id"]
        self.held[role] = None
        events.append({"type": "key.removed", "severity": 1, "key": key, "role": role, "why": why})

    def activate(self, events, raw, now):
        document = self.read(raw)
        if self.holds("active", document["id"]):
            self.revise(events, document, now)
            return
        if self.too_new(document):
            raise Refused("product_version_too_old")
        if self.holds("reserve", document["id"]):
            raise Refused("key_already_held")
        self.not_older(document)
        active = self.held["active"]
        if active is not None:
            over = (
                self.end(active) <= now
                or self.withdrawn(active) <= now
                or self.phase(active, now)[0] == "restricted"
            )
            if not over:
                raise Refused("active_key_still_valid")
            self.drop(events, "active", "replaced")
        self.add(events, "active", document, now)

    def publish(self, events, raw, now):
        document = self.read(raw)
        if not self.holds("active", document["id"]):
            raise Refused("unknown_key")
        self.revise(events, document, now)

    def add_reserve(self, events, raw, now):
        document = self.read(raw)
        if self.too_new(document):
            raise Refused("product_version_too_old")
        self.not_older(document)
        if document["kind"] == "subscription":
            raise Refused("subscription_key_cannot_be_reserve")
        if self.held["active"] is None:
            raise Refused("no_active_key")
        if self.holds("active", document["id"]):
            raise Refused("key_already_held")
        if self.held["reserve"] is not None:
            raise Refused("reserve_key_exists")
        self.add(events, "reserve", document, now)

    def remove(self, events, key, now):
        for role in ("active", "reserve"):
            if self.holds(role, key):
                self.drop(events, role, "removed")
                reserve = self.held["reserve"]
                if role == "active" and reserve is not None and self.could_work(reserve, now):
                    self.apply_reserve(events, key, now, "removed", now)
                return
        raise Refused("unknown_key")

    def revise(self, events, new, now):
        old = self.held["active"]
        if new["rev"] < old["rev"]:
            raise Refused("older_revision")
        if new["rev"] == old["rev"]:
            return
        self.held["active"] = new
        self.remember(new)
        key = new["id"]
        severity = 1
        fields = [
            name
            for name in ("grace_days", "auto_renew", "after_grace", "devices", "min_product_version")
            if new[name] != old[name]
        ]
        terms = [[each[name] for name in ("type", "ends_at", "paid_until", "period_days")] for each in (old, new)]
        if terms[0] != terms[1]:
            date = "ends_at" if new["type"] == "limited" else "paid_until"
            renewed = (
                new["type"] == old["type"]
                and old[date] is not None
                and new[date] is not None
                and new[date] > old[date]
            )
            if renewed:
                events.append({"type": "subscription.renewed", "severity": 1, "key": key, "from": text(old[date]),
                               "to": text(new[date])})
            else:
                fields.append("term")
        if self.state_changed(old, new) and not self.follows(now):
            fields.append("state")
            severity = 1 if new["state"] == "active" else 2
        if fields:
            events.append({"type": "subscription.parameters_changed", "severity": severity, "key": key,
                           "fields": sorted(fields)})

    @staticmethod
    def state_changed(old, new):
        """Whether a revision changes what the vendor does to the key."""
        return new["state"] != old["state"] or (new["state"] != "active" and new["since"] != old["since"])

    def follows(self, now):
        """Whether the step tells a take-over or a change of status, which then tells the vendor's state."""
        takeover = self.takeover()
        return (takeover is not None and takeover[0] <= now) or (
            self.phase(self.held["active"], now) != self.told["phase"]
        )


class Play:
    """A scenario, step by step, with the rows so far."""

    def __init__(self, scenario):
        self.world = World(scenario)
        self.now = instant(scenario["start"])
        self.powered = True
        self.rows = []
        self.row([])

    def row(self, events):
        world = self.world
        phase, cause = world.phase(world.held["active"], self.now)
        status, reasons = world.device_status(self.now)
        shown = {
            "phase": phase,
            "cause": cause,
            "lapse_cause": world.lapse_cause(world.held["active"], self.now),
            "key": None if world.held["active"] is None else world.held["active"]["id"],
            "device_status": status,
            "reasons": reasons,
            **world.permits(self.now),
        }
        if not self.rows or events or any(self.rows[-1][name] != value for name, value in shown.items()):
            self.rows.append({"at": text(self.now), **shown, "events": events})

    def until(self, at):
        """Lets time pass, with a look at every instant at which anything could change."""
        while self.powered:
            due = [each for each in self.world.could_change() if self.now < each <= at]
            if not due:
                break
            self.now = min(due)
            events = []
            self.world.look(self.now, events)
            self.row(events)
        self.now = at

    def step(self, step):
        self.until(instant(step["at"]))
        self.powered = step["do"] != "power_off"
        if self.powered:
            self.row(self.world.step(step, self.now))


def timeline(scenario):
    play = Play(scenario)
    for step in scenario["steps"]:
        if instant(step["at"]) > instant(scenario["end"]):
            break
        play.step(step)
    play.until(instant(scenario["end"]))
    return play.rows


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        scenario = json.load(file)
    for row in timeline(scenario):
        print(json.dumps(row))


if __name__ == "__main__":
    main()
