//! Spreads amounts over components, and remembers what each has left while one request is worked out.

use crate::balances::{Allocated, Facts};
use crate::money::{Amount, ratio, split};
use crate::order::ComponentKind;
use crate::refund::{Allocation, Why};

/// The allocations of one request in the making.
pub(crate) struct Spread<'a> {
    facts: &'a Facts,
    /// Taken by this request, per component.
    taken: Vec<Allocated>,
    allocations: Vec<Allocation>,
}

impl<'a> Spread<'a> {
    pub(crate) fn new(facts: &'a Facts) -> Self {
        let taken = vec![Allocated::default(); facts.order.components.len()];
        Self { facts, taken, allocations: Vec::new() }
    }

    pub(crate) fn into_allocations(self) -> Vec<Allocation> {
        self.allocations
    }

    /// Writes a quantity onto the allocations that have none yet: those of the item just spread.
    pub(crate) fn state_quantity(&mut self, quantity: u32) {
        for allocation in self.allocations.iter_mut().rev().take_while(|a| a.quantity.is_none()) {
            allocation.quantity = Some(quantity);
        }
    }

    /// Net and tax that a component has left beyond this request's allocations.
    pub(crate) fn left(&self, component: usize) -> (Amount, Amount) {
        let (net, tax) = self.facts.component_left(component);
        let taken = self.taken.get(component).copied().unwrap_or_default();
        (net - taken.net, tax - taken.tax)
    }

    /// Net and tax together of [`Spread::left`].
    pub(crate) fn left_gross(&self, component: usize) -> Amount {
        let (net, tax) = self.left(component);
        net + tax
    }

    /// Σ of [`Spread::left_gross`].
    pub(crate) fn left_of(&self, components: &[usize]) -> Amount {
        components.iter().map(|c| self.left_gross(*c)).sum()
    }

    /// Takes exactly these figures from one component; takes nothing where both are zero.
    pub(crate) fn take(&mut self, component: usize, net: Amount, tax: Amount, why: Why, odd: Amount) {
        if net.is_zero() && tax.is_zero() {
            return;
        }
        let held = self.facts.balances.components.get(component).copied().unwrap_or_default();
        let taken = self.taken.get_mut(component).expect("component of this order");
        let before = Allocated { net: held.net + taken.net, tax: held.tax + taken.tax };
        *taken = Allocated { net: taken.net + net, tax: taken.tax + tax };
        let shop = (shadow(self.facts, before.net, net), shadow(self.facts, before.tax, tax));
        let returned = (Amount::ZERO, Amount::ZERO);
        self.allocations.push(Allocation { component, net, tax, shop, returned, quantity: None, why, odd });
    }

    /// Takes a gross amount from one component, net and tax in proportion to what it has left of each.
    pub(crate) fn take_gross(&mut self, component: usize, gross: Amount, why: Why, odd: Amount) {
        let (net_left, tax_left) = self.left(component);
        if let [net, tax] = split(gross, &[net_left, tax_left]).as_slice() {
            self.take(component, *net, *tax, why, odd);
        }
    }

    /// Takes all that some components have left.
    pub(crate) fn take_rest(&mut self, components: &[usize]) {
        for component in components {
            let (net, tax) = self.left(*component);
            self.take(*component, net, tax, Why::Remaining, Amount::ZERO);
        }
    }

    /// Spreads a gross amount over components in proportion to what they have left, fees last. What they cannot take
    /// stays unallocated: it becomes a discrepancy.
    pub(crate) fn spread(&mut self, gross: Amount, components: &[usize], why: Why) {
        let is_fee = |c: &usize| self.facts.order.components.get(*c).is_some_and(|c| c.kind == ComponentKind::Fee);
        let (fees, others): (Vec<usize>, Vec<usize>) = components.iter().partition(|c| is_fee(c));
        let to_others = gross.min(self.left_of(&others));
        self.spread_evenly(to_others, &others, why);
        let rest = gross - to_others;
        let to_fees = rest.min(self.left_of(&fees));
        // A caller who names fees alone is not told that they came last.
        let fee_why = if others.is_empty() { why } else { Why::FeesLast };
        self.spread_evenly(to_fees, &fees, fee_why);
    }

    fn spread_evenly(&mut self, gross: Amount, components: &[usize], why: Why) {
        if gross.is_zero() {
            return;
        }
        let lefts: Vec<Amount> = components.iter().map(|c| self.left_gross(*c)).collect();
        let all: Amount = lefts.iter().sum();
        let whole = gross == all;
        for ((component, left), part) in components.iter().zip(&lefts).zip(split(gross, &lefts)) {
            let odd = part - floor_share(gross, *left, all);
            self.take_gross(*component, part, if whole { Why::Remaining } else { why }, odd);
        }
    }

    /// Takes a net amount from components in proportion, each with the tax that goes with it.
    ///
    /// The tax of a part is `tax left · part / net left`, half up, and the last part takes all tax that is left.
    pub(crate) fn spread_net(&mut self, net: Amount, components: &[usize]) {
        let lefts: Vec<Amount> = components.iter().map(|c| self.left(*c).0).collect();
        let all: Amount = lefts.iter().sum();
        for (component, part) in components.iter().zip(split(net, &lefts)) {
            let (net_left, tax_left) = self.left(*component);
            let tax = tax_with(part, net_left, tax_left);
            let odd = part - floor_share(net, net_left, all);
            self.take(*component, part, tax, Why::Stated, odd);
        }
    }
}

/// The tax that goes with a net amount.
pub(crate) fn tax_with(net: Amount, net_left: Amount, tax_left: Amount) -> Amount {
    if net_left.is_zero() {
        return Amount::ZERO;
    }
    ratio(tax_left, i128::from(net.get()), i128::from(net_left.get()))
}

/// Shadow in the shop's currency of `more` after `before`, between running sums; zero without a shop currency.
pub(crate) fn shadow(facts: &Facts, before: Amount, more: Amount) -> Amount {
    let Some(shop) = facts.order.shop else { return Amount::ZERO };
    let currency = facts.order.currency;
    shop.convert(before + more, currency) - shop.convert(before, currency)
}

fn floor_share(total: Amount, weight: Amount, weights: Amount) -> Amount {
    if weights.is_zero() {
        return Amount::ZERO;
    }
    let product = i128::from(total.get()).saturating_mul(i128::from(weight.get()));
    let floor = product.div_euclid(i128::from(weights.get()));
    Amount::minor(i64::try_from(floor).expect("amount overflow"))
}
