//! The driver for money that a person pays outside: cash, bank transfer, a custom channel.
//!
//! It sends nothing. A leg is pending from the first moment until a person says that it is settled; that word reaches
//! the engine as a command, never through this driver.

use crate::{Answer, Ask, Capabilities, Gateway, HttpOutcome, KeyMemory, Purpose, SettledBy, Step};

/// The manual driver; see the module.
#[derive(Clone, Copy, Debug)]
pub struct Manual;

impl Gateway for Manual {
    fn name(&self) -> &'static str {
        "manual"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities { settled_by: SettledBy::Person, ..Capabilities::without_limits(KeyMemory::Never) }
    }

    fn refund(&self, _: &Ask) -> Step {
        waiting_for_a_person()
    }

    fn lookup(&self, _: &Ask) -> Step {
        waiting_for_a_person()
    }

    fn read(&self, _: Purpose, _: &Ask, _: HttpOutcome) -> Step {
        Answer::unknown("the manual driver sends nothing, so there is no answer to read").into()
    }
}

fn waiting_for_a_person() -> Step {
    Step::Answer(Answer::Pending { reference: String::new() })
}
