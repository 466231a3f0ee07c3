//! The ledger in PostgreSQL, shared by any number of processes. It means what the file means, and holds as much:
//!
//! > what providers were asked for ≤ what is spent + what is lent ≤ the limit.
//!
//! Every change is one transaction that holds the head of the chain of entries: changes come one after another, whoever
//! makes them. A process has a *seat*: an advisory lock of its session, so that it is dead to the others when its
//! connection is gone. Then they charge what it was lent, as they do for any dead process.
//!
//! A process whose connection broke spends what it was lent: that is on the books either way, as lent or as charged.
//! When it is back it takes another seat, and if it was buried meanwhile the burial is undone: the charge is taken back
//! by an entry of its own, and what was charged is lent again, in one change. The sum of both is the same before and
//! after, so no moment exists at which money counts twice or not at all. A change whose end nobody heard of was made if
//! the process's count of its own changes says so.
//!
//! `fault` says what is wrong, `tls` secures, `session` is a connection, `schema` the layout, `days` which may be spent
//! of, `seat` who is there, `head` the end of the chain, `change` one transaction, `books` all of them, `snapshot` what
//! is audited, `reader` is for people.

mod fault;
mod tls;
mod session;
mod schema;
mod days;
mod head;
mod rows;
mod change;
mod seat;
mod books;
mod snapshot;
mod reader;

pub use fault::PostgresFault;

pub(super) use books::SharedBooks;
pub(super) use reader::SharedReader;
pub(super) use snapshot::audit;
