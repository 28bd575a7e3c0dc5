//! A wire between a client and the server that can be cut at the worst moment.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use crate::Error;

/// How a client that commits in a simple query says so, and how the server says that it did.
const COMMIT: &[u8] = b"COMMIT\0";

/// Where the next commit is cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// The server never hears of it, and takes the transaction back.
    BeforeCommit,
    /// The server does it; the client never hears of that.
    AfterCommit,
}

/// Passes connections on to a server. It runs until the process ends; connections end with their client.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    server_url: String,
    wires: Arc<Wires>,
}

#[derive(Debug, Default)]
struct Wires {
    armed: Mutex<Option<Cut>>,
    open: Mutex<Vec<TcpStream>>,
    cuts: Mutex<u32>,
}

impl Proxy {
    /// Listens on a port that the system picks, before the server of this URL, which must name its port.
    pub fn start(server_url: &str) -> Result<Self, Error> {
        let failed = |error: std::io::Error| Error::new(format!("no proxy: {error}"));
        let target = authority(server_url)?.1.to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let wires = Arc::new(Wires::default());
        let accepting = Arc::clone(&wires);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let wires = Arc::clone(&accepting);
                // A server that is away looks to the client like one that closes at once.
                if let Ok(server) = TcpStream::connect(&target) {
                    wires.pass(client, server);
                }
            }
        });
        Ok(Self { address, server_url: server_url.to_owned(), wires })
    }

    /// The server's URL with this proxy in its place.
    pub fn url(&self) -> String {
        // It was taken apart when the proxy was started.
        let (user, target) = authority(&self.server_url).unwrap_or_default();
        self.server_url.replacen(&format!("{user}{target}"), &format!("{user}{}", self.address), 1)
    }

    /// Cuts the connection over which the next commit goes.
    pub fn cut_next(&self, cut: Cut) {
        *lock(&self.wires.armed) = Some(cut);
    }

    /// Cuts every connection there is.
    pub fn cut_all(&self) {
        for stream in lock(&self.wires.open).drain(..) {
            // It may have ended by itself.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// How many commits were cut off.
    pub fn cuts(&self) -> u32 {
        *lock(&self.wires.cuts)
    }
}

impl Wires {
    fn pass(self: Arc<Self>, client: TcpStream, server: TcpStream) {
        let clones = (client.try_clone(), server.try_clone(), client.try_clone(), server.try_clone());
        let (Ok(to_client), Ok(from_server), Ok(known_client), Ok(known_server)) = clones else { return };
        lock(&self.open).extend([known_client, known_server]);
        let unheard = Arc::new(AtomicBool::new(false));
        let (ours, heard) = (self, Arc::clone(&unheard));
        thread::spawn(move || ours.upstream(client, server, &heard));
        thread::spawn(move || downstream(from_server, to_client, &unheard));
    }

    fn upstream(&self, mut client: TcpStream, mut server: TcpStream, unheard: &AtomicBool) {
        let mut bytes = vec![0; 1 << 16];
        while let Ok(count @ 1..) = client.read(&mut bytes) {
            let chunk = bytes.get(..count).unwrap_or_default();
            if contains(chunk, COMMIT)
                && let Some(cut) = lock(&self.armed).take()
            {
                *lock(&self.cuts) += 1;
                match cut {
                    Cut::BeforeCommit => break,
                    Cut::AfterCommit => unheard.store(true, Ordering::SeqCst),
                }
            }
            if server.write_all(chunk).is_err() {
                break;
            }
        }
        end(&client, &server);
    }
}

fn downstream(mut server: TcpStream, mut client: TcpStream, unheard: &AtomicBool) {
    let mut bytes = vec![0; 1 << 16];
    while let Ok(count @ 1..) = server.read(&mut bytes) {
        let chunk = bytes.get(..count).unwrap_or_default();
        if unheard.load(Ordering::SeqCst) {
            if contains(chunk, COMMIT) {
                break;
            }
        } else if client.write_all(chunk).is_err() {
            break;
        }
    }
    end(&client, &server);
}

fn end(one: &TcpStream, other: &TcpStream) {
    for stream in [one, other] {
        // The other direction may have ended both already.
        let _ = stream.shutdown(Shutdown::Both);
    }
}

fn contains(chunk: &[u8], wanted: &[u8]) -> bool {
    chunk.windows(wanted.len()).any(|window| window == wanted)
}

/// The user with its `@`, and host and port, of a URL.
fn authority(url: &str) -> Result<(&str, &str), Error> {
    let rest = url.split_once("://").map(|(_, rest)| rest);
    let authority = rest.and_then(|rest| rest.split(['/', '?']).next());
    let authority = authority.ok_or_else(|| Error::new(format!("not a URL of a PostgreSQL server: {url}")))?;
    let at = authority.rfind('@').map_or(0, |at| at + 1);
    Ok(authority.split_at(at))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
