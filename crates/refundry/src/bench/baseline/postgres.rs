//! The bare loop on `PostgreSQL`: one transaction a refund, 32 clients, prepared statements, every commit on disk.
//!
//! Each client leases and settles its last refund in the transaction that accepts its next one, so that one commit
//! carries both: that is the reading that favours the loop. One statement follows another, as in most programs. Nothing
//! is parsed, decided, journalled or answered, and a refund has one index beside its key.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use anyhow::{Context as _, ensure};
use tokio::task::JoinSet;
use tokio_postgres::{Client, NoTls, Statement};

use super::{BODY, Bare, Done, HASH, LEGS_SENT, LEGS_SETTLED, STORE, SUMS, key, refunds_in, sums};
use crate::bench::random::Random;

/// Clients, each with one transaction under way.
const CLIENTS: u32 = 32;

const TABLES: &str = "
    CREATE TABLE balances (store BIGINT, order_id BIGINT, sums TEXT NOT NULL, PRIMARY KEY (store, order_id));
    CREATE TABLE refunds (store BIGINT, id BIGINT, order_id BIGINT NOT NULL, created_ms BIGINT NOT NULL,
        state TEXT NOT NULL, body TEXT NOT NULL, legs TEXT NOT NULL);
    CREATE TABLE outbox (store BIGINT, leg_id BIGINT, refund_id BIGINT NOT NULL, order_id BIGINT NOT NULL,
        due_ms BIGINT NOT NULL, holder TEXT NOT NULL, PRIMARY KEY (store, leg_id));
    CREATE TABLE keys (store BIGINT, key TEXT, hash TEXT NOT NULL, refund_id BIGINT NOT NULL,
        PRIMARY KEY (store, key));
    SELECT setseed(0.5);";
const FILL_REFUNDS: &str = "
    INSERT INTO refunds SELECT 1, n, floor(random() * $2::BIGINT::DOUBLE PRECISION)::BIGINT, n, 'succeeded', $3, $4
    FROM generate_series(0, $1::BIGINT - 1) n";
const FILL_BALANCES: &str = "
    INSERT INTO balances SELECT 1, n, COALESCE(count, 0) || $2::TEXT
    FROM generate_series(0, $1::BIGINT - 1) n
    LEFT JOIN (SELECT order_id, COUNT(*) AS count FROM refunds GROUP BY order_id) counted ON order_id = n";
// Keys and indexes after the rows, which is quicker and leaves better indexes.
const INDEXES: &str = "
    ALTER TABLE refunds ADD PRIMARY KEY (store, id);
    CREATE INDEX refunds_order ON refunds (store, order_id, id);";

const READ_BALANCE: &str = "SELECT sums FROM balances WHERE store = $1 AND order_id = $2 FOR UPDATE";
const WRITE_BALANCE: &str = "UPDATE balances SET sums = $3 WHERE store = $1 AND order_id = $2";
const ADD_REFUND: &str = "INSERT INTO refunds VALUES ($1, $2, $3, $4, 'pending', $5, $6)";
const ADD_WORK: &str = "INSERT INTO outbox VALUES ($1, $2, $3, $4, 0, '')";
const ADD_KEY: &str = "INSERT INTO keys VALUES ($1, $2, $3, $4)";
const LEASE: &str = "UPDATE outbox SET due_ms = 60000, holder = 'bare' WHERE store = $1 AND leg_id = $2";
const SETTLE: &str = "UPDATE refunds SET state = 'succeeded', legs = $3 WHERE store = $1 AND id = $2";
const END_WORK: &str = "DELETE FROM outbox WHERE store = $1 AND leg_id = $2";

/// Fills a schema of its own on the server, runs the loop, counts what it left behind and removes the schema.
pub(in crate::bench) async fn run(bare: &Bare, url: &str, show: &dyn Fn(&str)) -> anyhow::Result<Done> {
    let schema = format!("refundry_bare_loop_{}", std::process::id());
    let control = connect(url).await?;
    control.batch_execute(&format!("CREATE SCHEMA {schema}; SET search_path TO {schema}")).await?;
    let done = measure(bare, url, &schema, &control, show).await;
    let dropped = control.batch_execute(&format!("DROP SCHEMA {schema} CASCADE")).await;
    let done = done?;
    dropped.context("the bare loop's schema cannot be removed")?;
    Ok(done)
}

async fn connect(url: &str) -> anyhow::Result<Client> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.context("cannot reach the database")?;
    // How it ends is told by the statement under way.
    tokio::spawn(async move { drop(connection.await) });
    Ok(client)
}

async fn measure(bare: &Bare, url: &str, schema: &str, control: &Client, show: &dyn Fn(&str)) -> anyhow::Result<Done> {
    show("filling the bare loop's tables");
    let (orders, refunds) = (i64::from(bare.size.orders), i64::from(bare.size.refunds));
    control.batch_execute(TABLES).await?;
    control.execute(FILL_REFUNDS, &[&refunds, &orders, &BODY, &LEGS_SETTLED]).await?;
    control.execute(FILL_BALANCES, &[&orders, &SUMS]).await?;
    control.batch_execute(INDEXES).await?;
    control.batch_execute("VACUUM ANALYZE").await?;
    let mut clients = Vec::new();
    for number in 0..CLIENTS {
        let client = connect(url).await?;
        client.batch_execute(&format!("SET search_path TO {schema}; SET synchronous_commit TO on")).await?;
        clients.push(BareClient::new(client, Random::new(bare.size.seed, number)).await?);
    }
    show("running the bare loop");
    let begin = Instant::now() + bare.warmup;
    let end = begin + bare.window;
    let counts = Arc::new(Counts { next: AtomicI64::new(refunds), orders: bare.size.orders, measured: Mutex::new(0) });
    let mut running = JoinSet::new();
    for client in clients {
        running.spawn(client.run(Arc::clone(&counts), begin, end));
    }
    while let Some(done) = running.join_next().await {
        done.context("a client panicked")??;
    }
    let took = begin.elapsed();
    verify(control, counts.next.load(Ordering::Relaxed), refunds).await?;
    let measured = *counts.measured.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(Done { refunds: measured, took })
}

/// What all clients share.
struct Counts {
    /// The number of the next refund.
    next: AtomicI64,
    orders: u32,
    /// Refunds accepted in the window.
    measured: Mutex<u64>,
}

struct BareClient {
    client: Client,
    random: Random,
    read_balance: Statement,
    write_balance: Statement,
    add_refund: Statement,
    add_work: Statement,
    add_key: Statement,
    lease: Statement,
    settle: Statement,
    end_work: Statement,
}

impl BareClient {
    async fn new(client: Client, random: Random) -> anyhow::Result<Self> {
        Ok(Self {
            read_balance: client.prepare(READ_BALANCE).await?,
            write_balance: client.prepare(WRITE_BALANCE).await?,
            add_refund: client.prepare(ADD_REFUND).await?,
            add_work: client.prepare(ADD_WORK).await?,
            add_key: client.prepare(ADD_KEY).await?,
            lease: client.prepare(LEASE).await?,
            settle: client.prepare(SETTLE).await?,
            end_work: client.prepare(END_WORK).await?,
            client,
            random,
        })
    }

    /// Accepts one refund after another until the window ends, then settles the last.
    async fn run(mut self, counts: Arc<Counts>, begin: Instant, end: Instant) -> anyhow::Result<()> {
        let (mut last, mut measured) = (None, 0);
        loop {
            let started = Instant::now();
            if started >= end {
                break;
            }
            last = Some(self.accept(&counts, last).await?);
            measured += u64::from(started >= begin);
        }
        if let Some(last) = last {
            self.client.batch_execute("BEGIN").await?;
            self.settle(last).await?;
            self.client.batch_execute("COMMIT").await?;
        }
        *counts.measured.lock().unwrap_or_else(PoisonError::into_inner) += measured;
        Ok(())
    }

    /// One transaction: what became of the last refund, and one of a random order. Gives the new refund's number.
    async fn accept(&mut self, counts: &Counts, last: Option<i64>) -> anyhow::Result<i64> {
        let id = counts.next.fetch_add(1, Ordering::Relaxed);
        let order = i64::from(self.random.below(counts.orders));
        let key = key(&mut self.random);
        self.client.batch_execute("BEGIN").await?;
        if let Some(last) = last {
            self.settle(last).await?;
        }
        let row = self.client.query_one(&self.read_balance, &[&STORE, &order]).await?;
        let count = refunds_in(row.try_get(0)?).context("a balance has a count")?;
        self.client.execute(&self.write_balance, &[&STORE, &order, &sums(count + 1)]).await?;
        self.client.execute(&self.add_refund, &[&STORE, &id, &order, &id, &BODY, &LEGS_SENT]).await?;
        self.client.execute(&self.add_work, &[&STORE, &id, &id, &order]).await?;
        self.client.execute(&self.add_key, &[&STORE, &key, &HASH, &id]).await?;
        self.client.batch_execute("COMMIT").await?;
        Ok(id)
    }

    async fn settle(&self, refund: i64) -> anyhow::Result<()> {
        let leased = self.client.execute(&self.lease, &[&STORE, &refund]).await?;
        let settled = self.client.execute(&self.settle, &[&STORE, &refund, &LEGS_SETTLED]).await?;
        let ended = self.client.execute(&self.end_work, &[&STORE, &refund]).await?;
        ensure!((leased, settled, ended) == (1, 1, 1), "a refund is leased and settled once");
        Ok(())
    }
}

/// Counts the rows: a loop that lost some would be fast for nothing.
async fn verify(control: &Client, refunds: i64, before: i64) -> anyhow::Result<()> {
    let count = async |sql: &str| control.query_one(sql, &[]).await?.try_get::<_, i64>(0);
    ensure!(count("SELECT COUNT(*) FROM refunds").await? == refunds, "the bare loop lost refunds");
    let settled = count("SELECT COUNT(*) FROM refunds WHERE state = 'succeeded'").await?;
    ensure!(settled == refunds, "the bare loop left refunds unsettled");
    ensure!(count("SELECT COUNT(*) FROM outbox").await? == 0, "the bare loop left work undone");
    ensure!(count("SELECT COUNT(*) FROM keys").await? == refunds - before, "the bare loop lost keys");
    let balances = count("SELECT SUM(split_part(sums, '|', 1)::BIGINT)::BIGINT FROM balances").await?;
    ensure!(balances == refunds, "the bare loop's balances say {balances}, not {refunds}");
    Ok(())
}
