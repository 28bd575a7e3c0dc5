//! Keeps the books for many callers, and in a file if wanted. The only code here that touches a disk.
//!
//! Every change of the books is one JSON line, written before it is made and before the answer is given. It is handed
//! to the operating system, not forced to the disk: the books survive the death of the process (`kill -9`), not that of
//! the machine, which is enough for a simulation and keeps it fast.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::books::{Books, Dashboard, Dispute, ExternalRefund, Outcome, RefundOrder};
use super::events::{Event, SIGNATURE, signature};
use super::faults::{Call, Faults, Silence, Trouble};
use super::line::Line;
use super::outbox::Outbox;
use super::{lists, scripts};
use crate::{DisputeStage, Span, StatementLine};

/// Shared books, with the desk that takes orders. Clones share the same books.
#[derive(Clone, Debug, Default)]
pub struct BookKeeper {
    desk: Arc<Mutex<Desk>>,
    time: Time,
    /// Something is due, or may be earlier than it was.
    stirred: Arc<Notify>,
}

/// How a provider behaves.
#[derive(Clone, Debug, Default)]
pub struct Setup {
    /// What goes wrong.
    pub faults: Faults,
    /// The provider's clock.
    pub time: Time,
    /// The secret by which events are signed; without one, no events are made.
    pub secret: Option<Secret>,
}

/// A secret. Debug output does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
}

/// Where the provider's time comes from, epoch milliseconds.
#[derive(Clone, Debug)]
pub enum Time {
    /// A clock that only moves when somebody moves it, for simulations.
    Shared(Arc<AtomicI64>),
    /// A clock that is read.
    Read(fn() -> i64),
}

impl Default for Time {
    /// It is always the first of January 1970.
    fn default() -> Time {
        Time::Shared(Arc::default())
    }
}

impl Time {
    fn now_ms(&self) -> i64 {
        match self {
            Time::Shared(now_ms) => now_ms.load(Ordering::Relaxed),
            Time::Read(read) => read(),
        }
    }
}

/// An event on its way out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Posting {
    /// The id of the event, the same for every delivery of it.
    pub event: String,
    /// 0, or 1 for the second delivery of a doubled one.
    pub copy: u32,
    /// Names in lower case, and values; signed at the time it was taken out.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

/// An answer, and how long the wire holds it back.
#[derive(Debug)]
pub(super) struct Held<T> {
    pub(super) answer: Result<T, NoAnswer>,
    pub(super) held_ms: i64,
}

impl BookKeeper {
    /// Empty books that end with the process. Nothing goes wrong, and no time goes by.
    pub fn in_memory() -> BookKeeper {
        BookKeeper::default()
    }

    /// Empty books that end with the process.
    pub fn in_memory_with(setup: Setup) -> BookKeeper {
        let Setup { faults, time, secret } = setup;
        let desk = Desk { faults, secret, ..Desk::default() };
        BookKeeper { desk: Arc::new(Mutex::new(desk)), time, stirred: Arc::default() }
    }

    /// Books kept in a file, which is created if need be and locked against a second keeper. A last line that was cut
    /// off by a crash was never answered and is removed. Fails if the file cannot be opened, locked, read or cut, and
    /// with `InvalidData` if a whole line of it is not ours.
    pub fn open(path: &Path) -> io::Result<BookKeeper> {
        BookKeeper::open_with(path, Setup::default())
    }

    /// As [`open`](BookKeeper::open). Events that had not arrived when the last keeper ended are delivered again.
    pub fn open_with(path: &Path, setup: Setup) -> io::Result<BookKeeper> {
        let file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
        file.try_lock()?;
        let keeper = BookKeeper::in_memory_with(setup);
        let mut desk = keeper.desk();
        let whole_bytes = desk.reload(&file)?;
        if whole_bytes < file.metadata()?.len() {
            file.set_len(whole_bytes)?;
        }
        desk.file = Some(file);
        drop(desk);
        Ok(keeper)
    }

    /// Takes an order, or meets what is scripted for it or what the faults have for it.
    pub fn refund(&self, order: &RefundOrder) -> Result<Outcome, NoAnswer> {
        self.refund_held(order).answer
    }

    /// What became of the refund with this key; `None` if there is none.
    pub fn lookup(&self, key: &str) -> Result<Option<Outcome>, NoAnswer> {
        self.lookup_held(key).answer
    }

    /// Somebody refunds at the provider's dashboard.
    pub fn refund_at_dashboard(&self, entered: &Dashboard) -> Result<ExternalRefund, NoAnswer> {
        self.change(|desk, now_ms| {
            let external = desk.books.external_line(entered, now_ms);
            desk.make(&Line::External(external.clone())).map(|()| external)
        })
    }

    /// A buyer's bank opens a dispute.
    pub fn open_dispute(&self, entered: &Dashboard) -> Result<Dispute, NoAnswer> {
        self.change(|desk, now_ms| {
            let dispute = desk.books.dispute_line(entered, now_ms);
            desk.make(&Line::Dispute(dispute.clone())).map(|()| dispute)
        })
    }

    /// A dispute goes on to `stage`; `None` if there is no such dispute.
    pub fn move_dispute(&self, id: &str, stage: DisputeStage) -> Result<Option<Dispute>, NoAnswer> {
        self.change(|desk, now_ms| match desk.books.dispute_moved(id, stage, now_ms) {
            Some(dispute) => desk.make(&Line::Dispute(dispute.clone())).map(|()| Some(dispute)),
            None => Ok(None),
        })
    }

    /// The events to be delivered now, in the order in which they are due. Each comes again later, with growing waits,
    /// until it is [`delivered`](BookKeeper::delivered).
    pub fn due(&self) -> Vec<Posting> {
        let signed_ms = self.time.now_ms();
        let (mut desk, now_ms) = self.desk_now();
        let Some(secret) = desk.secret.clone() else {
            return Vec::new();
        };
        let taken = desk.outbox.take_due(now_ms);
        drop(desk);
        let posting = |(event, copy): (Arc<Event>, u32)| {
            let body = serde_json::to_vec(&*event).ok()?;
            let headers = [
                ("content-type", "application/json".to_owned()),
                // By the clock that was not moved, for the receiver's was not either.
                (SIGNATURE, signature(secret.0.as_bytes(), signed_ms, &body)),
            ];
            let headers = headers.map(|(name, value)| (name.to_owned(), value)).to_vec();
            Some(Posting { event: event.id.clone(), copy, headers, body })
        };
        taken.into_iter().filter_map(posting).collect()
    }

    /// A delivery arrived; it does not come again.
    pub fn delivered(&self, posting: &Posting) -> Result<(), NoAnswer> {
        let mut desk = self.desk();
        desk.outbox.confirm(&posting.event, posting.copy);
        if desk.outbox.holds(&posting.event) {
            return Ok(());
        }
        desk.make(&Line::Delivered(posting.event.clone()))
    }

    /// Deliveries that are still to come. Those that the faults have lost are none.
    pub fn undelivered(&self) -> usize {
        self.desk_now().0.outbox.len()
    }

    /// When something happens by itself next, a change of the books or a delivery: the moment to set the clock to.
    pub fn next_ms(&self) -> Option<i64> {
        let desk = self.desk_now().0;
        [desk.books.next_change_ms(), desk.outbox.next_ms()].into_iter().flatten().min()
    }

    /// The provider's time.
    pub fn now_ms(&self) -> i64 {
        self.desk_now().1
    }

    /// Moves the provider's clock ahead of the one that it reads, and says what time it is now.
    pub fn advance_clock(&self, by_ms: u32) -> Result<i64, NoAnswer> {
        self.change(|desk, now_ms| {
            let ahead_ms = desk.books.clock_ahead_ms().saturating_add(i64::from(by_ms));
            desk.make(&Line::Clock(ahead_ms)).map(|()| now_ms.saturating_add(i64::from(by_ms)))
        })
    }

    /// Has other things go wrong from now on. What was decided before stands.
    pub fn set_faults(&self, faults: Faults) {
        self.desk().faults = faults;
        self.stirred.notify_one();
    }

    /// What goes wrong.
    pub fn faults(&self) -> Faults {
        self.desk().faults.clone()
    }

    /// The refunds that were made in a span of time, as a reconciliation reads them.
    pub fn statement(&self, span: Span) -> Vec<StatementLine> {
        self.read(|books| lists::lines(books, span))
    }

    /// Looks at the books as they stand now; nobody else can meanwhile.
    pub fn read<T>(&self, look: impl FnOnce(&Books) -> T) -> T {
        look(&self.desk_now().0.books)
    }

    pub(super) fn refund_held(&self, order: &RefundOrder) -> Held<Outcome> {
        let (mut desk, now_ms) = self.desk_now();
        let nth = desk.books.times_asked(Call::Refund, &order.key);
        let trouble =
            scripts::trouble(order, nth).or_else(|| desk.faults.trouble(Call::Refund, &order.key, nth, now_ms));
        let held_ms = scripts::held_ms(order) + desk.faults.held_ms(Call::Refund, &order.key, nth);
        let counts = scripts::counts_calls(order);
        let answer = desk.count(Call::Refund, &order.key, counts).and_then(|()| match trouble {
            Some(Trouble::Refused) => Err(NoAnswer::Refused),
            Some(Trouble::Down) => Err(NoAnswer::NotTaken),
            Some(Trouble::LostBefore(silence)) => Err(silence.into()),
            Some(Trouble::LostAfter(silence)) => desk.take(order, now_ms).and(Err(silence.into())),
            None => desk.take(order, now_ms),
        });
        self.stir(&desk);
        Held { answer, held_ms }
    }

    pub(super) fn lookup_held(&self, key: &str) -> Held<Option<Outcome>> {
        let (mut desk, now_ms) = self.desk_now();
        let nth = desk.books.times_asked(Call::Lookup, key);
        let trouble = desk.faults.trouble(Call::Lookup, key, nth, now_ms);
        let held_ms = desk.faults.held_ms(Call::Lookup, key, nth);
        let answer = desk.count(Call::Lookup, key, false).and_then(|()| match trouble {
            Some(Trouble::Refused) => Err(NoAnswer::Refused),
            Some(Trouble::Down) => Err(NoAnswer::NotTaken),
            Some(Trouble::LostBefore(silence) | Trouble::LostAfter(silence)) => Err(silence.into()),
            None => desk.tell(key, now_ms),
        });
        self.stir(&desk);
        Held { answer, held_ms }
    }

    /// Whether the faults have every call fail now.
    pub(super) fn out_of_service(&self) -> bool {
        let (desk, now_ms) = self.desk_now();
        desk.faults.out_of_service(now_ms)
    }

    /// Waits until something may have become due earlier than it was.
    pub(super) async fn stirred(&self) {
        self.stirred.notified().await;
    }

    fn change<T>(&self, act: impl FnOnce(&mut Desk, i64) -> Result<T, NoAnswer>) -> Result<T, NoAnswer> {
        let (mut desk, now_ms) = self.desk_now();
        let done = act(&mut desk, now_ms);
        self.stir(&desk);
        done
    }

    fn stir(&self, desk: &Desk) {
        if desk.secret.is_some() {
            self.stirred.notify_one();
        }
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        // A panic under the lock can only come from `look`, which cannot change the books.
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The desk with the books as they stand now, and what time it is there.
    fn desk_now(&self) -> (MutexGuard<'_, Desk>, i64) {
        let mut desk = self.desk();
        let now_ms = self.time.now_ms().saturating_add(desk.books.clock_ahead_ms());
        desk.advance(now_ms);
        (desk, now_ms)
    }
}

/// Why the provider gives no answer. The caller learns no more than that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoAnswer {
    /// Status 500: booked or not.
    Lost,
    /// The connection is cut: booked or not.
    Cut,
    /// Out of service: status 503, not booked this time.
    NotTaken,
    /// Too many requests: status 429, not booked this time.
    Refused,
    /// The file could not be written, so nothing more is answered until the books are opened again.
    FileBroken,
}

impl From<Silence> for NoAnswer {
    fn from(silence: Silence) -> NoAnswer {
        match silence {
            Silence::Cut => NoAnswer::Cut,
            Silence::Error => NoAnswer::Lost,
        }
    }
}

#[derive(Debug, Default)]
struct Desk {
    books: Books,
    outbox: Outbox,
    faults: Faults,
    secret: Option<Secret>,
    file: Option<File>,
    broken: bool,
}

impl Desk {
    fn take(&mut self, order: &RefundOrder, now_ms: i64) -> Result<Outcome, NoAnswer> {
        let (outcome, line) = self.books.refund_noting(order, &self.faults, now_ms);
        self.make_if(line).map(|()| outcome)
    }

    fn tell(&mut self, key: &str, now_ms: i64) -> Result<Option<Outcome>, NoAnswer> {
        match self.books.lookup_noting(key, now_ms) {
            Some((outcome, line)) => self.make_if(line).map(|()| Some(outcome)),
            None => self.make_if(None).map(|()| None),
        }
    }

    /// Notes that a key was asked for, where the answer may depend on how often it was. A provider that is killed goes
    /// on counting when it comes back, or a call might meet the same trouble for ever.
    fn count(&mut self, call: Call, key: &str, counts: bool) -> Result<(), NoAnswer> {
        let counted = counts || self.faults.troubles_calls();
        let line = counted.then(|| Line::Asked(self.books.asked_line(call, key)));
        self.make_if(line)
    }

    /// Lets happen what was to happen until now. What cannot be written does not happen.
    fn advance(&mut self, now_ms: i64) {
        while let Some(line) = self.books.next_change(now_ms) {
            if self.make(&line).is_err() {
                return;
            }
        }
    }

    fn make_if(&mut self, line: Option<Line>) -> Result<(), NoAnswer> {
        match line {
            Some(line) => self.make(&line),
            None if self.broken => Err(NoAnswer::FileBroken),
            None => Ok(()),
        }
    }

    /// Writes a change down and makes it. After a failed write the file may end in half a line. Only a new start puts
    /// that right, so from then on nothing is answered.
    fn make(&mut self, line: &Line) -> Result<(), NoAnswer> {
        if self.broken {
            return Err(NoAnswer::FileBroken);
        }
        if let Some(file) = self.file.as_mut() {
            append(file, line.clone()).map_err(|_| {
                self.broken = true;
                NoAnswer::FileBroken
            })?;
        }
        self.apply(line);
        Ok(())
    }

    fn apply(&mut self, line: &Line) {
        self.books.apply(line);
        if self.secret.is_none() {
            return;
        }
        if let Line::Delivered(event) = line {
            self.outbox.forget(event);
        }
        if let Some(event) = Event::of(line, &self.books) {
            let scripted = match line {
                Line::Refund(line) => scripts::deliveries(&line.order),
                _ => None,
            };
            let after_ms = scripted.unwrap_or_else(|| self.faults.deliveries(&event.id));
            self.outbox.push(event, &after_ms);
        }
    }

    /// Reads the lines of a file, and says how many of its bytes are whole lines.
    fn reload(&mut self, file: &File) -> io::Result<u64> {
        let mut reader = BufReader::new(file);
        let mut whole_bytes: u64 = 0;
        let mut text = Vec::new();
        loop {
            text.clear();
            let read = reader.read_until(b'\n', &mut text)?;
            if text.pop() != Some(b'\n') {
                return Ok(whole_bytes);
            }
            let line = Line::read(&text).ok_or_else(|| {
                io::Error::new(io::ErrorKind::InvalidData, format!("no line of these books at byte {whole_bytes}"))
            })?;
            self.apply(&line);
            whole_bytes += read as u64;
        }
    }
}

fn append(file: &mut File, line: Line) -> io::Result<()> {
    file.write_all(&line.write()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_answered_once_the_file_fails() {
        let read_only = File::open(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")).unwrap();
        let desk = Desk { file: Some(read_only), ..Desk::default() };
        let keeper = BookKeeper { desk: Arc::new(Mutex::new(desk)), ..BookKeeper::default() };
        let order = RefundOrder {
            key: "1".to_owned(),
            payment: String::new(),
            currency: "USD".to_owned(),
            amount_minor: 1,
            account: String::new(),
        };
        assert_eq!(keeper.lookup("1"), Ok(None));
        assert_eq!(keeper.refund(&order), Err(NoAnswer::FileBroken));
        assert_eq!(keeper.refund(&order), Err(NoAnswer::FileBroken), "a repetition would answer from memory alone");
        assert_eq!(keeper.lookup("1"), Err(NoAnswer::FileBroken));
        assert_eq!(keeper.lookup("2"), Err(NoAnswer::FileBroken));
    }
}
