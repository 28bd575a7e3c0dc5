//! Drafts and what they come to, a case a row.

use super::*;
use crate::order::Id;
use crate::paying::Card;
use crate::standing::{self, Goods};

fn dec(text: &str) -> Decimal {
    Decimal::parse(text).expect("a decimal")
}

fn currency(code: &str) -> Currency {
    Currency::parse(code).expect("a currency")
}

fn payment(amount: Option<&str>, state: TransactionState) -> DraftPayment {
    let line = PayLine {
        channel: "CUSTOM".to_owned(),
        method: String::new(),
        kind: PaymentKind::Custom,
        gateway: "manual".to_owned(),
        name: String::new(),
        reference: String::new(),
        account: String::new(),
        amount: amount.map(dec),
        test: false,
        card: Card::default(),
    };
    DraftPayment { line, state, error_code: String::new(), at_ms: None }
}

/// Reads a row: what the store sells in, then parts between bars. `EUR@1.1` is currency and rate, `in` says that
/// prices include tax, `2x10.00 -1.00 t1.60` is a line with its own discount and tax, `off`, `tax`, `ship` and
/// `charge` are the order's; `paid`, `rest`, `waits`, `failed` are payments, `says` is the claim, and `shipped` ships
/// everything.
fn draft(row: &str) -> (Currency, Draft) {
    let (home, row) = row.split_once(": ").expect("the store's currency");
    let mut draft = Draft::new(Dialect::Shopline, None);
    for part in row.split(" | ") {
        let mut words = part.split(' ');
        let first = words.next().expect("a word");
        let rest: Vec<&str> = words.collect();
        let amount = || dec(rest.first().expect("an amount"));
        let tax = || rest.iter().find_map(|word| word.strip_prefix('t')).map_or(Decimal::ZERO, dec);
        match first {
            "in" => draft.taxes_included = true,
            "off" if rest[0].ends_with('%') => {
                draft.discount = Some(Discount::Percent(dec(rest[0].trim_end_matches('%'))));
            }
            "off" => draft.discount = Some(Discount::Amount(amount())),
            "tax" => draft.tax = amount(),
            "ship" => draft.shipping.push(DraftShipping { price: amount(), tax: tax() }),
            "charge" => draft.charges.push(("Wrapping".to_owned(), amount())),
            "paid" => draft.paid.push(payment(Some(rest[0]), TransactionState::Success)),
            "rest" => draft.paid.push(payment(None, TransactionState::Success)),
            "waits" => draft.paid.push(payment(Some(rest[0]), TransactionState::Processing)),
            "failed" => draft.paid.push(payment(Some(rest[0]), TransactionState::Error)),
            "says" => {
                draft.claim = Some(match rest[0] {
                    "unpaid" => Claim::Unpaid,
                    "partly" => Claim::PartlyPaid,
                    "paid" => Claim::Paid,
                    other => panic!("{other}"),
                });
            }
            "shipped" => draft.shipped = true,
            _ if first.contains('x') => {
                let (quantity, price) = first.split_once('x').expect("units and a price");
                let off = rest.iter().find_map(|word| word.strip_prefix('-'));
                let total = rest.iter().find_map(|word| word.strip_prefix('='));
                draft.lines.push(DraftLine {
                    external_id: Some((draft.lines.len() + 1).to_string()),
                    variant_id: if price == "v" { "v".to_owned() } else { String::new() },
                    quantity: quantity.parse().expect("units"),
                    price: (price != "v" && price != "?").then(|| dec(price)),
                    total: off.map(dec).map(LineTotal::Less).or(total.map(dec).map(LineTotal::Is)),
                    no_discount: rest.contains(&"own"),
                    tax: tax(),
                    ..DraftLine::default()
                });
            }
            _ => {
                let (code, rate) = first.split_once('@').map_or((first, None), |(code, rate)| (code, Some(dec(rate))));
                (draft.currency, draft.rate) = (Some(currency(code)), rate);
            }
        }
    }
    (currency(home), draft)
}

fn make(row: &str) -> Result<Made, DraftFault> {
    let (home, draft) = draft(row);
    let price = |line: &DraftLine, _| (line.variant_id == "v").then(|| Amount::minor(700));
    let mut order = order(&draft, home, price, 5)?;
    assert!(order.payments.is_empty(), "nothing is paid yet");
    (order.id, order.lines[0].id) = (1, 2);
    let mut last = 100;
    let mut next = || {
        last += 1;
        last
    };
    made(&draft, order, 5, &mut next)
}

/// Net and tax of each part, what the order costs, what was paid; then each part in the store's currency, where that is
/// another one, rounded by itself.
fn shown(row: &str) -> String {
    let made = match make(row) {
        Ok(made) => made,
        Err(fault) => return format!("{fault:?}"),
    };
    let order = &made.order;
    assert_eq!(order.validate(), Ok(()), "{row}");
    let print = |amount: Amount| amount.to_decimal(order.currency, order.currency.exponent());
    let (mut parts, mut sum) = (Vec::new(), Amount::ZERO);
    for part in &order.components {
        parts.push(format!("{}+{}", print(part.net), print(part.tax)));
        sum += part.net + part.tax;
    }
    assert_eq!(sum, order.charged(), "{row}: the parts make the whole");
    for (index, line) in order.lines.iter().enumerate() {
        let goods = order.goods(index);
        let price = if order.taxes_included { goods.gross() } else { goods.net };
        let listed = Amount::minor(line.unit_price.get() * i64::from(line.quantity));
        assert_eq!(price + line.discount, listed, "{row}: line {index}");
    }
    let mut words = vec![format!("{} = {} {}", parts.join(" "), print(sum), order.currency)];
    if !order.payments.is_empty() {
        let slips: Vec<String> = order.payments.iter().map(|payment| print(payment.captured)).collect();
        words.push(format!("paid {}", slips.join(" ")));
    }
    if let Some(shop) = order.shop {
        let shadow = |amount| shop.convert(amount, order.currency).to_decimal(shop.currency, shop.currency.exponent());
        let shadows: Vec<String> =
            order.components.iter().map(|part| format!("{}+{}", shadow(part.net), shadow(part.tax))).collect();
        words.push(format!("/ {} {}", shadows.join(" "), shop.currency));
    }
    words.join(" ")
}

#[test]
fn drafts_come_to_the_sum_of_their_parts() {
    let cases = [
        // Tax on top.
        ("USD: 2x10.00 t1.60 | ship 5.00", "20.00+1.60 5.00+0.00 = 26.60 USD"),
        (
            "USD: 1x10.00 t0.80 | 3x1.00 t0.24 | ship 4.99 t0.40 | ship 1.00",
            "10.00+0.80 3.00+0.24 4.99+0.40 1.00+0.00 = 20.43 USD",
        ),
        ("USD: 1x10.00 | ship 0.00 | charge 2.50", "10.00+0.00 2.50+0.00 = 12.50 USD"),
        // Tax inside: it is taken out of the price after discounts.
        ("USD: in | 2x10.00 t3.19 | ship 5.00 t0.80", "16.81+3.19 4.20+0.80 = 25.00 USD"),
        ("USD: in | 2x10.00 -5.00 t2.39", "12.61+2.39 = 15.00 USD"),
        ("USD: in | 1x10.00 t10.00", "0.00+10.00 = 10.00 USD"),
        ("USD: in | 1x10.00 t10.01", "TaxInside(Line(0))"),
        ("USD: in | 1x10.00 -1.00 t9.50", "TaxInside(Line(0))"),
        ("USD: in | 1x10.00 | ship 1.00 t1.01", "TaxInside(Shipping(0))"),
        ("USD: in | 1x10.00 | 1x0.00 | tax 10.00", "0.00+10.00 0.00+0.00 = 10.00 USD"),
        ("USD: in | 1x10.00 t8.00 | tax 2.01", "TaxInside(Line(0))"),
        // Discounts: of a line, then of the order over what is left, by largest remainder.
        ("USD: 2x10.00 -1.50", "18.50+0.00 = 18.50 USD"),
        ("USD: 1x10.00 =9.00 | 1x10.00 | off 1.00", "8.53+0.00 9.47+0.00 = 18.00 USD"),
        (
            "USD: 2x10.00 | 1x10.00 | 1x0.01 | off 10.00 | tax 1.00 | ship 5.00 | charge 2.50",
            "13.33+0.67 6.67+0.33 0.01+0.00 5.00+0.00 2.50+0.00 = 28.51 USD",
        ),
        ("USD: 1x9.99 | 1x5.00 own | off 12.5%", "8.74+0.00 5.00+0.00 = 13.74 USD"),
        ("USD: 1x9.99 t0.50 | 1x5.00 | tax 1.00", "9.99+1.17 5.00+0.33 = 16.49 USD"),
        ("USD: 1x10.00 | off 10.00", "0.00+0.00 = 0.00 USD"),
        ("USD: 1x10.00 -10.01", "LineTotal(0)"),
        ("USD: 1x10.00 =10.01", "LineTotal(0)"),
        ("USD: 1x10.00 | off 10.01", "Discount"),
        ("USD: 1x10.00 | off 100.01%", "Discount"),
        ("USD: 1x10.00 | off -1%", "Discount"),
        ("USD: 1x0.00 | tax 0.01", "TaxOnNothing"),
        // A price comes from the line, else from its variant.
        ("USD: 3xv", "21.00+0.00 = 21.00 USD"),
        ("USD: 3x?", "PriceUnknown(0)"),
        // Amounts of the currency only.
        ("USD: 1x10.001", "Amount(Line(0), TooManyDecimals(2))"),
        ("USD: 1x10.00 | ship 1.00 t-0.01", "Amount(Shipping(0), NotPositive)"),
        ("USD: 1x10.00 | off -1", "Amount(Discount, NotPositive)"),
        ("JPY: 1x10.50", "Amount(Line(0), TooManyDecimals(0))"),
        ("JPY: 1x1000.00 t80", "1000+80 = 1080 JPY"),
        ("KWD: 3x1.234 t0.111", "3.702+0.111 = 3.813 KWD"),
        ("USD: 0x1.00", "Order(UnitsOutOfRange(0))"),
    ];
    for (row, expected) in cases {
        assert_eq!(shown(row), expected, "{row}");
    }
}

#[test]
fn parts_in_another_currency_are_converted_one_by_one_at_the_fixed_rate() {
    let cases = [
        (
            "USD: EUR@1.0837 | 2x10.00 t1.60 | ship 5.00 t0.40",
            "20.00+1.60 5.00+0.40 = 27.00 EUR / 21.67+1.73 5.42+0.43 USD",
        ),
        // Three times a third of a cent stays below what the whole would be.
        (
            "USD: EUR@1.333 | 1x0.01 | 1x0.01 | 1x0.01",
            "0.01+0.00 0.01+0.00 0.01+0.00 = 0.03 EUR / 0.01+0.00 0.01+0.00 0.01+0.00 USD",
        ),
        ("USD: EUR@1.5 | 1x0.01 | 1x0.01", "0.01+0.00 0.01+0.00 = 0.02 EUR / 0.02+0.00 0.02+0.00 USD"),
        (
            "USD: EUR@7.1245 | in | 3x9.99 -0.97 t4.63 | paid 29.00",
            "24.37+4.63 = 29.00 EUR paid 29.00 / 173.62+32.99 USD",
        ),
        ("USD: JPY@0.0064 | 2x1000 t160 | ship 500", "2000+160 500+0 = 2660 JPY / 12.80+1.02 3.20+0.00 USD"),
        ("JPY: USD@156.25 | 1x0.01 t0.01", "0.01+0.01 = 0.02 USD / 2+2 JPY"),
        ("KWD: USD@0.3074 | 1x10.00 t0.50", "10.00+0.50 = 10.50 USD / 3.074+0.154 KWD"),
        // The store's own currency has no other rate than one.
        ("USD: USD | 1x1.00", "1.00+0.00 = 1.00 USD"),
        ("USD: USD@1.000 | 1x1.00", "1.00+0.00 = 1.00 USD"),
        ("USD: EUR | 1x1.00", "Currency { given: EUR, wanted: USD }"),
        ("USD: USD@1.1 | 1x1.00", "Rate(Decimal { mantissa: 11, scale: 1 })"),
        ("USD: EUR@0 | 1x1.00", "Rate(Decimal { mantissa: 0, scale: 0 })"),
        ("USD: EUR@-1 | 1x1.00", "Rate(Decimal { mantissa: -1, scale: 0 })"),
        ("USD: EUR@999999999999 | 1x100.00", "Rate(Decimal { mantissa: 999999999999, scale: 0 })"),
        // What is only listed must be an amount in the store's currency, too.
        ("USD: EUR@999999999999 | 1x100.00 | off 100.00", "Rate(Decimal { mantissa: 999999999999, scale: 0 })"),
        // And so must be what somebody only tried to pay.
        ("VND: USD@25000 | 1x10.00 | failed 40000000000.01", "Amount(Payment(0), TooLarge)"),
        ("VND: USD@25000 | 1x10.00 | failed 40000000000.00", "10.00+0.00 = 10.00 USD paid 0.00 / 250000+0 VND"),
    ];
    for (row, expected) in cases {
        assert_eq!(shown(row), expected, "{row}");
    }
}

#[test]
fn payments_fit_what_the_order_costs_and_how_far_it_is_said_to_be_paid() {
    let too_much =
        |asked, open| format!("Payment(PaysTooMuch {{ asked: Amount({asked}), open: Amount({open}), currency: USD }})");
    let cases = [
        ("paid 20.00 | says paid", "20.00+0.00 = 20.00 USD paid 20.00".to_owned()),
        ("paid 5.00 | paid 15.00 | says paid", "20.00+0.00 = 20.00 USD paid 5.00 15.00".to_owned()),
        ("rest | says paid", "20.00+0.00 = 20.00 USD paid 20.00".to_owned()),
        ("paid 5.00 | rest", "20.00+0.00 = 20.00 USD paid 5.00 15.00".to_owned()),
        ("paid 5.00", "20.00+0.00 = 20.00 USD paid 5.00".to_owned()),
        ("paid 5.00 | says partly", "20.00+0.00 = 20.00 USD paid 5.00".to_owned()),
        ("says unpaid", "20.00+0.00 = 20.00 USD".to_owned()),
        // What brought no money comes last, and holds none.
        ("waits 15.00 | paid 5.00 | says partly", "20.00+0.00 = 20.00 USD paid 5.00 0.00".to_owned()),
        ("failed 99.00 | waits 20.00 | says unpaid", "20.00+0.00 = 20.00 USD paid 0.00 0.00".to_owned()),
        ("paid 19.99 | says paid", "Claim(Paid)".to_owned()),
        ("waits 20.00 | says paid", "Claim(Paid)".to_owned()),
        ("says paid", "Claim(Paid)".to_owned()),
        ("paid 20.00 | says partly", "Claim(PartlyPaid)".to_owned()),
        ("failed 5.00 | says partly", "Claim(PartlyPaid)".to_owned()),
        ("paid 0.01 | says unpaid", "Claim(Unpaid)".to_owned()),
        ("paid 20.01 | says paid", too_much(2001, 2000)),
        ("paid 20.01", too_much(2001, 2000)),
        ("paid 10.00 | waits 10.01", too_much(2001, 2000)),
        ("rest | waits 0.01", too_much(2001, 2000)),
        ("paid 0", "Amount(Payment(0), NotPositive)".to_owned()),
        ("paid 1.00 | failed 0.001", "Amount(Payment(1), TooManyDecimals(2))".to_owned()),
    ];
    for (payments, expected) in cases {
        assert_eq!(shown(&format!("USD: 2x10.00 | {payments}")), expected, "{payments}");
    }
    // What costs nothing is paid with nothing.
    assert_eq!(shown("USD: 1x0.00 | rest | says paid"), "0.00+0.00 = 0.00 USD paid 0.00");
    assert_eq!(shown("USD: 1x0.00 | says paid"), "0.00+0.00 = 0.00 USD");
}

#[test]
fn transactions_tell_what_became_of_each_payment() {
    let (home, mut draft) = draft("USD: 2x10.00 | failed 20.00 | paid 5.00 | waits 6.00 | paid 4.00");
    for (payment, at_ms) in draft.paid.iter_mut().zip([1, 3, 4, 2]) {
        payment.at_ms = Some(at_ms);
    }
    draft.paid[0].error_code = "error".to_owned();
    let order = order(&draft, home, |_, _| None, 5).unwrap();
    let mut last = 100;
    let mut next = || {
        last += 1;
        last
    };
    let Made { order, transactions, shipped } = made(&draft, order, 5, &mut next).unwrap();
    let told: Vec<(Option<Id>, TransactionState, i64, i64, &str)> = transactions
        .iter()
        .map(|t| (t.payment, t.state, t.amount.get(), t.created_ms, t.error_code.as_str()))
        .collect();
    let ids: Vec<Id> = order.payments.iter().map(|payment| payment.id).collect();

    let wanted = [
        (Some(ids[0]), TransactionState::Success, 500, 3, ""),
        (Some(ids[1]), TransactionState::Success, 400, 2, ""),
        (Some(ids[2]), TransactionState::Error, 2000, 1, "error"),
        (Some(ids[3]), TransactionState::Processing, 600, 4, ""),
    ];
    assert_eq!(told, wanted);
    assert_eq!((order.life.placed_ms, order.captured().get(), shipped), (Some(2), 900, None));
}

#[test]
fn everything_leaves_at_once_in_one_parcel() {
    let Made { order, shipped, .. } = make("USD: 2x10.00 | 3x1.00 | rest | shipped").unwrap();
    assert!(order.lines.iter().all(|line| line.shipped == 0), "it is told step by step");
    let (order, parcel) = shipped.unwrap();
    assert_eq!((parcel.number, parcel.units.iter().map(|u| u.quantity).sum::<u32>()), (1, 5));
    let facts = crate::balances::Facts::fresh(order);
    assert_eq!(standing::goods(&facts), Goods::Shipped);
}

#[test]
fn what_cannot_be_sold_is_refused() {
    let nothing = Draft::new(Dialect::Shopline, None);
    assert_eq!(order(&nothing, currency("USD"), |_, _| None, 5), Err(DraftFault::NoLines));
    assert_eq!(shown("USD: 2x10000000000000.00"), "LineTotal(0)");
    let (home, mut long) = draft("USD: 1x1.00");
    long.lines = vec![long.lines[0].clone(); LINES_PER_ORDER_MAX + 1];
    let fault = OrderFault::TooMany("lines", LINES_PER_ORDER_MAX);
    assert_eq!(order(&long, home, |_, _| None, 5), Err(DraftFault::Order(fault)));
    let (home, mut same) = draft("USD: 1x1.00 | 1x2.00");
    same.lines[1].external_id = Some("1".to_owned());
    let fault = OrderFault::DuplicateId("1".to_owned());
    assert_eq!(order(&same, home, |_, _| None, 5), Err(DraftFault::Order(fault)));
}

#[test]
fn cash_on_delivery_captures_nothing_yet() {
    let (home, mut draft) = draft("USD: 1x1.00");
    draft.on_delivery = true;
    let order = order(&draft, home, |_, _| None, 5).unwrap();
    assert_eq!((order.payments.len(), order.captured()), (1, Amount::ZERO));
    assert_eq!(order.payments[0].kind, PaymentKind::CashOnDelivery);
}
