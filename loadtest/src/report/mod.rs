//! How what was found is shown. Knows figures; knows no scenario.

pub mod json;
pub mod table;
