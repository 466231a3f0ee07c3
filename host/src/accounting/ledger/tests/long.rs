//! A ledger that is too long to be read over from its beginning each time.

use super::*;

/// More than are read over again each time, in tests.
const MANY: u64 = 2_500;

/// A ledger of many entries, read over and kept, with a few more behind that.
fn long() -> Place {
    let place = Place::new();
    let (ledger, hand) = place.open();
    assert!(ask(&ledger, 500));
    enter(&ledger, MANY);
    let mut audit = Audit::default();
    audit.run(&place.ledger()).unwrap();
    audit.keep(&place.ledger());
    enter(&ledger, 10);
    drop(hand);
    ledger.close();
    place
}

fn enter(ledger: &Ledger, count: u64) {
    (0..count).for_each(|_| ledger.post(Posting { held: Vec::new(), ..posting(2) }));
    ledger.flush();
}

/// What an audit says that goes on from what is kept.
fn resumed(place: &Place) -> Result<(), String> {
    let mut audit = Audit::resume(&place.ledger());
    assert!(audit.is_resumed());
    audit.run(&place.ledger()).map_err(|error| error.to_string())
}

// R20
#[test]
fn finds_what_was_changed_behind_the_place_that_it_was_read_to() {
    let place = long();
    let change = |sql: &str| place.connection().execute(sql, ()).unwrap();
    let sound = resumed(&place);

    change("UPDATE entries SET cost = cost + 1 WHERE seq = 2505");
    let entry = resumed(&place).unwrap_err();
    change("UPDATE entries SET cost = cost - 1 WHERE seq = 2505");
    change("UPDATE accounts SET spent = spent + 1");
    let balance = resumed(&place).unwrap_err();
    change("UPDATE accounts SET spent = spent - 1");
    change("UPDATE entries SET provider = 'alphb' WHERE seq = 7");
    let (old, all) = (resumed(&place), place.audit().unwrap_err());

    assert_eq!((sound, old), (Ok(()), Ok(())));
    assert!(entry.contains("entry 2505 is not"), "{entry}");
    assert!(balance.contains("says 5021 nano-dollars were spent and its entries say 5020"), "{balance}");
    assert!(all.contains("entry 7 is not"), "{all}");
}

// R20
#[test]
fn reads_a_ledger_from_its_beginning_that_is_not_the_one_that_was_kept() {
    let (place, other) = (long(), long());
    let kept = std::fs::read(checkpoint::path_of(&other.ledger())).unwrap();
    std::fs::write(checkpoint::path_of(&place.ledger()), kept).unwrap();
    place.connection().execute("UPDATE entries SET cost = cost + 1 WHERE seq = 7", ()).unwrap();

    assert!(resumed(&place).unwrap_err().contains("entry 7 is not"));
}

#[test]
fn adds_up_accounts_that_were_opened_since() {
    let place = long();
    let (ledger, _hand) = place.open();
    assert!(ledger.ask(three_months()).blocking_recv().is_ok());
    enter(&ledger, 1);
    ledger.close();

    assert_eq!((place.balance("label:team=search month"), place.balance("route:other month")), (5_022, 0));
    assert_eq!((resumed(&place), place.audit()), (Ok(()), Ok(())));
}

// R20
#[test]
fn names_what_was_changed_long_ago_soon_after_it_was_opened() {
    let place = long();
    place.connection().execute("UPDATE entries SET provider = 'alphb' WHERE seq = 7", ()).unwrap();

    let (ledger, hand) = place.open();
    while hand.fault().is_none() {
        std::thread::yield_now();
    }

    assert!(hand.fault().unwrap().contains("entry 7 is not"), "{:?}", hand.fault());
    ledger.close();
}
