//! The bare loop on `SQLite`: one connection, prepared statements, 128 refunds a commit, every commit on disk.
//!
//! A transaction settles the 128 refunds of the one before it and accepts 128 new ones, so that one commit carries
//! both. The clock stops when the last refund is settled. In favour of the loop: nothing is parsed, decided,
//! journalled or answered; a refund has one index beside its key; tables are kept in the order of their keys (one
//! B-tree each); and one thread does it all, so nobody waits for anybody.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, Statement, params};

use super::{BODY, Bare, Done, HASH, LEGS_SENT, LEGS_SETTLED, STORE, key, refunds_in, sums};
use crate::bench::random::Random;

/// Refunds in one transaction.
const BATCH: u32 = 128;
/// The log is copied into the database each time it grew by this many pages, by another thread; as our store does.
const CHECKPOINT_PAGES: i32 = 4_096;
/// From this many pages on, the loop makes the log start over.
const RESTART_PAGES: i32 = 32_768;

const SCHEMA: &str = "
    CREATE TABLE balances (store BIGINT, order_id BIGINT, sums TEXT NOT NULL,
        PRIMARY KEY (store, order_id)) WITHOUT ROWID;
    CREATE TABLE refunds (store BIGINT, id BIGINT, order_id BIGINT NOT NULL, created_ms BIGINT NOT NULL,
        state TEXT NOT NULL, body TEXT NOT NULL, legs TEXT NOT NULL, PRIMARY KEY (store, id)) WITHOUT ROWID;
    CREATE TABLE outbox (store BIGINT, leg_id BIGINT, refund_id BIGINT NOT NULL, order_id BIGINT NOT NULL,
        due_ms BIGINT NOT NULL, holder TEXT NOT NULL, PRIMARY KEY (store, leg_id)) WITHOUT ROWID;
    CREATE TABLE keys (store BIGINT, key TEXT, hash TEXT NOT NULL, refund_id BIGINT NOT NULL,
        PRIMARY KEY (store, key)) WITHOUT ROWID;";
const ORDER_INDEX: &str = "CREATE INDEX refunds_order ON refunds (store, order_id, id)";

const READ_BALANCE: &str = "SELECT sums FROM balances WHERE store = ?1 AND order_id = ?2";
const WRITE_BALANCE: &str = "UPDATE balances SET sums = ?3 WHERE store = ?1 AND order_id = ?2";
const ADD_BALANCE: &str = "INSERT INTO balances VALUES (?1, ?2, ?3)";
const ADD_REFUND: &str = "INSERT INTO refunds VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
const ADD_WORK: &str = "INSERT INTO outbox VALUES (?1, ?2, ?3, ?4, 0, '')";
const ADD_KEY: &str = "INSERT INTO keys VALUES (?1, ?2, ?3, ?4)";
const LEASE: &str = "UPDATE outbox SET due_ms = ?2, holder = 'bare' WHERE store = ?1 AND due_ms <= ?3
    RETURNING leg_id, refund_id";
const SETTLE: &str = "UPDATE refunds SET state = 'succeeded', legs = ?3 WHERE store = ?1 AND id = ?2";
const END_WORK: &str = "DELETE FROM outbox WHERE store = ?1 AND leg_id = ?2";

/// Fills a database of its own in `folder`, runs the loop and counts what it left behind. `show` is told what it does.
pub(in crate::bench) fn run(bare: &Bare, folder: &Path, show: &dyn Fn(&str)) -> anyhow::Result<Done> {
    let file = folder.join("bare.db");
    let mut conn = Connection::open(&file).context("cannot open a database for the bare loop")?;
    show("filling the bare loop's tables");
    fill(&mut conn, bare)?;
    let checkpoints = Checkpoints::start(Connection::open(&file)?, &mut conn)?;
    show("running the bare loop");
    let (done, accepted) = work(&conn, bare, &checkpoints)?;
    checkpoints.stop(&mut conn)?;
    verify(&conn, bare, accepted)?;
    Ok(done)
}

/// As many rows as the data set has. This part is not measured, so it is not durable.
fn fill(conn: &mut Connection, bare: &Bare) -> anyhow::Result<()> {
    // Plans that depend on no value: otherwise a statement may be prepared anew at each use.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    conn.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF; PRAGMA cache_size = -65536;")?;
    conn.execute_batch(SCHEMA)?;
    let tx = conn.transaction()?;
    {
        let mut random = Random::new(bare.size.seed, 0);
        let mut refund = tx.prepare(ADD_REFUND)?;
        let mut counts = vec![0_u64; bare.size.orders as usize];
        for id in 0..i64::from(bare.size.refunds) {
            let order = random.below(bare.size.orders);
            if let Some(count) = counts.get_mut(order as usize) {
                *count += 1;
            }
            refund.execute(params![STORE, id, order, id, "succeeded", BODY, LEGS_SETTLED])?;
        }
        let mut balance = tx.prepare(ADD_BALANCE)?;
        for (order, count) in (0_i64..).zip(counts) {
            balance.execute(params![STORE, order, sums(count)])?;
        }
    }
    tx.execute_batch(ORDER_INDEX)?;
    tx.commit()?;
    conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    conn.execute_batch("PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0;")?;
    Ok(())
}

/// Runs batches until the window ends; also gives how many refunds were accepted, the warm-up included.
fn work(conn: &Connection, bare: &Bare, checkpoints: &Checkpoints) -> anyhow::Result<(Done, u64)> {
    let mut statements = Statements::of(conn)?;
    let mut refunds = Refunds {
        next: i64::from(bare.size.refunds),
        orders: bare.size.orders,
        random: Random::new(bare.size.seed, 1),
    };
    let begin = Instant::now() + bare.warmup;
    let end = begin + bare.window;
    let (mut accepted, mut measured, mut since) = (0, 0, None);
    while Instant::now() < end {
        if since.is_none() && Instant::now() >= begin {
            since = Some(Instant::now());
        }
        statements.begin.execute([])?;
        statements.settle_all()?;
        for _ in 0..BATCH {
            statements.accept(&mut refunds)?;
        }
        statements.commit.execute([])?;
        accepted += u64::from(BATCH);
        measured += if since.is_some() { u64::from(BATCH) } else { 0 };
        checkpoints.restart_if_long(conn)?;
    }
    statements.begin.execute([])?;
    statements.settle_all()?;
    statements.commit.execute([])?;
    let took = since.context("the window is shorter than one batch")?.elapsed();
    Ok((Done { refunds: measured, took }, accepted))
}

/// Where the next refund comes from.
struct Refunds {
    next: i64,
    orders: u32,
    random: Random,
}

struct Statements<'c> {
    begin: Statement<'c>,
    commit: Statement<'c>,
    read_balance: Statement<'c>,
    write_balance: Statement<'c>,
    add_refund: Statement<'c>,
    add_work: Statement<'c>,
    add_key: Statement<'c>,
    lease: Statement<'c>,
    settle: Statement<'c>,
    end_work: Statement<'c>,
}

impl<'c> Statements<'c> {
    fn of(conn: &'c Connection) -> anyhow::Result<Self> {
        Ok(Self {
            begin: conn.prepare("BEGIN IMMEDIATE")?,
            commit: conn.prepare("COMMIT")?,
            read_balance: conn.prepare(READ_BALANCE)?,
            write_balance: conn.prepare(WRITE_BALANCE)?,
            add_refund: conn.prepare(ADD_REFUND)?,
            add_work: conn.prepare(ADD_WORK)?,
            add_key: conn.prepare(ADD_KEY)?,
            lease: conn.prepare(LEASE)?,
            settle: conn.prepare(SETTLE)?,
            end_work: conn.prepare(END_WORK)?,
        })
    }

    /// One refund of a random order: its balance, itself, its work, its key.
    fn accept(&mut self, refunds: &mut Refunds) -> anyhow::Result<()> {
        let id = refunds.next;
        refunds.next += 1;
        let order = refunds.random.below(refunds.orders);
        let before: String = self.read_balance.query_row(params![STORE, order], |row| row.get(0))?;
        let count = refunds_in(&before).context("a balance has a count")?;
        self.write_balance.execute(params![STORE, order, sums(count + 1)])?;
        self.add_refund.execute(params![STORE, id, order, id, "pending", BODY, LEGS_SENT])?;
        self.add_work.execute(params![STORE, id, id, order])?;
        self.add_key.execute(params![STORE, key(&mut refunds.random), HASH, id])?;
        Ok(())
    }

    /// Leases all work there is, in one statement, and settles it.
    fn settle_all(&mut self) -> anyhow::Result<()> {
        let rows = self.lease.query_map(params![STORE, 60_000, 0], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let leased = rows.collect::<Result<Vec<(i64, i64)>, _>>()?;
        for (leg, refund) in leased {
            self.settle.execute(params![STORE, refund, LEGS_SETTLED])?;
            self.end_work.execute(params![STORE, leg])?;
        }
        Ok(())
    }
}

/// Copies the log into the database on a thread and a connection of its own, which is faster than doing it in between:
/// the loop goes on meanwhile. See `refundry-store`'s checkpoint.rs, which does the same.
struct Checkpoints {
    pages: Arc<AtomicI32>,
    thread: JoinHandle<()>,
}

impl Checkpoints {
    fn start(mut own: Connection, writer: &mut Connection) -> anyhow::Result<Self> {
        own.busy_timeout(Duration::from_secs(1))?;
        own.execute_batch("PRAGMA synchronous = FULL;")?;
        let (wanted, wishes): (SyncSender<()>, Receiver<()>) = sync_channel(1);
        let pages = Arc::new(AtomicI32::new(0));
        let (seen, mut tried_at) = (Arc::clone(&pages), 0);
        writer.wal_hook(Some(move |_: &mut rusqlite::hooks::Wal, pages: i32| {
            seen.store(pages, Ordering::Relaxed);
            tried_at = if pages < tried_at { 0 } else { tried_at };
            if pages - tried_at >= CHECKPOINT_PAGES {
                tried_at = pages;
                // A full channel says that one is under way.
                let _ = wanted.try_send(());
            }
            Ok(())
        }))?;
        let thread = thread::spawn(move || {
            while wishes.recv().is_ok() {
                // One that fails is made up for by the next.
                let _ = passive(&mut own);
            }
        });
        Ok(Self { pages, thread })
    }

    /// Waits for the last one.
    fn stop(self, writer: &mut Connection) -> anyhow::Result<()> {
        writer.wal_hook(None::<fn(&mut rusqlite::hooks::Wal, i32) -> rusqlite::Result<()>>)?;
        self.thread.join().map_err(|_| anyhow::anyhow!("a checkpoint of the bare loop panicked"))
    }

    /// A writer that never pauses would let the log grow for ever.
    fn restart_if_long(&self, conn: &Connection) -> anyhow::Result<()> {
        if self.pages.load(Ordering::Relaxed) >= RESTART_PAGES {
            conn.query_row("PRAGMA wal_checkpoint(RESTART)", [], |_| Ok(()))?;
        }
        Ok(())
    }
}

fn passive(conn: &mut Connection) -> rusqlite::Result<()> {
    conn.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))
}

/// Counts the rows: a loop that lost some would be fast for nothing.
fn verify(conn: &Connection, bare: &Bare, accepted: u64) -> anyhow::Result<()> {
    let count = |sql: &str| conn.query_row(sql, [], |row| row.get::<_, i64>(0)).map(i64::unsigned_abs);
    let refunds = u64::from(bare.size.refunds) + accepted;
    ensure!(count("SELECT COUNT(*) FROM refunds")? == refunds, "the bare loop lost refunds");
    let settled = count("SELECT COUNT(*) FROM refunds WHERE state = 'succeeded'")?;
    ensure!(settled == refunds, "the bare loop left refunds unsettled");
    ensure!(count("SELECT COUNT(*) FROM outbox")? == 0, "the bare loop left work undone");
    ensure!(count("SELECT COUNT(*) FROM keys")? == accepted, "the bare loop lost keys");
    let balances = count("SELECT SUM(CAST(substr(sums, 1, instr(sums, '|') - 1) AS INTEGER)) FROM balances")?;
    ensure!(balances == refunds, "the bare loop's balances say {balances}, not {refunds}");
    Ok(())
}
