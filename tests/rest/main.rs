//! Black-box tests of everything over HTTP: the real binary, real sockets, a real database.
//!
//! They run on SQLite; with `KONVERT_TEST_DATABASE=postgres` the same tests run on a PostgreSQL that the harness starts.

mod accounts;
mod administration;
mod again;
mod anything_json;
mod api;
mod audited;
mod bad_bodies;
mod bad_names;
mod blobs;
#[path = "../support/broken.rs"]
mod broken;
mod contacts;
mod counts;
mod dialogs;
mod endpoints;
mod files;
mod foreign;
mod forms;
mod gone;
mod limits;
#[path = "../contract/link.rs"]
mod link;
mod live;
mod matrix;
mod memberships;
mod openapi;
mod pace;
mod programs;
mod raw;
mod reach;
mod receiver;
mod refused;
mod removed;
mod renames;
mod script;
mod seldom;
#[path = "../support/server.rs"]
mod server;
mod store;
mod stored;
mod trial;
mod uploads;
#[path = "../contract/user.rs"]
mod user;
mod webhooks;
mod world;
