//! The tables of `docs/gateways/README.md`, written from what the drivers say of themselves. With
//! `REFUNDRY_GOLDEN=write` in the environment the page is written instead of compared.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use refundry_gateways::drivers::{DRIVERS, Driver};
use refundry_gateways::{Delivery, Gateway, Heard, KeyMemory, Settings, SettledBy, Span};

const WRITE: &str = "REFUNDRY_GOLDEN";

/// Settings that are checked for more than being there.
const SAMPLES: &[(&str, &str, &str)] = &[
    ("adyen", "hmac_key", "00ff"),
    ("http", "secret", "a-secret-of-24-characters-or-more"),
    ("stripe", "secret_key", "sk_test_1"),
];

#[test]
fn the_tables_are_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/gateways/README.md");
    let page = fs::read_to_string(&path).expect("the page is there");
    let mut fresh = page.clone();
    for (mark, table) in [("drivers", abilities()), ("settings", settings())] {
        let (before, rest) = fresh.split_once(&format!("<!-- {mark} -->\n")).expect("the page has the mark");
        let (_, after) = rest.split_once("<!-- end -->").expect("the mark has an end");
        fresh = format!("{before}<!-- {mark} -->\n{table}<!-- end -->{after}");
    }
    if std::env::var(WRITE).is_ok_and(|mode| mode == "write") {
        fs::write(&path, fresh).expect("the page can be written");
        return;
    }
    assert_eq!(page, fresh, "refresh it: {WRITE}=write cargo test -p refundry-gateways --test it overview");
}

#[test]
fn every_driver_that_hears_says_where_its_webhooks_go() {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/gateways/README.md"));
    let page = page.expect("the page is there");
    let (_, webhooks) = page.split_once("| Driver | Where the address goes |").expect("the table is there");
    for driver in DRIVERS {
        let listed = webhooks.contains(&format!("\n| `{}` |", driver.name));
        assert_eq!(listed, hears(&*opened(driver)), "{}", driver.name);
    }
}

fn abilities() -> String {
    let header = "| Driver | Pays through | In part | Several times | Smallest amount | Deadline | Remembers a key | \
                  Settled by | Webhooks | List | File |\n|---|---|---|---|---|---|---|---|---|---|---|\n";
    let row = |driver: &Driver| {
        let gateway = opened(driver);
        let can = gateway.capabilities();
        let cells = [
            format!("`{}`", driver.name),
            driver.about.to_owned(),
            yes(can.partial),
            yes(can.several_per_payment),
            format!("{} minor", can.minimum_minor),
            can.deadline_days.map_or("none".to_owned(), |days| format!("{days} days")),
            match can.remembers_keys {
                KeyMemory::Never => "no keys".to_owned(),
                KeyMemory::Days(1) => "1 day".to_owned(),
                KeyMemory::Days(days) => format!("{days} days"),
                KeyMemory::Forever => "for ever".to_owned(),
            },
            match can.settled_by {
                SettledBy::Provider => "provider".to_owned(),
                SettledBy::Person => "person".to_owned(),
            },
            yes(hears(&*gateway)),
            yes(gateway.list(Span { from_ms: 0, to_ms: 1_000, now_ms: 1_000 }).is_some()),
            yes(!gateway.statement(b"").is_err_and(|fault| fault.reason.contains("nothing to reconcile with"))),
        ];
        format!("| {} |\n", cells.join(" | "))
    };
    header.to_owned() + &DRIVERS.iter().map(row).collect::<Vec<_>>().concat()
}

fn settings() -> String {
    let mut table = "| Driver | Setting | Required | Secret | What it is |\n|---|---|---|---|---|\n".to_owned();
    for driver in DRIVERS {
        for setting in driver.settings {
            let (required, secret) = (yes(setting.required), yes(setting.secret));
            let row =
                [&format!("`{}`", driver.name), &format!("`{}`", setting.name), &required, &secret, setting.about];
            table.extend(["| ", &row.join(" | "), " |\n"]);
        }
    }
    table
}

fn yes(is: bool) -> String {
    if is { "yes" } else { "no" }.to_owned()
}

fn hears(gateway: &dyn Gateway) -> bool {
    let nothing = Delivery { headers: &[], body: b"", now_ms: 0 };
    !matches!(gateway.hear(&nothing), Heard::Refused { reason } if reason == "this driver takes no deliveries")
}

/// A gateway of the driver with whatever it requires.
fn opened(driver: &Driver) -> Arc<dyn Gateway> {
    let sample = |name: &str| {
        let sample = SAMPLES.iter().find(|(known, setting, _)| *known == driver.name && *setting == name);
        match (sample, name) {
            (Some((_, _, value)), _) => *value,
            (None, "base_url") => "https://provider.example",
            (None, _) => "x",
        }
    };
    let required = driver.settings.iter().filter(|setting| setting.required);
    let settings: BTreeMap<String, String> =
        required.map(|setting| (setting.name.to_owned(), sample(setting.name).to_owned())).collect();
    driver.open(&Settings(settings)).unwrap_or_else(|fault| panic!("{}: {fault}", driver.name))
}
