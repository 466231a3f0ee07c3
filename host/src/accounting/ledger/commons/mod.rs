//! Budgets that several instances share: a store lends each ledger's file a part of every account, and the file lends it on.
//!
//! Only a file knows what its part is: it is on its disk before any of it is spent, and off it before it is given back. The store
//! adds the parts up and offers more as long as they fit the limit, so that
//!
//! > what all files have spent and lent ≤ the sum of their parts ≤ the limit.
//!
//! The store may forget, so it is not what money is counted by: every file tells its part again twice a second at least, with a number
//! that grows, and keeps a copy of what the others have told. A store that has begun anew (restarted, emptied, failed over) lends
//! nothing for [`TERM`]. By then every file that lives has told its part and its copies of the others', those of the dead among them; and
//! one that cannot reach the store has stopped spending, after [`SPENDING`].

mod view;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use redis::{FromRedisValue, Script};
use rusqlite::OptionalExtension;

use super::books::FileChange;
use super::change::Change;
use super::entry::money;
use super::error::Fault;
use super::standing::{Claim, Report, Source, Standing};
use crate::accounting::{Account, Ask, Need, Window};
use crate::clock::{Clock, Moment};
use crate::config::SharedAddress;
use crate::shared::{self, SharedError, SharedStore};
use view::View;

/// How long a store that has begun anew lends nothing, and how long a silent file is taken to live.
const TERM: Duration = Duration::from_secs(3);

/// How long a file spends what it has without a word from the store. A second less than [`TERM`]: whoever stops must be sure to have.
const SPENDING: Duration = Duration::from_secs(2);

/// How often the store is told where money is held or waited for, and where none is.
const BUSY: Duration = Duration::from_millis(100);
pub(super) const IDLE: Duration = Duration::from_millis(500);

/// What nobody has asked for in so long goes back to the store.
const UNUSED: Duration = Duration::from_secs(1);

/// The largest whole number the store counts exactly: a budget of $9,007,199.
const MOST: i64 = (1 << 53) - 1;

/// What is kept of the file itself and of its parts, beside the ledger's tables.
const TABLES: &str = "
    CREATE TABLE IF NOT EXISTS shared (name TEXT NOT NULL) STRICT;
    CREATE TABLE IF NOT EXISTS parts (account INTEGER PRIMARY KEY, granted INTEGER NOT NULL CHECK (granted >= 0)) STRICT;
";

/// A ledger's way to the store that it shares with others.
pub(super) struct Commons {
    store: SharedStore,
    script: Script,
    clock: Arc<dyn Clock>,
    /// What this ledger's file is called there.
    file: String,
    /// The number of the latest word.
    number: i64,
    /// The store's run that was heard of last.
    run: Option<String>,
    known: BTreeMap<Account, Known>,
    told: Moment,
    /// When the word was sent that was answered last.
    heard: Option<Moment>,
}

/// What is known of an account.
struct Known {
    view: View,
    /// The store's run that has all copies.
    run: Option<String>,
    limit: i64,
    /// When money of it was asked for last.
    asked: Moment,
}

/// A word to the store about one account.
struct Word {
    account: Account,
    granted: i64,
    spent: i64,
    limit: i64,
    least: i64,
    desired: i64,
    waits: bool,
}

/// What the script returns.
struct Answer {
    run: String,
    is_new: bool,
    /// For each account what is offered, and the hash.
    accounts: Vec<(i64, Vec<(String, String)>)>,
}

impl Commons {
    /// The way to the store at an address, for the ledger that a change is made in. In the inner place, why there is none.
    pub(super) fn open(
        address: &SharedAddress,
        change: &FileChange<'_>,
        clock: &Arc<dyn Clock>,
    ) -> Result<Result<Self, Trouble>, Fault> {
        let file = file_name(change)?;
        let (clock, told) = (Arc::clone(clock), clock.now());
        let store = match SharedStore::new(address, Arc::clone(&clock)) {
            Ok(store) => store,
            Err(error) => return Ok(Err(Trouble::Store(error))),
        };
        let script = shared::lending_script(include_str!("money.lua"));
        let known = BTreeMap::new();
        Ok(Ok(Self { store, script, clock, file, number: 0, run: None, known, told, heard: None }))
    }

    /// Has the store lend more of an account where what there is does not do, and tells how it stands.
    pub(super) fn standing(
        &mut self,
        change: &FileChange<'_>,
        id: i64,
        account: &Account,
        claim: &Claim,
    ) -> Result<Standing, Fault> {
        match self.ask(change, id, account, claim) {
            Ok(standing) => Ok(standing),
            Err(Trouble::Ledger(fault)) => Err(fault),
            Err(Trouble::Store(_)) => {
                let elsewhere = self.known.get(account).map(|known| known.view.elsewhere(&self.file));
                let (spent_elsewhere, held_elsewhere) = elsewhere.unwrap_or_default();
                Ok(Standing { spent_elsewhere, held_elsewhere, funds: Source::Silent, ..Standing::default() })
            }
        }
    }

    fn ask(&mut self, change: &FileChange<'_>, id: i64, account: &Account, claim: &Claim) -> Result<Standing, Trouble> {
        let now = self.clock.now();
        let used = claim.spent.saturating_add(claim.lent);
        let mut granted = granted(change, id)?.max(used);
        let spare = granted.saturating_sub(used);
        let is_known = self.known.get(account).is_some_and(|known| known.limit == claim.limit);
        let is_enough = spare >= claim.least && (spare > 0 || claim.desired == 0);
        if !is_known || !is_enough {
            let Claim { limit, spent, waits, .. } = *claim;
            let missing = |wished: i64| wished.saturating_sub(spare).max(0);
            let (least, desired) = (missing(claim.least), missing(claim.desired));
            let word = Word { account: account.clone(), granted, spent, limit, least, desired, waits };
            let offered = self.tell(&[word], now)?.first().copied().unwrap_or(0);
            if offered > 0 {
                granted = granted.saturating_add(offered);
                grant(change, id, granted)?;
            }
        }
        let Some(known) = self.known.get_mut(account) else { return Err(self.store.odd().into()) };
        if claim.desired > 0 {
            known.asked = now;
        }
        let (spent_elsewhere, held_elsewhere) = known.view.elsewhere(&self.file);
        let View { is_wanted, is_new, .. } = known.view;
        let (spare, free) = (granted.saturating_sub(used), known.view.free(claim.limit.min(MOST)));
        let funds = if is_new { Source::New } else { Source::Sure };
        Ok(Standing { spare, free, spent_elsewhere, held_elsewhere, is_wanted, funds })
    }

    /// Whether it is time to tell the store how the accounts stand.
    pub(super) fn is_due(&self, is_busy: bool) -> bool {
        self.clock.now().since(self.told) >= if is_busy { BUSY } else { IDLE }
    }

    /// Accounts that other files wait for.
    pub(super) fn wanted(&self) -> Vec<Account> {
        self.known.iter().filter(|(_, known)| known.view.is_wanted).map(|(account, _)| account.clone()).collect()
    }

    /// Gives up what is not lent on of accounts that others wait for, or that nobody here has asked for in a while. It goes to the
    /// store with the next word, when this is on disk.
    pub(super) fn give_up(&mut self, change: &mut FileChange<'_>) -> Result<(), Fault> {
        let now = self.clock.now();
        for (account, known) in &self.known {
            if !known.view.is_wanted && now.since(known.asked) < UNUSED {
                continue;
            }
            let (id, used, _) = standing(change, account)?;
            if granted(change, id)? > used {
                grant(change, id, used)?;
            }
        }
        Ok(())
    }

    /// Tells the store how every account stands.
    pub(super) fn report(&mut self, change: &mut FileChange<'_>) -> Result<Report, Fault> {
        let now = self.clock.now();
        self.told = now;
        self.forget_the_past();
        let mut words = Vec::new();
        for (account, known) in &self.known {
            let (id, used, spent) = standing(change, account)?;
            let granted = granted(change, id)?.max(used);
            let (limit, least, desired, waits) = (known.limit, 0, 0, false);
            words.push(Word { account: account.clone(), granted, spent, limit, least, desired, waits });
        }
        let before = self.elsewhere();
        Ok(match self.tell(&words, now) {
            Ok(_) if before == self.elsewhere() => Report::Heard { news: Vec::new() },
            Ok(_) => Report::Heard { news: self.questions() },
            Err(error) if self.is_cut_off() => Report::CutOff(error.to_string().into()),
            Err(_) => Report::Silent,
        })
    }

    /// What is to be asked so as to know how the accounts stand.
    fn questions(&self) -> Vec<Ask> {
        let question = |(account, known): (&Account, &Known)| {
            let limit = money(known.limit);
            Ask { account: Arc::new(account.clone()), limit, need: Need::News }
        };
        self.known.iter().map(question).collect()
    }

    /// What others have spent and hold of each account, and whether the store lends.
    fn elsewhere(&self) -> Vec<((i64, i64), bool)> {
        self.known.values().map(|known| (known.view.elsewhere(&self.file), known.view.is_new)).collect()
    }

    /// Whether the store has been silent for so long that nothing may be spent any more.
    fn is_cut_off(&self) -> bool {
        self.heard.is_none_or(|heard| self.clock.now().since(heard) >= SPENDING)
    }

    /// Says the words, and takes in the answers. Returns what is offered of each.
    fn tell(&mut self, words: &[Word], now: Moment) -> Result<Vec<i64>, SharedError> {
        self.number = self.clock.wall().as_microsecond().max(self.number.saturating_add(1));
        let (keys, arguments) = self.call(words);
        let Answer { run, is_new, accounts } = self.run(&keys, &arguments, words.len())?;
        let sent_to = self.run.replace(run.clone());
        self.heard = Some(now);
        let mut offers = Vec::new();
        for (word, (offered, fields)) in words.iter().zip(accounts) {
            let fresh = || Known { view: View::default(), run: Some(run.clone()), limit: word.limit, asked: now };
            let known = self.known.entry(word.account.clone()).or_insert_with(fresh);
            known.limit = word.limit;
            known.view.take_in(&fields, &self.file, is_new);
            self.number = self.number.max(known.view.number(&self.file));
            // Its copies went along where this run was known when it was told.
            if sent_to.as_ref() == Some(&run) {
                known.run = Some(run.clone());
            }
            offers.push(offered.max(0));
        }
        Ok(offers)
    }

    /// The script's keys and arguments.
    fn call(&self, words: &[Word]) -> (Vec<String>, Vec<String>) {
        let keys = words.iter().map(|word| format!("{{backstop}}:money:{}", word.account));
        let keys = std::iter::once("{backstop}:money".to_owned()).chain(keys).collect();
        let mut copies = Vec::new();
        for (place, word) in words.iter().enumerate() {
            let Some(known) = self.known.get(&word.account).filter(|known| known.run != self.run) else { continue };
            for (file, part) in known.view.copies() {
                copies.extend([(place + 1).to_string(), file.to_owned(), part.text()]);
            }
        }
        let mut arguments = vec![self.file.clone(), TERM.as_millis().to_string(), (copies.len() / 3).to_string()];
        arguments.extend(copies);
        for word in words {
            let kept = match word.account.window {
                Window::Day => Duration::from_secs(3 * 86_400),
                Window::Month => Duration::from_secs(34 * 86_400),
            };
            let numbers = [self.number, word.granted, word.spent, word.limit, word.least, word.desired];
            arguments.extend(numbers.map(|number| number.clamp(0, MOST).to_string()));
            arguments.extend([u8::from(word.waits).to_string(), kept.as_millis().to_string()]);
        }
        (keys, arguments)
    }

    /// Runs the script, and reads its answer.
    fn run(&mut self, keys: &[String], arguments: &[String], accounts: usize) -> Result<Answer, SharedError> {
        let values: Vec<redis::Value> = self.store.run(&self.script, keys, arguments)?;
        Answer::read(values, accounts).ok_or_else(|| self.store.odd())
    }

    /// Forgets accounts of periods that are over, but for the latest of them: what is left of it is still on its way back.
    fn forget_the_past(&mut self) {
        let latest =
            |window| self.known.keys().filter(|account| account.window == window).map(|account| account.period).max();
        let (day, month) = (latest(Window::Day), latest(Window::Month));
        self.known.retain(|account, _| {
            let latest = match account.window {
                Window::Day => day,
                Window::Month => month,
            };
            latest.is_none_or(|latest| account.period >= latest - 1)
        });
    }
}

impl Answer {
    fn read(values: Vec<redis::Value>, count: usize) -> Option<Self> {
        fn next<T: FromRedisValue>(values: &mut impl Iterator<Item = redis::Value>) -> Option<T> {
            T::from_redis_value(values.next()?).ok()
        }
        let mut values = values.into_iter();
        let (run, is_new) = (next(&mut values)?, next::<i64>(&mut values)? == 1);
        let mut accounts = Vec::with_capacity(count);
        for _ in 0..count {
            accounts.push((next(&mut values)?, next(&mut values)?));
        }
        Some(Self { run, is_new, accounts })
    }
}

/// The number of an account, what is spent and lent on of it, and what is spent.
fn standing(change: &mut FileChange<'_>, account: &Account) -> Result<(i64, i64, i64), Fault> {
    let id = change.account(account)?;
    let spent = change.spent(id)?;
    let lent = change.leases(id)?.iter().map(super::lease::Lease::outstanding_amount).fold(0, i64::saturating_add);
    Ok((id, spent.saturating_add(lent), spent))
}

/// What the file may spend of an account.
fn granted(change: &FileChange<'_>, id: i64) -> Result<i64, Fault> {
    let query = "SELECT granted FROM parts WHERE account = ?1";
    let granted = change.transaction.prepare_cached(query)?.query_row([id], |row| row.get(0)).optional()?;
    Ok(granted.unwrap_or(0))
}

fn grant(change: &FileChange<'_>, id: i64, granted: i64) -> Result<(), Fault> {
    let write = "INSERT OR REPLACE INTO parts (account, granted) VALUES (?1, ?2)";
    change.transaction.prepare_cached(write)?.execute((id, granted))?;
    Ok(())
}

/// What the file is called among others: 16 random bytes, drawn once.
fn file_name(change: &FileChange<'_>) -> Result<String, Fault> {
    change.transaction.execute_batch(TABLES)?;
    let name = "SELECT name FROM shared LIMIT 1";
    if let Some(name) = change.transaction.query_row(name, (), |row| row.get(0)).optional()? {
        return Ok(name);
    }
    let name: String = change.transaction.query_row("SELECT lower(hex(randomblob(16)))", (), |row| row.get(0))?;
    change.transaction.execute("INSERT INTO shared (name) VALUES (?1)", [&name])?;
    Ok(name)
}

/// What can go wrong on the way to the shared store.
#[derive(Debug)]
pub(super) enum Trouble {
    /// With the ledger's own file.
    Ledger(Fault),
    /// With the store: it does not answer.
    Store(SharedError),
}

impl From<Fault> for Trouble {
    fn from(fault: Fault) -> Self {
        Self::Ledger(fault)
    }
}

impl From<SharedError> for Trouble {
    fn from(error: SharedError) -> Self {
        Self::Store(error)
    }
}
