"""Random scenarios through `svm-agent simulate` and through the oracle: both must tell the same.

    python3 fuzz.py --agent target/debug/svm-agent [--seed N] [--count N] [--keep-going] [--cases tests/cases]

The seed is printed; a difference is shown with the smallest scenario that still has it, and ends with 1.
"""

import argparse
import copy
import json
import os
import random
import subprocess
import sys
import tempfile

import oracle

HOUR = 3600
START = oracle.instant("2026-01-01T00:00:00Z")
SUBSCRIPTIONS = ("SUB-1", "SUB-2", "SUB-3")
LICENCES = ("COM-1", "COM-2", "COM-3")

# --- making scenarios ----------------------------------------------------------------------------------------------


class Maker:
    """Makes scenarios that are likely to be interesting: few keys, few instants, most of them coinciding."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.documents = {}  # key id -> the newest document made
        self.span = self.random.choice((30, 60, 60, 120))  # days
        self.grain = self.random.choice((24, 24, 24, 12, 1)) * HOUR
        self.instants = []

    def chance(self, probability):
        return self.random.random() < probability

    def instant(self, least=-10, most=None):
        """An instant, often one that was used before or one that lies some days from it."""
        if self.instants and self.chance(0.35):
            at = self.random.choice(self.instants) + self.random.choice((0, 0, 1, 2, 3, 7, -1, -3)) * oracle.DAY
        else:
            most = self.span if most is None else most
            at = START + self.random.randrange(least * oracle.DAY, most * oracle.DAY, self.grain)
        if self.chance(0.03):
            at += self.random.choice((1, -1, 1800))
        self.instants.append(at)
        if self.chance(0.02):
            return oracle.text(at + 3 * HOUR).replace("Z", "+03:00")
        return oracle.text(at)

    def state(self, claims, names):
        claims["state"] = self.random.choice(names)
        # Often announced for later.
        claims["state_since"] = self.instant(self.span // 3) if self.chance(0.3) else self.instant()
        if self.chance(0.04):
            del claims["state"]

    def subscription(self):
        claims = {}
        self.state(claims, ("active",) * 5 + ("paused", "paused", "hard_cancelled", "blocked", "soft_cancelled"))
        if self.chance(0.04):
            del claims["state_since"]
            claims.pop("state", None)
        if claims.get("state") == "soft_cancelled" or self.chance(0.65):
            claims["term"] = {"type": "limited", "ends_at": self.instant(-10, self.span + 10)}
        else:
            claims["term"] = {"type": "unlimited"}
            if self.chance(0.75):
                claims["term"]["paid_until"] = self.instant(self.span // 3) if self.chance(0.5) else self.instant()
        if claims["term"]["type"] == "unlimited" and self.chance(0.4):
            claims["grace_days"] = 0
        elif self.chance(0.85):
            claims["grace_days"] = self.random.choice((0, 0, 1, 2, 3, 5, 7, 8, 10, 14, 30))
        if self.chance(0.6):
            claims["auto_renew"] = claims.get("state") != "soft_cancelled" and self.chance(0.3)
        if self.chance(0.3):
            claims["after_grace"] = self.after_grace()
        return claims

    def after_grace(self):
        rules = {}
        if self.chance(0.7):
            rules["database_updates"] = self.random.choice(("stop", {"per_day": 1}, {"per_day": 4}))
        if self.chance(0.7):
            rules["ksn"] = self.random.choice(("stop", {"per_minute": 30}, {"per_minute": 1}))
        return rules

    def licence(self):
        claims = {"period_days": self.random.choice((1, 2, 3, 7, 8, 10, 14, 30, 31, 40, 90))}
        if self.chance(0.25):
            self.state(claims, ("active", "blocked", "blocked"))
        return claims

    def document(self, key):
        kind = "subscription" if key.startswith("SUB") else "commercial"
        document = {"rev": self.random.choice((1, 1, 1, 2, 5)), "key": {"id": key, "kind": kind}}
        if kind == "subscription":
            document["subscription"] = self.subscription()
        else:
            document["licence"] = self.licence()
        if self.chance(0.6):
            document["devices"] = self.random.choice((10, 50, 100, 101))
        if self.chance(0.12):
            document["min_product_version"] = self.random.choice(("6.1", "6.1.0", "6.1.0.0", "6.2", "6.10", "5"))
        return document

    def revision(self, key):
        """A revision of the newest document of a key, mostly with one or two things changed."""
        held = self.documents.get(key)
        if held is None:
            return self.document(key)
        document = copy.deepcopy(held)
        rev = document["rev"]
        document["rev"] = max(1, rev + self.random.choice((1, 1, 1, 1, 1, 2, 3, 0, -1)))
        fresh = self.document(key)
        body = "subscription" if "subscription" in document else "licence"
        for _ in range(self.random.choice((1, 1, 2, 3))):
            parts = ("state", "state", "since", "back", "term", "term", "body", "devices", "version", "all")
            part = self.random.choice(parts)
            if part == "since":
                # The same state from another instant on.
                self.take(document[body], {"state_since": self.instant()}, ("state_since",))
            elif part == "back":
                # What was announced or done is taken back.
                self.take(document[body], {"state": "active", "state_since": self.instant()}, ("state", "state_since"))
            elif part == "all":
                document[body] = copy.deepcopy(fresh[body])
            elif part == "devices":
                self.take(document, fresh, ("devices",))
            elif part == "version":
                self.take(document, fresh, ("min_product_version",))
            elif part == "state":
                self.take(document[body], fresh[body], ("state", "state_since"))
            elif part == "term":
                self.take(document[body], fresh[body], ("term", "period_days"))
            else:
                names = ("grace_days", "auto_renew", "after_grace")
                self.take(document[body], fresh[body], (self.random.choice(names),))
        claims = document[body]
        if claims.get("state") == "soft_cancelled" and self.chance(0.9):
            claims.pop("auto_renew", None)
            if claims["term"]["type"] == "unlimited":
                claims["state"] = "paused"
        return document

    @staticmethod
    def take(into, source, names):
        for name in names:
            into.pop(name, None)
            if name in source:
                into[name] = source[name]

    def nonsense(self, document):
        """A document that makes no sense, or nearly so."""
        document = copy.deepcopy(document)
        body = document.get("subscription") or document["licence"]
        term = body.get("term", {})
        changes = [
            lambda: document.pop("rev"),
            lambda: document.update(rev=self.random.choice((0, -1, 1.5, "1", None, True))),
            lambda: document.update(devices=self.random.choice((0, -5, 2.5, "many", None))),
            lambda: document.pop("key"),
            lambda: document["key"].update(kind=self.random.choice(("trial", "Subscription", None, 1))),
            lambda: document["key"].update(id=self.random.choice(("", None, 7))),
            lambda: document.update(min_product_version=self.random.choice(("six", "", "6.", 6, None))),
            lambda: document.pop("subscription", None) or document.pop("licence", None),
            lambda: body.update(state=self.random.choice(("sleeping", "soft_cancelled", "", None, "expired"))),
            lambda: body.pop("state_since", None),
            lambda: body.update(state_since=self.random.choice(("yesterday", None, 5))),
            lambda: body.update(period_days=self.random.choice((0, -1, None, "7"))),
            lambda: body.update(grace_days=self.random.choice((-1, None, 0.5, "7"))),
            lambda: body.update(auto_renew=self.random.choice((True, None, "yes", 1))),
            lambda: body.update(after_grace=self.random.choice((
                {"database_updates": {"per_day": 0}}, {"database_updates": {"per_minute": 1}},
                {"ksn": {"per_day": 1}}, {"ksn": {"per_minute": -1}}, {"ksn": "go"}, {"ksn": {}}, "stop", None,
                {"ksn": {"per_minute": 1, "per_day": 1}}, {"ksn": None}, {},
            ))),
            lambda: body.pop("term", None),
            lambda: term.pop("ends_at", None),
            lambda: term.update(paid_until=self.instant()),
            lambda: term.update(ends_at=self.random.choice((self.instant(), None, "2026-13-01T00:00:00Z"))),
            lambda: term.update(type=self.random.choice(("limited", "unlimited", "endless", None))),
            lambda: document.update(colour="red"),
        ]
        self.random.choice(changes)()
        if self.chance(0.05):
            return self.random.choice((None, 7, "document", [], {}))
        return document

    def other_kind(self, key):
        """A document for a key that calls it one of the other kind."""
        document = self.document(self.random.choice(LICENCES if key.startswith("SUB") else SUBSCRIPTIONS))
        document["key"]["id"] = key
        return document

    def offered(self, keys, revise):
        key = self.random.choice(keys)
        if self.chance(0.03):
            return self.other_kind(key)
        known = self.documents.get(key)
        if revise or (known is not None and self.chance(0.3)):
            document = self.revision(key)
        elif known is not None and self.chance(0.5):
            document = copy.deepcopy(known)
        else:
            document = self.document(key)
        if self.chance(0.06):
            return self.nonsense(document)
        self.documents[key] = document
        return document

    def scenario(self):
        self.documents = {}
        if self.chance(0.5):
            held = [SUBSCRIPTIONS[0], LICENCES[0]]
        else:
            held = [*SUBSCRIPTIONS[: self.random.randint(1, 3)], *LICENCES[: self.random.randint(0, 3)]]
        count = self.random.choice((3, 5, 8, 12, 20))
        times = sorted(oracle.instant(self.instant(0)) for _ in range(count))
        times = [max(START, each) for each in times]
        scenario = {
            "product_version": self.random.choice(("6.1.0", "6.1", "6.2.0")),
            "start": oracle.text(START),
            "end": oracle.text(START + self.random.choice((self.span, self.span + 60, self.span // 2)) * oracle.DAY),
            "settings": self.settings(),
            "steps": [],
        }
        play = oracle.Play(scenario)  # to know which key is active, so that most revisions are for that one
        for at in times:
            step = {"at": oracle.text(at), **self.step(play, held)}
            scenario["steps"].append(step)
            play.step(step)
        return scenario

    def step(self, play, held):
        if not play.powered:
            return {"do": "power_on"}
        active, reserve = (play.world.held[role] for role in ("active", "reserve"))
        weights = {
            "activate": 40 if active is None else 3,
            "publish": 2 if active is None else 9,
            "add_reserve": 0.5 if active is None or reserve is not None else 5,
            "remove_key": 1.5,
            "protected_devices": 1.5,
            "power_off": 3,
        }
        do = self.random.choices(list(weights), list(weights.values()))[0]
        step = {"do": do}
        if do == "activate":
            free = [key for key in held if reserve is None or key != reserve["id"] or self.chance(0.1)]
            preferred = [key for key in free if key.startswith("SUB")]
            step["document"] = self.offered((preferred if self.chance(0.6) else free) or held, False)
        elif do == "publish":
            step["document"] = self.offered([active["id"]] if active and self.chance(0.9) else held, True)
        elif do == "add_reserve":
            free = [key for key in LICENCES if active is None or key != active["id"]]
            step["document"] = self.offered(free if self.chance(0.9) else held, False)
        elif do == "remove_key":
            step["key"] = self.random.choice(held + ["NONE"] * (1 if self.chance(0.1) else 0))
        elif do == "protected_devices":
            step["count"] = self.random.choice((0, 9, 45, 46, 50, 55, 56, 90, 91, 100, 101, 110, 111, 112, 500))
        return step

    def settings(self):
        settings = {}
        if self.chance(0.25):
            settings["reminder_days"] = self.random.sample(range(1, 40), self.random.randint(0, 4))
        if self.chance(0.25):
            settings["grace_reminder_days"] = self.random.sample(range(1, 16), self.random.randint(0, 3))
        if self.chance(0.25):
            settings["paid_reminder_days"] = self.random.sample(range(1, 20), self.random.randint(0, 3))
        if self.chance(0.2):
            settings["expiring_status_days"] = self.random.choice((0, 1, 3, 14, 30, 31))
        if self.chance(0.4):
            settings["promote_reserve_on_lapse"] = self.chance(0.8)
        return settings


# --- comparing ---------------------------------------------------------------------------------------------------


def simulate(agent, path, scenario):
    with open(path, "w", encoding="utf-8") as file:
        json.dump(scenario, file)
    done = subprocess.run([agent, "simulate", path], capture_output=True, text=True, timeout=60, check=False)
    if done.returncode != 0:
        return f"exit code {done.returncode}: {done.stderr.strip()}"
    return [json.loads(line) for line in done.stdout.splitlines()]


def same_event(expected, found):
    return all(found.get(name) == value for name, value in expected.items())


def same_row(expected, found):
    return all(found.get(name) == value for name, value in expected.items() if name != "events") and (
        len(expected["events"]) == len(found["events"])
        and all(same_event(e, f) for e, f in zip(expected["events"], found["events"]))
    )


def difference(agent, path, scenario):
    """The first row that differs, as the two sides tell it; None where there is none."""
    expected, found = oracle.timeline(scenario), simulate(agent, path, scenario)
    if isinstance(found, str):
        return None, found
    for index in range(max(len(expected), len(found))):
        e = expected[index] if index < len(expected) else None
        f = found[index] if index < len(found) else None
        if e is None or f is None or not same_row(e, f):
            return e, f
    return None


def smaller(scenario):
    """The scenario with one thing less, in every way."""
    for index, step in enumerate(scenario["steps"]):
        rest = copy.deepcopy(scenario)
        del rest["steps"][index]
        if step["do"] == "power_off" and index < len(rest["steps"]):
            del rest["steps"][index]
        elif step["do"] == "power_on":
            continue
        yield rest
    for name in scenario["settings"]:
        rest = copy.deepcopy(scenario)
        del rest["settings"][name]
        yield rest
    for index, step in enumerate(scenario["steps"]):
        if not isinstance(step.get("document"), dict):
            continue
        for path in (("devices",), ("min_product_version",), ("subscription", "after_grace"),
                     ("subscription", "auto_renew"), ("subscription", "grace_days"), ("subscription", "state")):
            rest = copy.deepcopy(scenario)
            claims = rest["steps"][index]["document"]
            for name in path[:-1]:
                claims = claims.get(name) if isinstance(claims, dict) else None
            if isinstance(claims, dict) and path[-1] in claims:
                del claims[path[-1]]
                yield rest


def shrink(agent, path, scenario):
    shrunk = True
    while shrunk:
        shrunk = False
        for rest in smaller(scenario):
            if difference(agent, path, rest) is not None:
                scenario, shrunk = rest, True
                break
    return scenario


def show(agent, path, scenario):
    scenario = shrink(agent, path, scenario)
    expected, found = difference(agent, path, scenario)
    for name in ("product_version", "start", "end", "settings"):
        print(f"  {name}: {json.dumps(scenario[name])}")
    for step in scenario["steps"]:
        print(f"  step {json.dumps(step)}")
    for side, row in (("oracle", expected), ("agent", found)):
        if not isinstance(row, dict):
            print(f"  {side}: {row}")
            continue
        print(f"  {side}: {json.dumps({name: value for name, value in row.items() if name != 'events'})}")
        for event in row["events"]:
            print(f"      {json.dumps(event)}")


def cases_agree(folder):
    """Whether the oracle gives the timeline of every case."""
    for name in sorted(os.listdir(folder)):
        with open(os.path.join(folder, name), encoding="utf-8") as file:
            case = json.load(file)
        rows = oracle.timeline(case)
        if len(rows) != len(case["expect"]) or not all(map(same_row, case["expect"], rows)):
            print(f"the oracle disagrees with {name}: {json.dumps(rows)}")
            return False
    return True


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--agent", required=True)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--keep-going", action="store_true", help="show every difference, not only the first")
    parser.add_argument("--cases", help="a folder of scenarios with `expect`, for the oracle itself")
    options = parser.parse_args()
    if options.cases and not cases_agree(options.cases):
        return 1
    print(f"seed {options.seed}, {options.count} scenarios", flush=True)
    differences, rows, told = 0, 0, {}
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "scenario.json")
        for number in range(options.count):
            scenario = Maker(f"{options.seed}/{number}").scenario()
            if difference(options.agent, path, scenario) is not None:
                differences += 1
                print(f"scenario {number} differs:")
                show(options.agent, path, scenario)
                if not options.keep_going:
                    return 1
            for row in oracle.timeline(scenario):
                rows += 1
                for event in row["events"]:
                    name = event["type"] + (f" {event['code']}" if "code" in event else "")
                    told[name] = told.get(name, 0) + 1
    print(f"{differences} differences in {options.count} scenarios with {rows} rows; told: {json.dumps(told)}")
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
