//! A wire between a worker and its provider that is listened to, and can be held up.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use crate::harness::Process;

/// What does not get through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Hold {
    #[default]
    Nothing,
    /// The provider does what it is asked for; nobody hears of it.
    Answers,
    /// The provider hears of nothing, and nobody of what it did before.
    Requests,
}

/// A port before a provider's.
pub(super) struct Dam {
    address: String,
    wires: Arc<Wires>,
}

#[derive(Default)]
struct Wires {
    hold: Mutex<Hold>,
    heard: Mutex<Vec<String>>,
}

impl Dam {
    pub(super) fn before(provider: &Process) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let (wires, target) = (Arc::new(Wires::default()), provider.address.clone());
        let accepting = Arc::clone(&wires);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                // A provider that is gone looks like one that closes at once.
                if let Ok(provider) = TcpStream::connect(&target) {
                    accepting.pass(client, provider);
                }
            }
        });
        Self { address, wires }
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(super) fn hold(&self, hold: Hold) {
        *self.wires.hold.lock().expect("no wire panicked") = hold;
    }

    /// Requests so far, in their order; each is what was read at once.
    pub(super) fn heard(&self) -> Vec<String> {
        self.wires.heard.lock().expect("no wire panicked").clone()
    }

    /// The requests that tell of a leg.
    pub(super) fn heard_of(&self, leg: &str) -> Vec<String> {
        self.heard().into_iter().filter(|request| request.contains(leg)).collect()
    }
}

impl Wires {
    fn pass(self: &Arc<Self>, client: TcpStream, provider: TcpStream) {
        let clones = (client.try_clone(), provider.try_clone());
        let (Ok(to_client), Ok(from_provider)) = clones else { return };
        let (up, down) = (Arc::clone(self), Arc::clone(self));
        thread::spawn(move || {
            let note = |chunk: &[u8]| {
                let mut heard = up.heard.lock().expect("no wire panicked");
                heard.push(String::from_utf8_lossy(chunk).into_owned());
            };
            carry(client, provider, |chunk| {
                note(chunk);
                up.hold() != Hold::Requests
            });
        });
        thread::spawn(move || carry(from_provider, to_client, |_| down.hold() == Hold::Nothing));
    }

    fn hold(&self) -> Hold {
        *self.hold.lock().expect("no wire panicked")
    }
}

/// Carries bytes one way until either end is closed; what does not pass is lost.
fn carry(mut from: TcpStream, mut to: TcpStream, passes: impl Fn(&[u8]) -> bool) {
    let mut bytes = vec![0; 1 << 16];
    while let Ok(count @ 1..) = from.read(&mut bytes) {
        let chunk = &bytes[..count];
        if passes(chunk) && to.write_all(chunk).is_err() {
            break;
        }
    }
    for stream in [&from, &to] {
        // The other direction may have ended both already.
        let _ = stream.shutdown(Shutdown::Both);
    }
}
