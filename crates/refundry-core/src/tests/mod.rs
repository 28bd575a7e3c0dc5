//! The rules, tried: tables of cases, properties, small worlds.

mod vectors;
mod world;
