//! Worked cases of other systems, read as data: the order is built, the request made, and every figure compared that
//! the model has. Which cases are left out is said here, with the reason.

use serde_json::Value;

use super::book::Book;
use super::worked_figures::compare;
use super::worked_order::{Sold, int, list, money, open, quantity, sell, text};
use super::world::{by_name, dec, line, order, pay};
use crate::command::{
    AmountIn, Ask, CurrencyAsk, LegAsk, PartAsk, PartMoney, Parts, Plan, RefundRequest, Rounding, Target, Total,
    UnitAsk, UnitMode,
};
use crate::decide::News;
use crate::money::{Amount, Decimal};
use crate::order::Order;
use crate::refund::Restock;
use crate::rejection::Rejection;

const CASES: &str = include_str!("cases/worked_examples.json");

/// Cases that cannot be run, each with its reason. At most ten.
const LEFT_OUT: [(&str, &str); 2] = [
    ("SPR-04", "A command that names no order cannot be built: the order is a field of every command."),
    (
        "SAL-06",
        "News of a leg is taken in the order in which it is known and carries no time of its provider: a failure \
         after a success always means that the money came home.",
    ),
];

/// What a case came to.
pub(crate) struct Ran {
    pub(crate) sold: Sold,
    /// The books after the prior refunds.
    pub(crate) before: Book,
    /// The books after the request.
    pub(crate) book: Book,
    /// One per request.
    pub(crate) steps: Vec<Result<usize, Rejection>>,
    /// Captured beyond what the case says was charged.
    pub(crate) spare: Amount,
    /// What is left of discounts stated in the request.
    pub(crate) discount: Amount,
}

#[test]
fn worked_cases_come_to_their_figures() {
    let file: Value = serde_json::from_str(CASES).expect("the cases are JSON");
    let mut compared = 0;
    for case in list(&file["examples"]) {
        if !LEFT_OUT.iter().any(|(id, _)| case["id"] == *id) {
            let _running = Running(text(&case["id"]));
            compared += compare(case, &run(case));
        }
    }
    assert_eq!(compared, 163, "no figure is skipped in silence");
}

/// Names the case when something in it panics.
struct Running<'a>(&'a str);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("while running {}", self.0);
        }
    }
}

#[test]
fn every_case_is_run_or_left_out_for_a_reason() {
    let file: Value = serde_json::from_str(CASES).expect("the cases are JSON");
    let mut ids: Vec<&str> = list(&file["examples"]).iter().map(|case| text(&case["id"])).collect();
    assert_eq!(ids.len(), 63);
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 63, "ids are unique");
    assert!(LEFT_OUT.len() <= 10);
    for (id, reason) in LEFT_OUT {
        assert!(ids.contains(&id), "{id} is a case");
        assert!(reason.ends_with('.') && reason.split_whitespace().count() > 5, "{id} has its reason");
    }
}

fn run(case: &Value) -> Ran {
    let request = &case["request"];
    if request["events"].is_array() {
        return fold_events(case);
    }
    if request["cases"].is_array() {
        return take_units(case);
    }
    let sold = sell(case);
    let mut book = open(&sold);
    for prior in list(&case["prior"]) {
        book.ask(&of(Ask::Parts(Parts { parts: prior_parts(prior), total: prior_total(prior), ..Parts::default() })))
            .expect("a prior refund");
    }
    let before = book.clone();
    let (requests, discount) = requests(case, &before, &sold);
    let mut steps: Vec<_> = requests.iter().map(|request| book.ask(request)).collect();
    if case["expected"]["cases"].is_array() {
        steps.clear();
    }
    Ran { sold, before, book, steps, spare: Amount::ZERO, discount }
}

fn of(ask: Ask) -> RefundRequest {
    RefundRequest { rounding: Rounding::HalfUp, ..RefundRequest::of(ask) }
}

fn prior_parts(prior: &Value) -> Vec<PartAsk> {
    let goods = prior["line"].as_str().map(|line| (Target::Goods(by_name(line)), gross(&prior["amount"])));
    let shipping = prior["shipping"].as_str().map(|amount| (Target::Shipping, PartMoney::AsPriced(dec(amount))));
    goods.into_iter().chain(shipping).map(|(target, money)| PartAsk { target, money }).collect()
}

/// A prior refund that names nothing is an amount, stated as a total.
fn prior_total(prior: &Value) -> Total {
    match (&prior["line"], &prior["amount"], &prior["amount_minor"]) {
        (Value::Null, Value::String(amount), _) => Total::Stated(dec(amount)),
        (_, _, Value::Number(_)) => Total::Stated(minor(&prior["amount_minor"])),
        _ => Total::Derived,
    }
}

fn gross(amount: &Value) -> PartMoney {
    PartMoney::Gross(dec(text(amount)))
}

/// An amount in cents.
fn minor(value: &Value) -> Decimal {
    Decimal::from_parts(i128::from(int(value)), 2)
}

/// The requests of a case, one after another, and the discount that its stated prices contain.
fn requests(case: &Value, book: &Book, sold: &Sold) -> (Vec<RefundRequest>, Amount) {
    let request = &case["request"];
    if request["full"] == true {
        return (vec![of(Ask::Everything)], Amount::ZERO);
    }
    let steps = list(&request["sequence"]);
    if !steps.is_empty() {
        return (
            steps.iter().map(|step| of(by_parts(vec![line_part(step).0.expect("money")]))).collect(),
            Amount::ZERO,
        );
    }
    if request["amount"].is_string() {
        return (by_amount(request, &case["order"]), Amount::ZERO);
    }
    if request["total_minor"].is_number() {
        let parts = Parts { total: Total::Stated(minor(&request["total_minor"])), ..Parts::default() };
        return (vec![of(Ask::Parts(parts))], Amount::ZERO);
    }
    if request["query"].is_string() {
        return (Vec::new(), Amount::ZERO);
    }
    let (parts, discount) = parts_of(case, book, sold);
    let plan = plan_of(request, &case["order"]);
    (vec![RefundRequest { plan, ..of(Ask::Parts(parts)) }], discount)
}

fn by_parts(parts: Vec<PartAsk>) -> Ask {
    Ask::Parts(Parts { parts, ..Parts::default() })
}

fn by_amount(request: &Value, order: &Value) -> Vec<RefundRequest> {
    let amount = dec(text(&request["amount"]));
    let Some(adjust) = request["adjust"].as_object() else {
        let plan = plan_of(request, order);
        let one = RefundRequest { plan, ..of(Ask::Amount { amount, class: None }) };
        let count = request["concurrent"].as_u64().unwrap_or(1);
        return (0..count).map(|_| one.clone()).collect();
    };
    // An amount beside adjusted items: the payment says how much, the items what for.
    let adjusted =
        adjust.iter().map(|(line, amount)| PartAsk { target: Target::Goods(by_name(line)), money: gross(amount) });
    let parts = Parts { total: Total::OfPayments, parts: adjusted.collect(), ..Parts::default() };
    vec![RefundRequest { plan: Plan::Named(vec![leg(amount)]), ..of(Ask::Parts(parts)) }]
}

fn leg(amount: Decimal) -> LegAsk {
    let (payment, channel, currency) = (None, String::new(), CurrencyAsk::Unsaid);
    LegAsk { payment, channel, amount, amount_in: AmountIn::Books, currency, outside: false }
}

fn plan_of(request: &Value, order: &Value) -> Plan {
    if request["transactions"].is_array() {
        let legs = list(&request["transactions"]).iter().map(|t| leg(dec(text(&t["amount"]))));
        return Plan::Named(legs.collect());
    }
    let named = list(&order["method_order"]).iter().chain(request.get("first_payment"));
    Plan::InOrder(named.map(|name| by_name(text(name))).collect())
}

/// Named parts and whole units. Money stated for a quantity is money alone, unless the units are to go on the shelf.
fn parts_of(case: &Value, book: &Book, sold: &Sold) -> (Parts, Amount) {
    let request = &case["request"];
    let restock = request["restock"] == true;
    let mut parts = Parts::default();
    let mut discount = Amount::ZERO;
    for unit in list(&request["units"]) {
        parts
            .parts
            .push(PartAsk { target: Target::Goods(by_name(text(&unit["line"]))), money: gross(&unit["amount"]) });
    }
    for asked in list(&request["lines"]) {
        let (mut part, before_discount) = line_part(asked);
        if let Some(before_discount) = before_discount {
            let (net, taken_off) = without_discount(sold, text(&asked["line"]), before_discount);
            discount += taken_off;
            part = Some(PartAsk { target: Target::Goods(by_name(text(&asked["line"]))), money: PartMoney::Net(net) });
        }
        if part.is_none() || restock {
            let put_back = if restock { Restock::Return } else { Restock::No };
            parts.units.push(units(text(&asked["line"]), i64::from(quantity(asked)), put_back));
        }
        parts.parts.extend(part);
    }
    parts.parts.extend(shipping_part(request));
    for (index, item) in list(&request["precise_items"]).iter().enumerate() {
        let target = Target::Goods(by_name(&format!("item{index}")));
        parts.parts.push(PartAsk { target, money: PartMoney::Net(dec(text(item))) });
    }
    if case["order"]["other_tax_in_refund"].is_string() {
        parts.parts.push(PartAsk { target: Target::Additionals, money: PartMoney::Remaining });
    }
    if request["net_minor"].is_number() {
        parts.parts.extend(net_parts(int(&request["net_minor"]), book));
    }
    if request["transactions"].is_array() {
        parts.total = Total::OfPayments;
    }
    (parts, discount)
}

fn units(line: &str, quantity: i64, restock: Restock) -> UnitAsk {
    let (line, location) = (by_name(line), String::new());
    UnitAsk { line, quantity: Some(quantity), mode: UnitMode::Automatic, restock, location }
}

/// Money of one line's goods, or an amount before discounts.
fn line_part(asked: &Value) -> (Option<PartAsk>, Option<Decimal>) {
    let target = Target::Goods(by_name(text(&asked["line"])));
    let net = ["net", "precise_net"].into_iter().find_map(|key| asked[key].as_str());
    let gross = asked["gross"].as_str().map(|amount| PartMoney::Gross(dec(amount)));
    let money = net.map(|amount| PartMoney::Net(dec(amount))).or(gross);
    (money.map(|money| PartAsk { target, money }), asked["amount_before_discount"].as_str().map(dec))
}

/// A line's price before discounts, without the part of its discount that goes with it.
fn without_discount(sold: &Sold, name: &str, before: Decimal) -> (Decimal, Amount) {
    let line = sold.order.find_line(&by_name(name)).expect("a line");
    let (net, discount) = (sold.order.goods(line).net, sold.order.lines[line].discount);
    let before = before.to_minor(sold.order.currency).expect("an amount");
    let share = crate::money::ratio(before, i128::from(net.get()), i128::from((net + discount).get()));
    (Decimal::from_parts(i128::from(share.get()), sold.order.currency.exponent()), before - share)
}

fn shipping_part(request: &Value) -> Option<PartAsk> {
    let amount = |key: &str| request[key].as_str().map(dec);
    let money = match &request["shipping"] {
        Value::String(all) if all == "all" || all == "remaining" => Some(PartMoney::Remaining),
        Value::String(amount) => Some(PartMoney::AsPriced(dec(amount))),
        Value::Object(shipping) => Some(PartMoney::AsPriced(dec(text(&shipping["amount"])))),
        _ => None,
    };
    let money = money.or(amount("shipping_net").map(PartMoney::Net));
    let money = money.or(amount("shipping_gross").map(PartMoney::Gross));
    money.map(|money| PartAsk { target: Target::Shipping, money })
}

/// A net amount of the order as a whole: goods first, then charges without tax.
fn net_parts(net: i64, book: &Book) -> Vec<PartAsk> {
    let goods = book.facts.component_left(0).0.get().min(net);
    let rest = net - goods;
    let part =
        |target, minor: i64| PartAsk { target, money: PartMoney::Net(Decimal::from_parts(i128::from(minor), 2)) };
    let mut parts = vec![part(Target::Goods(by_name("order")), goods)];
    if rest > 0 {
        parts.push(part(Target::Additionals, rest));
    }
    parts
}

/// Units over several requests: each entry an order of its own; the last books are returned.
fn take_units(case: &Value) -> Ran {
    let mut steps = Vec::new();
    let mut last = None;
    for entry in list(&case["request"]["cases"]) {
        let mut order = order(text(&case["currency"]));
        let sold = int(&entry["of"]);
        line(&mut order, "i", u32::try_from(sold).expect("few"), sold * 100, 0);
        pay(&mut order, "card", sold * 100);
        let mut book = Book::open(order);
        let take = |quantity| Parts { units: vec![units("i", quantity, Restock::No)], ..Parts::default() };
        if int(&entry["prior"]) > 0 {
            book.ask(&of(Ask::Parts(take(int(&entry["prior"]))))).expect("a prior refund");
        }
        steps.push(book.ask(&of(Ask::Parts(take(int(&entry["quantity"]))))));
        last = Some(book);
    }
    let book = last.expect("a case");
    let sold =
        Sold { order: Order::clone(&book.facts.order), rates: std::collections::BTreeMap::new(), before: Vec::new() };
    Ran { sold, before: book.clone(), book, steps, spare: Amount::ZERO, discount: Amount::ZERO }
}

/// Events of payments: refunds are accepted when they are first heard of, and settled by what is heard.
///
/// What comes back in part comes back through a payment of its own, so that exactly that leg fails.
fn fold_events(case: &Value) -> Ran {
    let mut order = order(text(&case["currency"]));
    let events = list(&case["request"]["events"]);
    let sum = |wanted: &[&str]| -> Amount {
        let of_kind = events.iter().filter(|e| wanted.contains(&text(&e["type"])));
        of_kind.map(|e| money(&e["amount"], order.currency)).sum()
    };
    let charged = sum(&["charge_success"]) - sum(&["charge_back"]);
    let reversed = sum(&["refund_reverse"]);
    let needed = sum(&["refund_success", "refund_request", "refund_failure"]);
    let captured = charged.max(needed);
    line(&mut order, "order", 1, captured.get(), 0);
    if reversed.is_positive() {
        pay(&mut order, "reversed", reversed.get());
    }
    pay(&mut order, "card", (captured - reversed).get());
    let mut book = Book::open(order);
    let before = book.clone();
    let mut refunds = std::collections::BTreeMap::<&str, usize>::new();
    let mut steps = Vec::new();
    for event in events {
        let kind = text(&event["type"]);
        if kind == "refund_reverse" {
            assert!(book.news(0, 0, &News::Failed { code: "reversed".to_owned(), message: String::new() }));
        } else if kind.starts_with("refund_") {
            let reference = text(&event["ref"]);
            let refund = *refunds.entry(reference).or_insert_with(|| {
                let amount = dec(text(&event["amount"]));
                steps.push(book.ask(&of(Ask::Amount { amount, class: None })));
                book.refunds.len() - 1
            });
            hear(&mut book, refund, kind, reference);
        }
    }
    let sold =
        Sold { order: Order::clone(&book.facts.order), rates: std::collections::BTreeMap::new(), before: Vec::new() };
    Ran { sold, before, book, steps, spare: captured - charged, discount: Amount::ZERO }
}

fn hear(book: &mut Book, refund: usize, kind: &str, reference: &str) {
    let reference = reference.to_owned();
    let news = match kind {
        "refund_request" => News::Sent { reference },
        "refund_success" => News::Succeeded { reference },
        "refund_failure" => News::Failed { code: "declined".to_owned(), message: String::new() },
        other => panic!("{other} is not news"),
    };
    for leg in 0..book.refunds[refund].legs.len() {
        book.news(refund, leg, &news);
    }
}
