//! Starts a throwaway cluster, prints its URL, and keeps it until standard input ends: for a look at it by hand.

use std::io::Read as _;

use refundry_test_postgres::{Cluster, Options};

#[expect(clippy::print_stdout, reason = "the URL is what this command is for")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let cluster = Cluster::start(&Options::default())?;
    println!("{}", cluster.url("postgres"));
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}
