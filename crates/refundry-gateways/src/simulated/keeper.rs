//! Keeps the books for many callers, and in a file if wanted. The only code here that touches a disk.
//!
//! Every change of the books is one JSON line, written before the answer is given; the last line of a key says how it
//! stands. It is handed to the operating system, not forced to the disk: the books survive the death of the process
//! (`kill -9`), not that of the machine, which is enough for a simulation and keeps it fast.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::books::{Books, Line, Mishap, Outcome, RefundOrder, mishap};

/// Shared books. Clones share the same books.
#[derive(Clone, Debug, Default)]
pub struct BookKeeper {
    desk: Arc<Mutex<Desk>>,
}

impl BookKeeper {
    /// Empty books that end with the process.
    pub fn in_memory() -> BookKeeper {
        BookKeeper::default()
    }

    /// Books kept in a file, which is created if need be and locked against a second keeper. A last line that was cut
    /// off by a crash was never answered and is removed. Fails if the file cannot be opened, locked, read or cut, and
    /// with `InvalidData` if a whole line of it is not ours.
    pub fn open(path: &Path) -> io::Result<BookKeeper> {
        let file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
        file.try_lock()?;
        let (books, whole_bytes) = reload(&file)?;
        if whole_bytes < file.metadata()?.len() {
            file.set_len(whole_bytes)?;
        }
        let desk = Desk { books, file: Some(file), broken: false };
        Ok(BookKeeper { desk: Arc::new(Mutex::new(desk)) })
    }

    /// Takes an order, or meets the mishap that is scripted for it.
    pub fn refund(&self, order: &RefundOrder) -> Result<Outcome, NoAnswer> {
        let mishap = mishap(order);
        if mishap == Some(Mishap::NotTaken) {
            return Err(NoAnswer::NotTaken);
        }
        let mut desk = self.desk();
        let (outcome, line) = desk.books.refund_noting(order);
        desk.write_down(line)?;
        match mishap {
            Some(Mishap::AnswerLost) => Err(NoAnswer::Lost),
            Some(Mishap::NotTaken) | None => Ok(outcome),
        }
    }

    /// What became of the refund with this key; `None` if there is none.
    pub fn lookup(&self, key: &str) -> Result<Option<Outcome>, NoAnswer> {
        let mut desk = self.desk();
        match desk.books.lookup_noting(key) {
            None if desk.broken => Err(NoAnswer::FileBroken),
            None => Ok(None),
            Some((outcome, line)) => desk.write_down(line).map(|()| Some(outcome)),
        }
    }

    /// Looks at the books; nobody else can meanwhile.
    pub fn read<T>(&self, look: impl FnOnce(&Books) -> T) -> T {
        look(&self.desk().books)
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        // A panic under the lock can only come from `look`, which cannot change the books.
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why the provider gives no answer. The caller learns no more than that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoAnswer {
    /// Scripted: booked, but the answer got lost.
    Lost,
    /// Scripted: not booked.
    NotTaken,
    /// The file could not be written, so nothing more is answered until the books are opened again.
    FileBroken,
}

#[derive(Debug, Default)]
struct Desk {
    books: Books,
    file: Option<File>,
    broken: bool,
}

impl Desk {
    /// After a failed write the books in memory are ahead of the file, and the file may end in half a line. Only a new
    /// start puts that right, so from then on nothing is answered.
    fn write_down(&mut self, line: Option<Line>) -> Result<(), NoAnswer> {
        if self.broken {
            return Err(NoAnswer::FileBroken);
        }
        let (Some(line), Some(file)) = (line, self.file.as_mut()) else {
            return Ok(());
        };
        append(file, &line).map_err(|_| {
            self.broken = true;
            NoAnswer::FileBroken
        })
    }
}

fn append(file: &mut File, line: &Line) -> io::Result<()> {
    let mut text = serde_json::to_vec(line)?;
    text.push(b'\n');
    file.write_all(&text)
}

/// The books of a file, and how many of its bytes are whole lines.
fn reload(file: &File) -> io::Result<(Books, u64)> {
    let mut reader = BufReader::new(file);
    let mut books = Books::default();
    let mut whole_bytes: u64 = 0;
    let mut text = Vec::new();
    loop {
        text.clear();
        let read = reader.read_until(b'\n', &mut text)?;
        if text.pop() != Some(b'\n') {
            return Ok((books, whole_bytes));
        }
        let line = serde_json::from_slice(&text).map_err(|_| {
            io::Error::new(io::ErrorKind::InvalidData, format!("no line of these books at byte {whole_bytes}"))
        })?;
        books.restore(line);
        whole_bytes += read as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_answered_once_the_file_fails() {
        let read_only = File::open(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")).unwrap();
        let desk = Desk { file: Some(read_only), ..Desk::default() };
        let keeper = BookKeeper { desk: Arc::new(Mutex::new(desk)) };
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
