//! Changes of an order that a caller may ask for after it was made.

use crate::balances::Facts;
use crate::money::{Amount, AmountError, Decimal};
use crate::order::{Component, ComponentKind, Order, Reference};
use crate::terms::TermChange;

/// What is to change. What is `None` stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Amendment {
    /// A merge patch (RFC 7396) of the order's document, as JSON; empty for none.
    pub document: String,
    /// What the patch changes of what the order is found by.
    pub terms: Option<TermChange>,
    /// The named additional charges, all of them anew.
    pub charges: Option<Vec<(String, Decimal)>>,
    /// Shipping without tax.
    pub shipping: Option<Decimal>,
    /// Lines that the patch says something of.
    pub lines: Vec<Reference>,
}

/// Why an order cannot change so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AmendFault {
    /// Not an amount of the order's currency.
    Amount {
        /// `shipping`, or the name of a charge.
        what: String,
        /// As asked.
        amount: Decimal,
        /// What is wrong with it.
        why: AmountError,
    },
    /// Two charges of one name, or one without.
    ChargeName(String),
    /// No such line; as named.
    LineUnknown(String),
}

/// The order after an amendment. A part that was refunded must not change; whoever stores the order checks that.
pub fn amended(facts: &Facts, amendment: &Amendment) -> Result<Order, AmendFault> {
    let mut order = Order::clone(&facts.order);
    if let Some(unknown) = amendment.lines.iter().find(|line| order.find_line(line).is_none()) {
        return Err(AmendFault::LineUnknown(unknown.text.clone()));
    }
    if let Some(shipping) = amendment.shipping {
        let net = amount(&order, "shipping", shipping)?;
        set_shipping(&mut order, net);
    }
    if let Some(charges) = &amendment.charges {
        set_charges(&mut order, charges)?;
    }
    Ok(order)
}

fn amount(order: &Order, what: &str, amount: Decimal) -> Result<Amount, AmendFault> {
    let refused = |why| AmendFault::Amount { what: what.to_owned(), amount, why };
    let minor = amount.to_minor(order.currency).map_err(refused)?;
    if minor.is_negative() { Err(refused(AmountError::NotPositive)) } else { Ok(minor) }
}

/// The first shipping of the order as a whole becomes what is asked; without any, it comes before tips and charges.
fn set_shipping(order: &mut Order, net: Amount) {
    let of_order = |c: &&mut Component| c.kind == ComponentKind::Shipping && c.line.is_none();
    if let Some(shipping) = order.components.iter_mut().find(of_order) {
        shipping.net = net;
    } else if net.is_positive() {
        let part = Component { kind: ComponentKind::Shipping, line: None, name: String::new(), net, tax: Amount::ZERO };
        let later = |c: &Component| c.kind > ComponentKind::Shipping && c.kind <= ComponentKind::Additional;
        let place = order.components.iter().position(later).unwrap_or(order.components.len());
        order.components.insert(place, part);
    }
}

/// Charges that stay keep their places, so that what was refunded of them is still theirs.
fn set_charges(order: &mut Order, charges: &[(String, Decimal)]) -> Result<(), AmendFault> {
    let mut wanted: Vec<(&str, Amount)> = Vec::with_capacity(charges.len());
    for (name, price) in charges {
        if name.is_empty() || wanted.iter().any(|(known, _)| known == name) {
            return Err(AmendFault::ChargeName(name.clone()));
        }
        wanted.push((name, amount(order, name, *price)?));
    }
    let keeps = |c: &Component| c.kind != ComponentKind::Additional || wanted.iter().any(|(name, _)| *name == c.name);
    order.components.retain(keeps);
    for (name, net) in wanted {
        let charge = |c: &&mut Component| c.kind == ComponentKind::Additional && c.name == name;
        if let Some(known) = order.components.iter_mut().find(charge) {
            (known.net, known.tax) = (net, Amount::ZERO);
        } else {
            let (kind, name) = (ComponentKind::Additional, name.to_owned());
            order.components.push(Component { kind, line: None, name, net, tax: Amount::ZERO });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::world::{line, order, part};

    fn sample() -> Order {
        let mut order = order("USD");
        line(&mut order, "A", 2, 4000, 0);
        part(&mut order, ComponentKind::Tip, None, 500, 0);
        order
    }

    fn charges(order: &Order) -> Vec<(String, i64)> {
        let charges = order.components.iter().filter(|c| c.kind == ComponentKind::Additional);
        charges.map(|c| (c.name.clone(), c.net.get())).collect()
    }

    fn asked(charges: &[(&str, &str)], shipping: Option<&str>) -> Amendment {
        let decimal = |text: &str| Decimal::parse(text).unwrap();
        Amendment {
            document: String::new(),
            terms: None,
            lines: Vec::new(),
            charges: Some(charges.iter().map(|(name, price)| ((*name).to_owned(), decimal(price))).collect()),
            shipping: shipping.map(decimal),
        }
    }

    #[test]
    fn charges_are_replaced_by_name() {
        let facts = Facts::fresh(sample());
        let order = amended(&facts, &asked(&[("Gift Wrapping", "5.00"), ("Card", "1")], None)).unwrap();
        assert_eq!(charges(&order), [("Gift Wrapping".to_owned(), 500), ("Card".to_owned(), 100)]);
        let facts = Facts::fresh(order);
        let order = amended(&facts, &asked(&[("Card", "2.50")], None)).unwrap();
        assert_eq!(charges(&order), [("Card".to_owned(), 250)]);
        assert_eq!(charges(&amended(&Facts::fresh(order), &asked(&[], None)).unwrap()), []);
        for names in [["Card", "Card"], ["", "Card"]] {
            let twice = asked(&[(names[0], "1"), (names[1], "1")], None);
            assert!(matches!(amended(&facts, &twice), Err(AmendFault::ChargeName(_))), "{names:?}");
        }
        let third = asked(&[("Card", "0.001")], None);
        assert!(matches!(amended(&facts, &third), Err(AmendFault::Amount { .. })));
    }

    #[test]
    fn shipping_is_set_or_added_in_its_place() {
        let order = amended(&Facts::fresh(sample()), &asked(&[("Card", "1")], Some("7.50"))).unwrap();
        let kinds: Vec<ComponentKind> = order.components.iter().map(|c| c.kind).collect();
        let shipping = order.components.iter().filter(|c| c.kind == ComponentKind::Shipping);
        assert_eq!(shipping.map(|c| c.net.get()).sum::<i64>(), 750);
        assert!(kinds.is_sorted(), "{kinds:?}");
        assert_eq!(order.validate(), Ok(()));
        let again = amended(&Facts::fresh(order), &asked(&[], Some("0"))).unwrap();
        assert!(again.components.iter().all(|c| c.kind != ComponentKind::Shipping || c.net.is_zero()));
        let below = asked(&[], Some("-1"));
        assert!(matches!(amended(&Facts::fresh(again), &below), Err(AmendFault::Amount { .. })));
    }
}
