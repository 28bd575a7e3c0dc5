//! The parts of the benchmark that can be wrong without anybody noticing: schedules, counts, data sets, what is shown.

mod data;
mod loads;
mod shown;

use clap::Parser;

use super::args::BenchArgs;

/// The options as a command line gives them.
#[derive(Parser)]
struct Line {
    #[command(flatten)]
    bench: BenchArgs,
}

fn parsed(words: &[&str]) -> BenchArgs {
    Line::parse_from(["bench"].iter().chain(words)).bench
}

fn refused(words: &[&str]) -> bool {
    Line::try_parse_from(["bench"].iter().chain(words)).is_err()
}
