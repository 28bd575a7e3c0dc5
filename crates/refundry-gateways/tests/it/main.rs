//! The drivers and the transport over real sockets, against the simulated provider and against peers that misbehave.

mod books;
mod contract;
mod faults;
mod localstripe;
mod merchant;
mod overview;
mod provider;
mod suite;
mod transport;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use refundry_gateways::simulated::{BookKeeper, listen, serve};
use refundry_gateways::{Ask, HttpRequest, Method, Simulated};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// Lets the system choose a free port of this machine.
const ANY_PORT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// A simulated provider on a port of its own.
struct Provider {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Provider {
    fn start(books: BookKeeper) -> Provider {
        let listener = listen(ANY_PORT).expect("a free port");
        let address = listener.local_addr().expect("a bound listener has an address");
        let (stop, stopped) = oneshot::channel();
        let shutdown = async {
            let _ = stopped.await;
        };
        Provider { address, stop, task: tokio::spawn(serve(listener, books, shutdown)) }
    }

    fn gateway(&self) -> Simulated {
        Simulated::remote(&self.url(""))
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    async fn stop(self) {
        self.stop.send(()).expect("the provider is still there");
        self.task.await.expect("the provider ends well");
    }
}

fn ask(leg_id: u64, amount_minor: i64, script: &str) -> Ask {
    Ask {
        leg_id,
        refund_id: 1,
        payment_reference: "pay_1".to_owned(),
        channel: "credit_card".to_owned(),
        amount_minor,
        currency: "USD".to_owned(),
        script: script.to_owned(),
        refund_reference: String::new(),
        key_age_ms: 0,
        now_ms: 1_764_000_000_000,
    }
}

fn get(url: String) -> HttpRequest {
    HttpRequest { method: Method::Get, url, headers: Vec::new(), body: Vec::new() }
}

fn post(url: String, body: &str) -> HttpRequest {
    HttpRequest { method: Method::Post, url, headers: Vec::new(), body: body.as_bytes().to_vec() }
}
