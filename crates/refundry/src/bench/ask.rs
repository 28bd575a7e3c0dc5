//! The requests of a load: which ones, in which proportion, about which orders and refunds.

use bytes::Bytes;
use hyper::{Request, StatusCode, Uri};

use super::client::Access;
use super::dataset::Catalog;
use super::dataset::order::{line_id, lines_of};
use super::random::Random;

/// What a request does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// `POST /v1/refunds`
    Create,
    /// `POST /v1/orders/{id}/quote`
    Quote,
    /// `GET /v1/refunds/{id}`
    Get,
    /// `GET /v1/refunds?order={id}`
    List,
}

impl Kind {
    pub(super) const ALL: [Self; 4] = [Self::Create, Self::Quote, Self::Get, Self::List];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Quote => "quote",
            Self::Get => "get",
            Self::List => "list",
        }
    }

    /// What the server answers when all is well.
    pub(super) fn expected(self) -> StatusCode {
        if self == Self::Create { StatusCode::CREATED } else { StatusCode::OK }
    }
}

/// Where the requests come from.
#[derive(Clone, Debug)]
pub(super) struct Source {
    pub(super) catalog: Catalog,
    /// In every idempotency key, so that a server may be measured again and again.
    pub(super) run: String,
    /// Drawn from with equal chances; a kind that comes more often stands there more often.
    pub(super) mix: &'static [Kind],
    /// Ids of refunds to get.
    pub(super) refunds: Vec<String>,
}

impl Source {
    /// The next request of a connection: its kind and itself.
    pub(super) fn next(
        &self,
        access: &Access,
        random: &mut Random,
        (connection, number): (u32, u32),
    ) -> anyhow::Result<(Kind, Request<Bytes>)> {
        let drawn = random.below(u32::try_from(self.mix.len()).unwrap_or(1)) as usize;
        let kind = self.mix.get(drawn).copied().unwrap_or(Kind::Create);
        let request = match kind {
            Kind::Create => {
                let key = format!("{}-{connection}-{number}", self.run);
                access.post(Uri::from_static("/v1/refunds"), Some(key), self.refund(random))?
            }
            Kind::Quote => {
                let (order, body) = self.unit(random);
                access.post(format!("/v1/orders/{order}/quote").parse()?, None, format!("{{{body}}}"))?
            }
            Kind::Get => {
                let drawn = random.below(u32::try_from(self.refunds.len()).unwrap_or(1).max(1)) as usize;
                let id = self.refunds.get(drawn).map_or("0", String::as_str);
                access.get(format!("/v1/refunds/{id}").parse()?)
            }
            Kind::List => {
                let order = self.catalog.order_id(random.below(self.catalog.size.orders));
                access.get(format!("/v1/refunds?order={order}").parse()?)
            }
        };
        Ok((kind, request))
    }

    /// The body of a refund of one unit, somewhere.
    pub(super) fn refund(&self, random: &mut Random) -> String {
        let (order, ask) = self.unit(random);
        format!(r#"{{"order":"{order}",{ask}}}"#)
    }

    fn unit(&self, random: &mut Random) -> (String, String) {
        let index = random.below(self.catalog.size.orders);
        let line = line_id(random.below(lines_of(&self.catalog, index)));
        let ask = format!(r#""ask":{{"parts":{{"units":[{{"line":"{line}","quantity":1}}]}}}}"#);
        (self.catalog.order_id(index), ask)
    }
}
