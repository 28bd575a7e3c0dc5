//! Hands the writer's answers to the tasks that wait for them, a batch at a time.
//!
//! The writer answers a whole batch at once. Waking one task per answer from its thread would cost a system call each;
//! it drops them into this box instead and wakes one task, which wakes the others from inside the runtime.

use std::sync::{Arc, Mutex, PoisonError};

use refundry_engine::accept::Outcome;
use refundry_engine::store::{LaneError, Reply};
use tokio::sync::{Notify, oneshot};

/// What became of a job.
pub(crate) type Answer = Result<Outcome, LaneError>;

/// An answer and who waits for it.
type Letter = (oneshot::Sender<Answer>, Answer);

/// Answers on their way.
#[derive(Clone, Default)]
pub(crate) struct Mailbox {
    letters: Arc<Mutex<Vec<Letter>>>,
    arrived: Arc<Notify>,
}

impl Mailbox {
    /// A box, and the task that empties it for as long as the runtime lives.
    pub(crate) fn start() -> Self {
        let mailbox = Self::default();
        tokio::spawn(mailbox.clone().deliver());
        mailbox
    }

    /// A reply for the writer, and where its answer will be.
    pub(crate) fn reply(&self) -> (Reply<Outcome>, oneshot::Receiver<Answer>) {
        let (sender, receiver) = oneshot::channel();
        let mailbox = self.clone();
        let reply = Box::new(move |answer| {
            let mut letters = mailbox.letters.lock().unwrap_or_else(PoisonError::into_inner);
            letters.push((sender, answer));
            let first = letters.len() == 1;
            drop(letters);
            if first {
                mailbox.arrived.notify_one();
            }
        });
        (reply, receiver)
    }

    async fn deliver(self) {
        loop {
            self.arrived.notified().await;
            let letters = std::mem::take(&mut *self.letters.lock().unwrap_or_else(PoisonError::into_inner));
            for (sender, answer) in letters {
                // A caller that is gone needs no answer.
                let _ = sender.send(answer);
            }
        }
    }
}
