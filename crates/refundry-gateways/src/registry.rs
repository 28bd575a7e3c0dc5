//! The drivers that are ready to be asked: those built in, by driver name, and those a store configured, by the name it
//! gave them.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use crate::{Capabilities, Gateway};

/// Drivers by name. A store's own go before built-in ones.
pub struct Registry {
    built_in: Vec<Arc<dyn Gateway>>,
    configured: RwLock<BTreeMap<i64, Arc<Configured>>>,
}

/// What one store configured.
type Configured = BTreeMap<String, Arc<dyn Gateway>>;

impl Registry {
    /// Takes the drivers that every store has; each name may occur once.
    pub fn new(built_in: Vec<Box<dyn Gateway>>) -> Result<Registry, NameTaken> {
        for (position, driver) in built_in.iter().enumerate() {
            let earlier = built_in.iter().take(position);
            if earlier.into_iter().any(|other| other.name() == driver.name()) {
                return Err(NameTaken { name: driver.name() });
            }
        }
        Ok(Registry { built_in: built_in.into_iter().map(Arc::from).collect(), configured: RwLock::default() })
    }

    /// Replaces everything that a store configured.
    pub fn configure(&self, store: i64, gateways: BTreeMap<String, Arc<dyn Gateway>>) {
        self.configured.write().unwrap_or_else(PoisonError::into_inner).insert(store, Arc::new(gateways));
    }

    /// What the gateways that a store configured can do, by name.
    pub fn capabilities(&self, store: i64) -> Vec<(String, Capabilities)> {
        let configured = self.configured.read().unwrap_or_else(PoisonError::into_inner).get(&store).cloned();
        let all = configured.iter().flat_map(|gateways| gateways.iter());
        all.map(|(name, gateway)| (name.clone(), gateway.capabilities())).collect()
    }

    /// What a store calls by that name.
    pub fn find(&self, store: i64, name: &str) -> Option<Arc<dyn Gateway>> {
        let configured = self.configured.read().unwrap_or_else(PoisonError::into_inner).get(&store).cloned();
        let own = configured.and_then(|gateways| gateways.get(name).cloned());
        own.or_else(|| self.built_in.iter().find(|driver| driver.name() == name).cloned())
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.built_in.iter().map(|driver| driver.name())).finish_non_exhaustive()
    }
}

/// Two built-in drivers have the same name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NameTaken {
    /// The name that occurs twice.
    pub name: &'static str,
}

impl fmt::Display for NameTaken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "two gateways are named {}", self.name)
    }
}

impl std::error::Error for NameTaken {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Manual, Simulated};

    #[test]
    fn registry_finds_by_name_and_refuses_a_name_twice() {
        let registry = Registry::new(vec![Box::new(Manual), Box::new(Simulated::remote("http://localhost"))]).unwrap();
        let found = |store, name| registry.find(store, name).map(|gateway| gateway.name());
        assert_eq!(found(1, "manual"), Some("manual"));
        assert_eq!(found(1, "simulated"), Some("simulated"));
        assert_eq!(found(1, "till"), None);

        let till: Arc<dyn Gateway> = Arc::new(Manual);
        registry.configure(1, BTreeMap::from([("till".to_owned(), Arc::clone(&till)), ("simulated".to_owned(), till)]));
        assert_eq!(found(1, "till"), Some("manual"));
        assert_eq!(found(1, "simulated"), Some("manual"), "a store's own goes first");
        assert_eq!(found(2, "till"), None, "another store has none of it");
        registry.configure(1, BTreeMap::new());
        assert_eq!(found(1, "till"), None);

        let twice = Registry::new(vec![Box::new(Manual), Box::new(Manual)]);
        assert_eq!(twice.err(), Some(NameTaken { name: "manual" }));
    }
}
