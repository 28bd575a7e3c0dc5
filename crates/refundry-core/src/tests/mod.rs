//! The rules, tried: tables of cases, properties, small worlds.

mod book;
mod called_off;
mod edges;
mod events;
mod held;
mod last_units;
mod limited;
mod parcels;
mod properties;
mod random;
mod rank;
mod returns;
mod shares;
mod slips;
mod small_worlds;
mod splits;
mod strategies;
mod trial;
mod vectors;
mod worked;
mod worked_figures;
mod worked_order;
pub(crate) mod world;
