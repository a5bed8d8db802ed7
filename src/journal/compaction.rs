//! Giving space back, and making erased payloads really gone.
use super::JournalConfig;
use super::backlog::Backlog;
use super::state::State;
use super::store::Store;
pub(crate) struct Compactor {}
impl Compactor {
    pub fn new(_: &JournalConfig) -> Self {
        Self {}
    }
    pub fn step(&mut self, _: &Store, _: &State, _: &Backlog, _: u64) -> Result<(), String> {
        Ok(())
    }
}
