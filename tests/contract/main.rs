//! Black-box tests of the contract: the real binary, real sockets, requests and streams, a real disk.
//!
//! Each guarantee is a function that says `Err` when it does not hold. The tests demand that it holds for the binary,
//! and, as negative controls, that it fails for a build with a fault that breaks just this guarantee.

/// A test that is run for each transport.
macro_rules! over_each {
    ($test:ident) => {
        mod $test {
            use crate::link::By;
            use crate::user::{by, speaking};

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn by_socket() {
                speaking(by(), super::$test()).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn by_stream() {
                speaking(By::Stream, super::$test()).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn by_poll() {
                speaking(By::Poll, super::$test()).await;
            }
        }
    };
}

#[path = "../rest/api.rs"]
mod api;
#[path = "../support/broken.rs"]
mod broken;
mod drain;
mod guarantees;
mod hostile;
mod link;
mod postgres;
mod revocation;
#[path = "../support/server.rs"]
mod server;
mod transports;
mod user;
mod verbs;
