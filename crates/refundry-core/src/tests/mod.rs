//! The rules, tried: tables of cases, properties, small worlds.

mod splits;
mod vectors;
mod world;
