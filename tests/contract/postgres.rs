//! What rests on the directory once more, with PostgreSQL under the servers.

use crate::server::postgres;

#[test]
fn revocation_holds_on_postgres() {
    postgres::again(&["revocation_is_immediate", "a_token_that_ends", "--skip", "would_be_missed"]);
}
