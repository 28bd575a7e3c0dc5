//! Tables for money: decimals as written, comparison, rounding, and splits.

use std::cmp::Ordering;

use super::world::dec;
use crate::limits::AMOUNT_MINOR_MAX;
use crate::money::{
    Amount, AmountError, Currency, Decimal, DecimalError, cumulative, even_share, ratio, split, unit_share,
};

fn currency(code: &str) -> Currency {
    Currency::parse(code).expect("a currency")
}

fn amounts(minors: &[i64]) -> Vec<Amount> {
    minors.iter().copied().map(Amount::minor).collect()
}

#[test]
fn decimals_are_read_digit_by_digit() {
    for (text, parts) in [
        ("0", (0, 0)),
        ("-0", (0, 0)),
        ("12", (12, 0)),
        ("+12", (12, 0)),
        ("12.30", (123, 1)),
        ("-0.5", (-5, 1)),
        ("007.10", (71, 1)),
        ("0.000", (0, 0)),
        ("1.00000000000000000000000000000000000000000", (1, 0)),
        ("123456789012345678901234567890", (123_456_789_012_345_678_901_234_567_890, 0)),
        ("0.123456789012345678901234567891", (123_456_789_012_345_678_901_234_567_891, 30)),
    ] {
        assert_eq!(Decimal::parse(text).map(Decimal::parts), Ok(parts), "{text}");
    }
}

#[test]
fn what_is_no_decimal_is_named() {
    for text in ["", "-", "+", ".", ".5", "5.", "1.2.3", "1,5", " 1", "1 ", "--1", "+-1", "1e1", "٣", "NaN", "0x1"] {
        assert_eq!(Decimal::parse(text).err(), Some(DecimalError::Malformed), "{text}");
    }
    for text in ["1234567890123456789012345678901", "0.1234567890123456789012345678901"] {
        assert_eq!(Decimal::parse(text).err(), Some(DecimalError::TooLong), "{text}");
    }
}

#[test]
fn json_numbers_may_have_exponents() {
    for (text, same) in [
        ("1e1", "10"),
        ("1E+1", "10"),
        ("1.5E-1", "0.15"),
        ("-2.50e1", "-25"),
        ("12.345e2", "1234.5"),
        ("100e-2", "1"),
        ("0e99", "0"),
        ("1e29", "100000000000000000000000000000"),
        ("27.01", "27.01"),
    ] {
        assert_eq!(Decimal::parse_json_number(text), Ok(dec(same)), "{text}");
    }
    for text in ["1e30", "99e36", "1e37", "1e-37", "1e-31", "1e99999999999", "123456789012345678901234567890e1"] {
        assert_eq!(Decimal::parse_json_number(text).err(), Some(DecimalError::TooLong), "{text}");
    }
    for text in ["1e", "1e+", "e1", "1e1.5", "1e1e1", "1ex", "1e--1"] {
        assert_eq!(Decimal::parse_json_number(text).err(), Some(DecimalError::Malformed), "{text}");
    }
}

#[test]
fn decimals_of_any_length_can_be_used() {
    let longest = ["1e29", "1e-30", "-1e-30", "999999999999999999999999999999", "0.999999999999999999999999999999"];
    for one in longest {
        let one = Decimal::parse_json_number(one).expect("a decimal");
        for other in longest {
            let other = Decimal::parse_json_number(other).expect("a decimal");
            assert_eq!(one.cmp(&other), other.cmp(&one).reverse());
        }
        let _ = (one.rounded_to(9), one.times(100_000), one.times(100_000).to_minor_half_up(currency("KWD")));
        let _ = (one.to_minor(currency("JPY")), one.to_minor_half_up(currency("JPY")));
    }
}

#[test]
fn decimals_compare_by_value() {
    for (one, other, expected) in [
        ("1.0", "1", Ordering::Equal),
        ("0", "-0.0", Ordering::Equal),
        ("0.01", "0.009999999999999999999999999999", Ordering::Greater),
        ("-1", "-1.5", Ordering::Greater),
        ("999999999999999999999999999999", "0.000000000000000000000000000001", Ordering::Greater),
        ("-999999999999999999999999999999", "0.000000000000000000000000000001", Ordering::Less),
        ("0.000000000000000000000000000001", "999999999999999999999999999999", Ordering::Less),
    ] {
        assert_eq!(dec(one).cmp(&dec(other)), expected, "{one} {other}");
    }
}

#[test]
fn amounts_are_whole_minor_units() {
    for (text, code, expected) in [
        ("2.34", "USD", Ok(234)),
        ("-2.34", "USD", Ok(-234)),
        ("500.00", "JPY", Ok(500)),
        ("500.50", "JPY", Err(AmountError::TooManyDecimals(0))),
        ("1.234", "KWD", Ok(1234)),
        ("1.2345", "KWD", Err(AmountError::TooManyDecimals(3))),
        ("1.005", "USD", Err(AmountError::TooManyDecimals(2))),
        ("10000000000000.00", "USD", Ok(AMOUNT_MINOR_MAX)),
        ("10000000000000.01", "USD", Err(AmountError::TooLarge)),
        ("-10000000000000.01", "USD", Err(AmountError::TooLarge)),
        ("999999999999999999999999999999", "KWD", Err(AmountError::TooLarge)),
    ] {
        assert_eq!(dec(text).to_minor(currency(code)), expected.map(Amount::minor), "{text} {code}");
    }
}

#[test]
fn surplus_decimals_round_half_away_from_zero() {
    for (text, code, expected) in [
        ("10.805", "USD", Ok(1081)),
        ("10.8049999", "USD", Ok(1080)),
        ("-10.805", "USD", Ok(-1081)),
        ("0.005", "USD", Ok(1)),
        ("-0.005", "USD", Ok(-1)),
        ("0.0049", "USD", Ok(0)),
        ("500.5", "JPY", Ok(501)),
        ("500.4", "JPY", Ok(500)),
        ("1.2345", "KWD", Ok(1235)),
        ("0.000000000000000000000000000001", "KWD", Ok(0)),
        ("10000000000000.005", "USD", Err(AmountError::TooLarge)),
    ] {
        assert_eq!(dec(text).to_minor_half_up(currency(code)), expected.map(Amount::minor), "{text} {code}");
    }
}

#[test]
fn amounts_print_with_their_decimals() {
    for (minor, code, decimals, expected) in [
        (234, "USD", 2, "2.34"),
        (-5, "USD", 2, "-0.05"),
        (0, "USD", 2, "0.00"),
        (500, "JPY", 0, "500"),
        (500, "JPY", 2, "500.00"),
        (1234, "KWD", 3, "1.234"),
        (1, "USD", 3, "0.010"),
    ] {
        assert_eq!(Amount::minor(minor).to_decimal(currency(code), decimals), expected);
    }
    assert_eq!(Amount::minor(234).to_milli(currency("USD")), 2340);
    assert_eq!(Amount::minor(5).to_milli(currency("JPY")), 5000);
    assert_eq!(Amount::minor(1234).to_milli(currency("KWD")), 1234);
}

#[test]
fn currencies_are_those_people_pay_in() {
    for (code, exponent) in [("USD", 2), ("usd", 2), ("JPY", 0), ("KWD", 3), ("IDR", 2)] {
        assert_eq!(currency(code).exponent(), exponent);
    }
    for code in ["", "US", "USDT", "XAU", "XXX", "XTS", "CLF", "UYW", "ÄÖÜ"] {
        assert_eq!(Currency::parse(code), None, "{code}");
    }
}

#[test]
fn splits_make_the_whole_and_favour_the_earlier() {
    let cases: &[(i64, &[i64], &[i64])] = &[
        (0, &[], &[]),
        (0, &[0, 0], &[0, 0]),
        (103, &[100, 100], &[52, 51]),
        (100, &[1, 1, 1], &[34, 33, 33]),
        (101, &[1, 1, 1], &[34, 34, 33]),
        (2, &[1, 1, 1], &[1, 1, 0]),
        (1, &[0, 1, 1], &[0, 1, 0]),
        (4200, &[15000, 6000], &[3000, 1200]),
        (2733, &[6833, 6833], &[1367, 1366]),
        // The largest remainder wins over the earlier place.
        (10, &[11, 19, 70], &[1, 2, 7]),
        (10, &[14, 14, 72], &[2, 1, 7]),
        (AMOUNT_MINOR_MAX, &[AMOUNT_MINOR_MAX, AMOUNT_MINOR_MAX], &[AMOUNT_MINOR_MAX / 2, AMOUNT_MINOR_MAX / 2]),
        // A split of money that comes back.
        (-100, &[1, 1, 1], &[-33, -33, -34]),
    ];
    for (total, weights, expected) in cases {
        assert_eq!(split(Amount::minor(*total), &amounts(weights)), amounts(expected), "{total} by {weights:?}");
    }
}

#[test]
fn no_part_of_a_split_is_above_its_weight() {
    for a in 0..7 {
        for b in 0..7 {
            for c in 0..7 {
                let weights = amounts(&[a, b, c]);
                for total in 0..=(a + b + c) {
                    let parts = split(Amount::minor(total), &weights);
                    assert!(parts.iter().zip(&weights).all(|(part, weight)| part <= weight && !part.is_negative()));
                    assert_eq!(parts.iter().sum::<Amount>(), Amount::minor(total));
                }
            }
        }
    }
}

#[test]
fn units_follow_the_running_shares() {
    for (total, of, expected) in [
        (29000, 3, vec![9667, 9666, 9667]),
        (100, 3, vec![33, 34, 33]),
        (1, 3, vec![0, 1, 0]),
        (2, 3, vec![1, 0, 1]),
        (5, 2, vec![3, 2]),
        (161, 2, vec![81, 80]),
        (0, 2, vec![0, 0]),
        (7, 1, vec![7]),
    ] {
        let shares: Vec<Amount> = (0..of).map(|k| unit_share(Amount::minor(total), k, 1, of)).collect();
        assert_eq!(shares, amounts(&expected), "{total} over {of}");
    }
    for total in 0..40 {
        for of in 1..8 {
            let mut sum = Amount::ZERO;
            for k in 0..of {
                let share = unit_share(Amount::minor(total), k, 1, of);
                assert!(!share.is_negative());
                sum += share;
                assert_eq!(sum, cumulative(Amount::minor(total), k + 1, of));
            }
            assert_eq!(sum, Amount::minor(total));
        }
    }
}

#[test]
fn even_shares_give_odd_cents_first_and_continue() {
    for (total, n, open, expected) in [
        (100, 1, 3, 34),
        (100, 2, 3, 67),
        (100, 3, 3, 100),
        (66, 1, 2, 33),
        (2, 1, 3, 1),
        (2, 3, 3, 2),
        (0, 2, 2, 0),
        (9, 0, 0, 0),
    ] {
        assert_eq!(even_share(Amount::minor(total), n, open), Amount::minor(expected), "{n} of {open} of {total}");
    }
    for total in 0..30 {
        for open in 1..7 {
            let mut left = Amount::minor(total);
            for k in 0..open {
                let whole = even_share(Amount::minor(total), k + 1, open);
                left -= even_share(left, 1, open - k);
                assert_eq!(Amount::minor(total) - left, whole, "one by one is the same as together");
            }
            assert!(left.is_zero());
        }
    }
}

#[test]
fn ratios_round_half_away_from_zero() {
    for (amount, numerator, denominator, expected) in
        [(1, 1, 2, 1), (-1, 1, 2, -1), (1, 1, 3, 0), (2, 1, 3, 1), (5, 3, 2, 8), (143, 750, 2380, 45), (7, 0, 3, 0)]
    {
        assert_eq!(ratio(Amount::minor(amount), numerator, denominator), Amount::minor(expected));
    }
    let most = Amount::minor(AMOUNT_MINOR_MAX);
    assert_eq!(ratio(most, i128::from(AMOUNT_MINOR_MAX), i128::from(AMOUNT_MINOR_MAX)), most);
}

#[test]
fn percentages_of_amounts_round_half_up() {
    for (percent, amount, expected) in
        [("50", 2701, 1351), ("0.01", 49, 0), ("0.01", 5000, 1), ("33.333333333", 300, 100)]
    {
        assert_eq!(dec(percent).of_amount(Amount::minor(amount), 2), Amount::minor(expected));
    }
    assert_eq!(dec("100").times(2).of_amount_divided(Amount::minor(1999), 2, 3), Amount::minor(1333));
    assert_eq!(dec("0.125").rounded_to(2), dec("0.13"));
    assert_eq!(dec("-0.125").rounded_to(2), dec("-0.13"));
    assert_eq!(dec("0.12").rounded_to(9), dec("0.12"));
    assert_eq!(dec("-0.500").to_string(), "-0.5");
}
