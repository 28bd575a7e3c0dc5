//! What the figures mean; the end of `refundry bench --help`.

pub(super) const FIGURES: &str = "\
Scenarios:
  create       A refund of one unit of a random line of a random order, each with an Idempotency-Key of its own.
  quote get    A quote of the same; one refund by its id.
  mixed        Of ten requests five create, two quote, two get a refund and one lists the refunds of an order.
  list         GET /v1/refunds under each filter, alone, with an order, and with 30 days of creation; then the lists of
               the other APIs. Each case is asked for --duration, from 4 connections; nothing is warmed up.
  order-list   Lists of orders, ten a page with their documents, under each filter and where a page may start, under
               pairs of filters, and how many each has; then after-sales cases, twenty a page: read in this process, for
               --duration each, by 1 reader.
  engine       create without HTTP: the engine in this process, 64 callers, the provider in the process too.
  one-order    10,000 refunds of one order, one after another. `last to first` is the median latency of the last
               hundred divided by that of the first hundred, after 500 refunds of another order.
  large-order  Full refunds of 200 orders with 1,000 lines each, one after another, through /v1.
  import       `refundry import` of --orders orders (20,000) from one NDJSON file: native, then each platform's own
               JSON; the whole process from start to end.
  start        Ten starts of a server on the data set: from the start of the process until it has answered a list.
  baseline     The bare loop alone (see below).

Data set:
  Before the load, --orders orders with --refunds refunds are made in this process through the engine's intake, as an
  import makes them: one to four lines, tax inside or on top, one or two payments, two years of history, stock keeping
  units and reasons of which few are common and many are rare. With refunds, one in 250 more is declined by the
  provider and one in 10,000 stays pending. The same size and --seed make the same data. With --data (or --database)
  it stays and the next run finds it; what the runs themselves add stays as well. With --url, orders without refunds
  are imported over HTTP instead.

Load:
  Without --rate every connection sends its next request when the answer is there (a closed loop), so a slow server is
  asked less: read the latency together with the rate. With --rate requests are sent on a fixed schedule whatever the
  answers do (an open loop), and latency counts from the scheduled time, so that waiting for a free connection counts
  (no coordinated omission); the timer is exact to a millisecond. Figures are of --duration, after --warmup.

Figures:
  settled refunds/s    Refunds accepted in the window, divided by the window plus the time to settle the rest: from
                       the end of the window until the server answers that no refund made by this run is pending any
                       more. That time is asked for every 20 ms, for 60 s at most. Refunds left over from the warm-up
                       and those answered after the window are settled in it too, and not counted.
  accepted refunds/s   Refunds accepted in the window, divided by the window. Accepted is what was answered with 201:
                       decided, committed to disk, and sure to be paid out, but maybe not yet.
  requests/s           Good answers of any kind in the window, divided by the window.
  p50 ... max          Time from just before the request is written (with --rate: from its scheduled time) until the
                       whole answer is read, in milliseconds; three digits are exact. --json gives microseconds.
  bare loop            With --baseline: refunds that a loop settles which does only what the disk asks for, on the same
                       disk, with as many rows as the data set (what earlier runs added is not counted), for the same
                       time, after the server is stopped. On SQLite one connection, 128 refunds a transaction; on
                       PostgreSQL 32 clients, one transaction a refund. The loops are two files to read:
                       crates/refundry/src/bench/baseline/sqlite.rs and postgres.rs.
  ratio                The first rate divided by the bare loop's.
  jobs/transaction     What the writer committed together, from the server's /metrics: a refund is a job when it is
                       accepted, and again when the gateway's answer is recorded.
  memory               What the server's process holds after the load, and the most it ever held (VmRSS, VmHWM); for
                       `engine`, this process.
  errors               Answers that were not as they should be and connections lost, the warm-up included. With any,
                       the exit code is 1 and the first of them is shown.

Commits are durable: the server answers after its database has the refund on disk. A folder in memory (tmpfs) makes
that look free; without --data the folder is in the system's place for temporary files, and the report names its file
system. Load and server share this machine's processors unless --url names another machine. Nothing else should talk
to the server during the run.";
