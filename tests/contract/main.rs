//! Black-box tests of the contract: the real binary, real sockets, a real disk.
//!
//! Each guarantee is a function that says `Err` when it does not hold. The tests demand that it holds for the binary,
//! and, as negative controls, that it fails for a build with a fault that breaks just this guarantee.

mod drain;
mod guarantees;
mod hostile;
mod server;
mod user;
mod verbs;
