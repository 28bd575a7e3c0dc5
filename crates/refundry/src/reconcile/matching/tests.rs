//! Cases of the comparison, one a row. Times are hours; the span is hours 240 to 480, and the statement holds just that
//! unless a case says otherwise.

use super::*;

const HOUR_MS: i64 = 3_600_000;
const SPAN: (i64, i64) = (240, 480);

/// leg, state, amount, currency, the provider's reference (`-` for none), payment, accepted at, settled at (`-`: not).
type OurRow = &'static str;
/// leg (`-`), reference, standing, amount, currency, payment (`-`), made at (`-`).
type TheirRow = &'static str;

struct Case {
    title: &'static str,
    ours: &'static [OurRow],
    theirs: &'static [TheirRow],
    agreed: usize,
    /// outcome, leg, references, suggestion.
    differences: &'static [&'static str],
    /// currency, ours, theirs.
    sums: &'static [&'static str],
}

const CASES: &[Case] = &[
    Case {
        title: "by leg number, where we have no reference",
        ours: &["1 succeeded 1000 USD - pay_1 300 301"],
        theirs: &["1 re_1 paid 1000 USD pay_1 300"],
        agreed: 1,
        differences: &[],
        sums: &["USD 1000 1000"],
    },
    Case {
        title: "another refund for a leg that was paid is a second one, whichever statement has the first",
        ours: &["1 succeeded 1000 USD re_1 pay_1 300 301", "2 in_doubt 10 USD re_2 pay_1 300 301"],
        theirs: &["1 re_other paid 1000 USD pay_1 300", "2 re_3 paid 10 USD pay_1 300"],
        agreed: 0,
        differences: &["twice_there 1 re_other", "answered 2 re_3"],
        sums: &["USD 1000 1010"],
    },
    Case {
        title: "what a person called failed and was paid after all is what it was taken in as",
        ours: &["1 failed 1000 USD re_1 pay_1 300 301", "2 made 1000 USD re_1 pay_1 310 310"],
        theirs: &["1 re_1 paid 1000 USD pay_1 300"],
        agreed: 1,
        differences: &[],
        sums: &["USD 1000 1000"],
    },
    Case {
        title: "a refund concerns the span if any of its lines does",
        ours: &["1 succeeded 1000 USD re_1 pay_1 200 201"],
        theirs: &["1 re_1 paid 1000 USD pay_1 200", "1 re_1 not_paid 1000 USD pay_1 300"],
        agreed: 0,
        differences: &["state_differs 1 re_1"],
        sums: &["USD 1000 0"],
    },
    Case {
        title: "a leg that was paid after the statement's end is not missing, however long it waited",
        ours: &["1 succeeded 1000 USD re_1 pay_1 300 500", "2 succeeded 10 USD re_2 pay_1 300 479"],
        theirs: &[],
        agreed: 0,
        differences: &["missing_there 2"],
        sums: &["USD 10 0"],
    },
    Case {
        title: "by reference, where the provider keeps no number",
        ours: &["1 succeeded 1000 USD re_1 pay_1 300 301", "2 sent 5 JPY re_2 pay_2 300 -"],
        theirs: &["- re_1 paid 1000 USD - 300", "- re_2 pending 5 JPY - 300"],
        agreed: 2,
        differences: &[],
        sums: &["JPY 0 0", "USD 1000 1000"],
    },
    Case {
        title: "a number that is not ours falls back to the reference",
        ours: &["1 succeeded 1000 USD re_1 pay_1 300 301"],
        theirs: &["77 re_1 paid 1000 USD pay_1 300"],
        agreed: 1,
        differences: &[],
        sums: &["USD 1000 1000"],
    },
    Case {
        title: "one cent less, another currency",
        ours: &["1 succeeded 1000 USD re_1 pay_1 300 301", "2 succeeded 1000 USD re_2 pay_2 300 301"],
        theirs: &["1 re_1 paid 999 USD pay_1 300", "2 re_2 paid 1000 EUR pay_2 300"],
        agreed: 0,
        differences: &["amount_differs 1 re_1", "currency_differs 2 re_2"],
        sums: &["EUR 0 1000", "USD 2000 999"],
    },
    Case {
        title: "paid here only, paid there only, not settled there",
        ours: &[
            "1 succeeded 1000 USD re_1 pay_1 300 301",
            "2 failed 700 USD - pay_2 300 301",
            "3 succeeded 50 USD re_3 pay_3 300 301",
        ],
        theirs: &["1 re_1 not_paid 1000 USD - 300", "2 re_2 paid 700 USD - 300", "3 re_3 pending 50 USD - 300"],
        agreed: 0,
        differences: &["state_differs 1 re_1", "state_differs 2 re_2", "state_differs 3 re_3"],
        sums: &["USD 1050 700"],
    },
    Case {
        title: "figures of what moved no money do not matter",
        ours: &["1 failed 1000 USD - pay_1 300 301"],
        theirs: &["1 re_1 not_paid 1 EUR - 300"],
        agreed: 1,
        differences: &[],
        sums: &["EUR 0 0", "USD 0 0"],
    },
    Case {
        title: "what is open here and over there",
        ours: &["1 sent 1000 USD re_1 pay_1 300 -", "2 sent 10 USD re_2 pay_1 300 -", "3 waiting 20 USD - pay_1 300 -"],
        theirs: &["1 re_1 paid 1000 USD - 300", "2 re_2 not_paid 10 USD - 300", "3 re_3 paid 20 USD - 300"],
        agreed: 0,
        differences: &["settled_there 1 re_1", "settled_there 2 re_2", "settled_there 3 re_3"],
        sums: &["USD 0 1020"],
    },
    Case {
        title: "a leg that waits and is under way there",
        ours: &["1 waiting 20 USD - pay_1 300 -"],
        theirs: &["1 re_1 pending 20 USD - 300"],
        agreed: 0,
        differences: &["state_differs 1 re_1"],
        sums: &["USD 0 0"],
    },
    Case {
        title: "what is in doubt or parked is answered, unless the figures differ",
        ours: &[
            "1 in_doubt 1000 USD - pay_1 300 -",
            "2 parked 10 USD - pay_1 300 -",
            "3 in_doubt 20 USD - pay_1 300 -",
            "4 parked 30 USD - pay_1 300 -",
        ],
        theirs: &[
            "1 re_1 paid 1000 USD - 300",
            "2 re_2 not_paid 10 USD - 300",
            "3 re_3 pending 20 USD - 300",
            "4 re_4 paid 29 USD - 300",
        ],
        agreed: 0,
        differences: &["amount_differs 4 re_4", "answered 1 re_1", "answered 2 re_2", "answered 3 re_3"],
        sums: &["USD 0 1029"],
    },
    Case {
        title: "two refunds for one leg come first",
        ours: &["1 succeeded 5 USD re_1 pay_1 300 301", "2 succeeded 1000 USD re_2 pay_2 300 301"],
        theirs: &["1 re_1 paid 6 USD - 300", "2 re_2 paid 1000 USD - 300", "2 re_3 pending 1000 USD - 300"],
        agreed: 0,
        differences: &["twice_there 2 re_2+re_3", "amount_differs 1 re_1"],
        sums: &["USD 1005 1006"],
    },
    Case {
        title: "an attempt that failed there beside one that was paid is no second payment",
        ours: &["1 succeeded 1000 USD re_2 pay_1 300 301"],
        theirs: &["1 re_1 not_paid 1000 USD - 300", "1 re_2 paid 1000 USD - 300"],
        agreed: 1,
        differences: &[],
        sums: &["USD 1000 1000"],
    },
    Case {
        title: "one refund in several lines counts once, as what came last of it",
        ours: &[
            "1 failed 1000 USD - pay_1 300 400",
            "2 succeeded 10 USD re_2 pay_1 300 301",
            "3 succeeded 20 USD re_3 pay_1 300 301",
        ],
        theirs: &[
            "1 re_1 paid 1000 USD - 300",
            "- re_1 not_paid 1000 USD - 400",
            "2 re_2 paid 10 USD - 300",
            "2 re_2 paid 10 USD - 300",
            "3 re_3 pending 20 USD - 300",
            "3 re_3 paid 20 USD - 301",
        ],
        agreed: 3,
        differences: &[],
        sums: &["USD 30 30"],
    },
    Case {
        title: "lines without a reference are never taken for one",
        ours: &["1 succeeded 10 USD re_1 pay_1 300 301"],
        theirs: &["1 - paid 10 USD - 300", "1 - paid 10 USD - 300"],
        agreed: 0,
        differences: &["twice_there 1 -+-"],
        sums: &["USD 10 20"],
    },
    Case {
        title: "missing there: sent or succeeded, nothing else",
        ours: &[
            "1 succeeded 1000 USD re_1 pay_1 300 301",
            "2 sent 10 USD re_2 pay_1 300 -",
            "3 in_doubt 20 USD - pay_1 300 -",
            "4 waiting 30 USD - pay_1 300 -",
            "5 failed 40 USD - pay_1 300 301",
            "6 parked 50 USD - pay_1 300 -",
        ],
        theirs: &[],
        agreed: 0,
        differences: &["missing_there 1", "missing_there 2"],
        sums: &["USD 1000 0"],
    },
    Case {
        title: "missing here, with nothing to go by",
        ours: &[],
        theirs: &["- re_1 paid 1000 USD - 300", "- re_2 pending 7 USD pay_9 300", "- re_3 not_paid 3 USD pay_9 300"],
        agreed: 1,
        differences: &["missing_here - re_1", "missing_here - re_2"],
        sums: &["USD 0 1000"],
    },
    Case {
        title: "missing on both sides, and probably one and the same",
        ours: &["1 succeeded 1000 USD re_1 pay_1 300 301", "2 succeeded 10 USD re_2 pay_1 300 301"],
        theirs: &["- re_9 paid 1000 USD pay_1 300"],
        agreed: 0,
        differences: &["missing_there 1 line re_9", "missing_there 2", "missing_here - re_9 leg 1 succeeded"],
        sums: &["USD 1010 1000"],
    },
    Case {
        title: "the leg in doubt is the likelier one, and each is likely once",
        ours: &[
            "1 waiting 10 USD - pay_1 300 -",
            "2 succeeded 10 USD re_2 pay_1 300 301",
            "3 parked 10 USD - pay_1 300 -",
            "4 in_doubt 10 USD - pay_1 300 -",
            "5 in_doubt 10 EUR - pay_1 300 -",
            "6 in_doubt 10 USD - pay_2 300 -",
            "7 failed 10 USD - pay_1 300 301",
        ],
        theirs: &[
            "- re_11 paid 10 USD pay_1 300",
            "- re_12 paid 10 USD pay_1 300",
            "- re_13 paid 10 USD pay_1 300",
            "- re_14 paid 10 USD pay_1 300",
            "- re_15 paid 10 USD pay_1 300",
        ],
        agreed: 0,
        differences: &[
            "missing_there 2 line re_13",
            "missing_here - re_11 leg 4 in_doubt",
            "missing_here - re_12 leg 3 parked",
            "missing_here - re_13 leg 2 succeeded",
            "missing_here - re_14 leg 1 waiting",
            "missing_here - re_15",
        ],
        sums: &["USD 10 50"],
    },
    Case {
        title: "an order has the payment, with enough left or not, in its currency or not",
        ours: &[],
        theirs: &[
            "- re_1 paid 500 USD pay_order 300",
            "- re_2 paid 501 USD pay_order 300",
            "- re_3 paid 500 EUR pay_order 300",
            "88 re_4 paid 500 USD pay_order 300",
        ],
        agreed: 0,
        differences: &[
            "missing_here - re_1 order A-1",
            "missing_here - re_2",
            "missing_here - re_3",
            "missing_here - re_4 leg 88 through other",
        ],
        sums: &["EUR 0 500", "USD 0 1501"],
    },
    Case {
        title: "a refund made there that our books took in",
        ours: &[
            "1 made 1000 USD re_1 pay_1 300 300",
            "2 made 10 USD re_2 pay_1 300 300",
            "3 made 9 USD re_3 pay_1 300 300",
        ],
        theirs: &["- re_1 paid 1000 USD pay_1 300", "- re_2 pending 10 USD pay_1 300"],
        agreed: 2,
        differences: &[],
        sums: &["USD 1010 1000"],
    },
    Case {
        title: "what was made outside the span is none of this comparison",
        ours: &[
            "1 succeeded 1000 USD re_1 pay_1 200 201",
            "2 succeeded 10 USD re_2 pay_1 481 482",
            "3 succeeded 20 USD re_3 pay_1 235 245",
        ],
        theirs: &[
            "1 re_1 paid 999 USD pay_1 200",
            "- re_7 paid 7 USD pay_1 480",
            "- re_8 paid 8 USD pay_1 239",
            "3 re_3 paid 20 USD pay_1 240",
        ],
        agreed: 1,
        differences: &[],
        sums: &["USD 20 20"],
    },
    Case {
        title: "a leg is found in the line after the end, so it is not missing",
        ours: &["1 succeeded 10 USD re_1 pay_1 479 481"],
        theirs: &["1 re_1 paid 10 USD pay_1 480"],
        agreed: 0,
        differences: &[],
        sums: &[],
    },
    Case {
        title: "lines that do not say when they were made are always compared",
        ours: &["1 succeeded 10 USD re_1 pay_1 300 301"],
        theirs: &["1 re_1 paid 10 USD pay_1 -", "- re_2 paid 5 USD - -"],
        agreed: 1,
        differences: &["missing_here - re_2"],
        sums: &["USD 10 15"],
    },
];

#[test]
fn every_case_comes_out() {
    for case in CASES {
        let ours: Vec<Ours> = case.ours.iter().map(|row| our(row)).collect();
        let found = compare(&ours, case.theirs.iter().map(|row| their(row)).collect(), &hints(), scope(SPAN));
        let differences: Vec<String> = found.differences.iter().map(shown).collect();
        assert_eq!(differences, case.differences, "{}", case.title);
        assert_eq!(found.agreed, case.agreed, "{}", case.title);
        let sums: Vec<String> = found.sums.iter().map(|(c, sum)| format!("{c} {} {}", sum.ours, sum.theirs)).collect();
        assert_eq!(sums, case.sums, "{}", case.title);
    }
}

/// accepted at, settled at (`-`: not), the end of what the statement holds; then whether it is missed, at the edge, or
/// neither.
const EDGES: &[(&str, i64, &str)] = &[
    ("300 301", 480, "missed"),
    ("455 479", 480, "missed"),
    ("457 480", 480, "at the edge"),
    ("457 -", 480, "at the edge"),
    ("455 -", 480, "missed"),
    ("457 -", 504, "missed"),
    ("479 500", 504, "missed"),
    ("480 481", 480, "neither"),
    ("239 240", 480, "at the edge"),
    ("239 239", 480, "neither"),
    ("217 -", 480, "at the edge"),
    ("215 -", 480, "neither"),
];

#[test]
fn a_leg_at_an_end_of_the_span_may_be_in_the_next_statement() {
    for (times, covered, expected) in EDGES {
        let leg =
            our(&format!("1 {} 10 USD re_1 pay_1 {times}", if times.ends_with('-') { "sent" } else { "succeeded" }));
        let mut scope = scope(SPAN);
        scope.covered.to_ms = covered * HOUR_MS;
        let found = compare(&[leg], Vec::new(), &Hints::default(), scope);
        let told = match (found.differences.len(), found.at_the_edge.len()) {
            (1, 0) => "missed",
            (0, 1) => "at the edge",
            (0, 0) => "neither",
            both => panic!("{both:?}"),
        };
        assert_eq!(told, *expected, "{times} {covered}");
    }
}

#[test]
fn sums_are_wider_than_an_amount() {
    let large = i64::MAX;
    let rows: Vec<Theirs> = (1..=3).map(|n| their(&format!("- re_{n} paid {large} USD - 300"))).collect();
    let found = compare(&[], rows, &Hints::default(), scope(SPAN));
    assert_eq!(found.sums["USD"].theirs, i128::from(large) * 3);
}

fn scope((from, to): (i64, i64)) -> Scope {
    let span = Span { from_ms: from * HOUR_MS, to_ms: to * HOUR_MS };
    Scope { span, covered: span }
}

fn hints() -> Hints {
    let order = OrderHint { order: "A-1".to_owned(), left_minor: 500, currency: "USD".to_owned() };
    Hints {
        orders: BTreeMap::from([("pay_order".to_owned(), vec![order])]),
        elsewhere: BTreeMap::from([(88, "other".to_owned())]),
    }
}

fn our(row: &str) -> Ours {
    let words: Vec<&str> = row.split(' ').collect();
    let [leg, state, amount, currency, reference, payment, created, settled] = words[..] else { panic!("{row}") };
    let text = |word: &str| if word == "-" { String::new() } else { word.to_owned() };
    let at_ms = || hours(settled).expect("a time");
    let (reference, reason) = (text(reference), String::new());
    let state = match state {
        "waiting" => LegState::Waiting,
        "sent" => LegState::Sent,
        "in_doubt" => LegState::InDoubt { reason },
        "parked" => LegState::Parked { reason },
        "failed" => LegState::Failed { at_ms: at_ms(), code: reason.clone(), message: reason },
        "succeeded" | "made" => LegState::Succeeded { at_ms: at_ms() },
        other => panic!("{other}"),
    };
    Ours {
        leg: leg.parse().unwrap(),
        refund: 100 + leg.parse::<Id>().unwrap(),
        order: "A-1".to_owned(),
        payment: text(payment),
        state,
        amount_minor: amount.parse().unwrap(),
        currency: currency.to_owned(),
        created_ms: hours(created).expect("a time"),
        reference,
        made_there: words[1] == "made",
    }
}

fn their(row: &str) -> Theirs {
    let words: Vec<&str> = row.split(' ').collect();
    let [leg, reference, standing, amount, currency, payment, made] = words[..] else { panic!("{row}") };
    let text = |word: &str| if word == "-" { String::new() } else { word.to_owned() };
    let standing = match standing {
        "paid" => Standing::Paid,
        "pending" => Standing::Pending,
        "not_paid" => Standing::NotPaid,
        other => panic!("{other}"),
    };
    let line = StatementLine {
        line: 0,
        refund_reference: text(reference),
        leg_id: leg.parse().ok(),
        payment_reference: text(payment),
        standing,
        amount_minor: amount.parse().unwrap(),
        currency: currency.to_owned(),
        made_ms: hours(made),
    };
    Theirs { place: String::new(), line }
}

fn hours(word: &str) -> Option<i64> {
    (word != "-").then(|| word.parse::<i64>().unwrap() * HOUR_MS)
}

fn shown(difference: &Difference) -> String {
    let leg = difference.ours.as_ref().map_or("-".to_owned(), |leg| leg.leg.to_string());
    let reference = |theirs: &Theirs| match theirs.line.refund_reference.as_str() {
        "" => "-".to_owned(),
        reference => reference.to_owned(),
    };
    let references: Vec<String> = difference.theirs.iter().map(reference).collect();
    let suggestion = difference.suggestion.as_ref().map(|suggestion| match suggestion {
        Suggestion::Leg { leg, state, .. } => format!("leg {leg} {state}"),
        Suggestion::Line { reference, .. } => format!("line {reference}"),
        Suggestion::OtherGateway { leg, gateway } => format!("leg {leg} through {gateway}"),
        Suggestion::Order { order } => format!("order {order}"),
    });
    let words = [difference.outcome.code().to_owned(), leg, references.join("+"), suggestion.unwrap_or_default()];
    words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}
