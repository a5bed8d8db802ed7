//! Why the directory did not answer: what a database says, as far as anybody above must tell it apart.
//!
//! Invariant: what passes by itself is told apart from what does not, so that an outage looks like one.

/// Why the directory did not answer.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// What must be unique is there already.
    #[error("it exists already")]
    Exists,
    /// What it names is not there (any more).
    #[error("what it refers to does not exist")]
    Missing,
    /// The database cannot be reached, is full, or has too much to do: later it may answer.
    #[error("the directory's database failed: {0}")]
    Unavailable(String),
    /// It answered with what should not be.
    #[error("the directory's database refused: {0}")]
    Refused(String),
}

impl From<sqlx::Error> for DirectoryError {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::Database(database) if database.is_unique_violation() => Self::Exists,
            sqlx::Error::Database(database) if database.is_foreign_key_violation() => Self::Missing,
            error if is_outage(error) => Self::Unavailable(error.to_string()),
            error => Self::Refused(error.to_string()),
        }
    }
}

fn is_outage(error: &sqlx::Error) -> bool {
    use sqlx::Error as E;
    match error {
        E::Io(_) | E::Tls(_) | E::Protocol(_) | E::PoolTimedOut | E::PoolClosed | E::WorkerCrashed => true,
        E::Database(database) => database.code().is_some_and(|code| passes(&code)),
        _ => false,
    }
}

/// Whether a database's number of an error is one of those that pass. PostgreSQL's have five characters, of which two
/// are the class; SQLite's are numbers, whose lowest byte is.
fn passes(code: &str) -> bool {
    // Connection, rollback for another one's sake, resources, locks, an operator's doing, the system under it.
    const POSTGRES: [&str; 6] = ["08", "40", "53", "55", "57", "58"];
    /// A read-only transaction: a standby that was taken for the primary.
    const POSTGRES_READ_ONLY: &str = "25006";
    // Busy, locked, out of memory, read-only, I/O, full, cannot open.
    const SQLITE: [u32; 7] = [5, 6, 7, 8, 10, 13, 14];
    match code.len() {
        5 => code == POSTGRES_READ_ONLY || POSTGRES.iter().any(|class| code.starts_with(class)),
        _ => code.parse::<u32>().is_ok_and(|number| SQLITE.contains(&(number & 0xff))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outages_pass_and_mistakes_do_not() {
        for code in ["57P01", "57P03", "53300", "08006", "40P01", "55P03", "25006", "5", "13", "778", "2826"] {
            assert!(passes(code), "{code}");
        }
        // A missing table, a syntax error, a broken rule, a full range; SQLite's general error, and its broken rules.
        for code in ["42P01", "42601", "23514", "22003", "1", "19", "275", "20", "", "?"] {
            assert!(!passes(code), "{code}");
        }
        assert!(matches!(DirectoryError::from(sqlx::Error::PoolTimedOut), DirectoryError::Unavailable(_)));
        let wrong = sqlx::Error::ColumnNotFound("x".to_owned());
        assert!(matches!(DirectoryError::from(wrong), DirectoryError::Refused(_)));
    }
}
