//! Power that fails: whatever of the unsynced the disk lost, nothing that the store answered is missing.
//!
//! A killed program shows no missing sync, for what it wrote is in the kernel's memory and stays. So the store runs
//! under strace; what it wrote, synced and renamed is done again on a disk that keeps only what was synced
//! (`disk.rs`), and from many instants of that the real store is opened and compared with a simple one (`model.rs`).

mod dice;
mod disk;
mod model;
mod store;
mod trace;

use crate::support::have;
use dice::Dice;
use disk::{Disk, Effect, Fate, Image};
use model::{History, Stored};
use std::path::Path;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use store::{Mark, Orders, Step};

/// Says to the program under strace what it is to do.
const ORDERS: &str = "SVM_TEST_CRASH_ORDERS";

const ID: &str = "the id";

const RECOVERY: &str = "recovery.json";

/// Each history goes through so many crashes: the next begins with what one of them left.
const LIVES: usize = 2;

const STEPS: usize = 50;

/// Instants that are tried beside those right after an answer, about, in each life.
const INSTANTS: usize = 120;

#[test]
#[ignore = "the program that runs under strace; the other test starts it"]
fn program() {
    if let Ok(orders) = std::env::var(ORDERS) {
        store::wait_for(store::work(serde_json::from_str(&orders).unwrap()));
    }
}

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}

#[test]
fn power_fails_at_any_instant_and_nothing_that_was_answered_is_lost() {
    if !have("strace", "strace") {
        return;
    }
    let first = setting("SVM_TEST_CRASH_SEED", 1);
    let seeds = first..first + setting("SVM_TEST_CRASHES", 8);
    let (next, crashes) = (AtomicU64::new(first), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        let histories = || {
            while let Some(seed) = Some(next.fetch_add(1, Relaxed)).filter(|seed| seeds.contains(seed)) {
                crashes.fetch_add(history(seed), Relaxed);
            }
        };
        scope.spawn(histories);
        scope.spawn(histories);
    });
    println!("{} histories, {} crashes", seeds.end - seeds.start, crashes.into_inner());
}

/// A folder in memory where there is one: nothing here needs a real disk.
fn folder() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    tempfile::tempdir_in(memory).or_else(|_| tempfile::tempdir()).unwrap()
}

fn put(image: &Image) -> tempfile::TempDir {
    let folder = folder();
    for (name, bytes) in image {
        std::fs::write(folder.path().join(name), bytes).unwrap();
    }
    folder
}

/// Runs the program over an image; gives the trace, the disk to replay it on, and what must be there in the end.
fn traced(image: &Image, seed: u64, life: usize) -> (String, Disk, Image) {
    let (around, state) = (tempfile::tempdir().unwrap(), put(image));
    let marks = around.path().join("marks");
    let orders = Orders {
        folder: state.path().to_owned(),
        marks: marks.clone(),
        id: ID.to_owned(),
        seed: seed * 31 + life as u64,
        steps: STEPS,
        // Every fourth writes enough for SQLite to begin its log anew.
        large: if seed.is_multiple_of(4) { 1 } else { 12 },
        first: 1 + 1_000_000 * life as u64,
    };
    let trace = around.path().join("trace");
    let mut command = trace::strace(&trace, &std::env::current_exe().unwrap());
    command.args(["--exact", "crash_model::program", "--ignored", "--test-threads=1"]);
    let output = command.env(ORDERS, serde_json::to_string(&orders).unwrap()).output().unwrap();
    assert!(output.status.success(), "seed {seed}, life {life}: {output:?}");
    let disk = Disk::new(state.path().to_str().unwrap(), marks.to_str().unwrap(), image);
    (std::fs::read_to_string(trace).unwrap(), disk, disk::read(state.path()))
}

/// Tries one history; answers in how many crashes.
fn history(seed: u64) -> usize {
    let (mut image, mut histories) = (Image::new(), vec![History::default()]);
    let mut crashes = 0;
    for life in 0..LIVES {
        let (trace, disk, left) = traced(&image, seed, life);
        let tried = Life { seed, life, disk, histories, last: None, crashes: 0, quiet: 0, survivor: None }
            .replay(&trace);
        let replayed = tried.disk.crash(Fate::Stored, &mut Dice(seed));
        assert!(replayed == left, "seed {seed}, life {life}: the disk is not as the real one");
        crashes += tried.crashes;
        (image, histories) = tried.survivor.unwrap();
        if life == 0 && seed.is_multiple_of(3) {
            // With the crash the database went, too.
            image.retain(|name, _| name == RECOVERY);
            let go_on = |history: History| {
                let (stored, ceiling) = rebuilt(&image[RECOVERY], &history, &mut Dice(seed))?;
                Ok(vec![history.without_database(stored, ceiling)])
            };
            let rebuilt = any(std::mem::take(&mut histories).into_iter().map(go_on));
            histories = rebuilt.unwrap_or_else(|why| panic!("seed {seed}, between lives: {why}"));
            histories.truncate(1);
        }
    }
    crashes
}

struct Life {
    seed: u64,
    life: usize,
    disk: Disk,
    /// Those that explain what was seen: what a crash took back is not always to be seen at once.
    histories: Vec<History>,
    /// What was asked last.
    last: Option<Step>,
    crashes: usize,
    /// Crashes with nothing under way.
    quiet: usize,
    /// One of the images, with the histories that go on from it.
    survivor: Option<(Image, Vec<History>)>,
}

impl Life {
    fn replay(mut self, trace: &str) -> Self {
        let changes = trace::calls(trace).filter(|call| call.name != "close").count();
        let mut dice = Dice(self.seed);
        for call in trace::calls(trace) {
            let fates = [Fate::Lost, Fate::Stored, Fate::Beginning, Fate::Scattered];
            let any_fate = fates[dice.below(fates.len())];
            let try_now: &[Fate] = match self.disk.replay(&call) {
                Effect::Nothing => &[],
                Effect::Changed if dice.below(changes) < INSTANTS => &[any_fate],
                Effect::Changed => &[],
                Effect::Turned if dice.one_in(3) => &[any_fate],
                Effect::Turned => &[],
                Effect::Mark(line) => match serde_json::from_str(&line).unwrap() {
                    Mark::Asked(number, step) => {
                        self.histories.iter_mut().for_each(|history| history.asked(number, step.clone()));
                        self.last = Some(step);
                        &[]
                    }
                    Mark::Answered(number, answer) => {
                        let reported = self.histories.drain(..).map(|mut history| {
                            history.answered(number, &answer)?;
                            Ok(vec![history])
                        });
                        let reported = any(reported).unwrap_or_else(|why| {
                            panic!("seed {}, life {}: without a crash: {why}", self.seed, self.life)
                        });
                        self.histories = reported;
                        &[Fate::Lost, any_fate]
                    }
                },
            };
            for fate in try_now {
                let image = self.disk.crash(*fate, &mut dice);
                let survived = crash(&image, &self.histories, &mut dice).unwrap_or_else(|why| {
                    let Self { seed, life, last, .. } = &self;
                    let command = format!("SVM_TEST_CRASH_SEED={seed} SVM_TEST_CRASHES=1 cargo test --test model crash_model");
                    panic!("{why}\nwith seed {seed}, life {life}, after call {} {call}, unsynced: {fate:?}\nasked last: {last:?}\nagain: {command}", call.number)
                });
                self.crashes += 1;
                if let Some(histories) = survived.filter(|_| self.histories.iter().all(History::is_quiet)) {
                    self.quiet += 1;
                    // Each as likely as the others.
                    if dice.one_in(self.quiet) {
                        self.survivor = Some((image, histories));
                    }
                }
            }
        }
        self
    }
}

/// Opens what a crash left; gives the histories that go on from it, where the store was open before.
fn crash(image: &Image, histories: &[History], dice: &mut Dice) -> Result<Option<Vec<History>>, String> {
    let opened_before = histories.iter().find_map(History::opened);
    if dice.one_in(3) && opened_before.is_some() {
        let file = image.get(RECOVERY).ok_or("the recovery file is missing")?;
        may_be_rebuilt(file, histories, dice)
            .map_err(|why| format!("where the database is lost too: {why}"))?;
    }
    let folder = put(image);
    let step = opened_before.filter(|_| dice.one_in(2)).cloned().unwrap_or_else(|| store::opening(dice));
    let (store, opened) = store::open(folder.path(), &step, ID).map_err(|error| error.to_string())?;
    if let Some(rebuilt) =
        opened.rebuilt.as_ref().filter(|_| !histories.iter().any(History::expects_rebuilding))
    {
        return Err(format!("rebuilt: {rebuilt:?}"));
    }
    if opened.recovery_damaged.is_some() {
        return Err("the recovery file was damaged".to_owned());
    }
    let reserve = std::fs::metadata(folder.path().join("agent.reserve")).map_or(0, |file| file.len());
    if reserve != 1024 * 1024 {
        return Err(format!("{reserve} bytes are kept for Critical events"));
    }
    if opened_before.is_none() {
        return Ok(None);
    }
    if opened.id != ID {
        return Err(format!("the id is {}", opened.id));
    }
    let found = store::found(&store, &step, Some(store::stored(&opened)?))?;
    let mut explained = any(histories.iter().map(|history| history.explain(&step, &found)))?;
    let survived = explained.clone();
    for history in &mut explained {
        history.seen(&found)?;
        // Opening writes the recovery file.
        history.safe();
    }
    if !dice.one_in(4) {
        // It goes on: what is new has numbers of its own.
        let commit = store::commit(dice, &mut 1_000_000_000, 12);
        store::wait_for(store::call(&store, commit.clone())).map_err(|error| error.to_string())?;
        let found = store::found(&store, &step, None)?;
        for history in &mut explained {
            history.asked(usize::MAX, commit.clone());
            history.done(usize::MAX);
        }
        // Looking is no step.
        explained = any(explained.iter().map(|history| history.explain(&Step::Tick, &found)))
            .map_err(|why| format!("after another commit: {why}"))?;
        for history in &mut explained {
            history.seen(&found)?;
        }
    }
    if dice.one_in(2) {
        let last = [Step::Close, Step::Safe][dice.below(2)].clone();
        store::wait_for(store::call(&store, last)).map_err(|error| error.to_string())?;
        explained.iter_mut().for_each(History::safe);
        let file = std::fs::read(folder.path().join(RECOVERY)).map_err(|error| error.to_string())?;
        may_be_rebuilt(&file, &explained, dice).map_err(|why| format!("database lost later: {why}"))?;
    }
    Ok(Some(survived))
}

/// What those gave that gave anything; where none did, why.
fn any<T>(tried: impl Iterator<Item = Result<Vec<T>, String>>) -> Result<Vec<T>, String> {
    let (mut all, mut whys) = (Vec::new(), Vec::new());
    for tried in tried {
        match tried {
            Ok(some) => all.extend(some),
            Err(why) => whys.push(why),
        }
    }
    if all.is_empty() { Err(whys.join("; or ")) } else { Ok(all) }
}

/// Nothing is left but the recovery file, after one of the histories.
fn may_be_rebuilt(file: &[u8], histories: &[History], dice: &Dice) -> Result<(), String> {
    let rebuilt = histories.iter().map(|history| rebuilt(file, history, &mut dice.clone()));
    any(rebuilt.map(|done| done.map(|stored| vec![stored]))).map(drop)
}

/// Nothing is left but the recovery file: gives what it holds, and its ceiling.
fn rebuilt(file: &[u8], history: &History, dice: &mut Dice) -> Result<(Stored, u64), String> {
    let folder = put(&Image::from([(RECOVERY.to_owned(), file.to_owned())]));
    let step = store::opening(dice);
    let (store, opened) =
        store::open(folder.path(), &step, "another id").map_err(|error| error.to_string())?;
    let rebuilt = opened.rebuilt.as_ref().ok_or("it was not told")?;
    if opened.id != ID {
        return Err(format!("the id is {}: {rebuilt:?}", opened.id));
    }
    let stored = store::stored(&opened)?;
    history.may_recover(stored)?;
    let highest = history.highest();
    if rebuilt.ceiling < highest {
        return Err(format!("number {highest} was given out, and the ceiling is {}", rebuilt.ceiling));
    }
    let commit = store::commit(dice, &mut 2_000_000_000, 12);
    store::wait_for(store::call(&store, commit)).map_err(|error| error.to_string())?;
    for (destination, waiting) in store::found(&store, &step, None)?.waiting {
        if let Some(again) = waiting.iter().find(|given| given.sequence <= highest) {
            return Err(format!("{destination}: {again:?} was given out before, up to {highest}"));
        }
        if let Some(first) =
            waiting.first().filter(|first| first.skipped_from != (first.sequence > 1).then_some(1))
        {
            return Err(format!("{destination}: {first:?} does not say what may be lost"));
        }
    }
    Ok((stored, rebuilt.ceiling))
}
