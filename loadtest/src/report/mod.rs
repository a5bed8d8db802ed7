//! How what was found is shown. Knows figures; knows no scenario.

pub mod html;
pub mod json;
mod svg;
pub mod table;
