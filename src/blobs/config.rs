//! Settings of stored files.

use std::fmt;

use serde::{Deserialize, Serialize, Serializer};

/// Which files are taken, for how long, and where they are kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BlobsConfig {
    /// `s3://bucket/prefix`; empty: in the data directory.
    pub url: String,
    /// Where the S3-compatible service is, such as `https://minio.example:9000`; empty: at Amazon.
    pub endpoint: String,
    /// The region of the bucket.
    pub region: String,
    /// The key's id; empty: from where the machine runs.
    pub access_key_id: String,
    /// The key.
    pub secret_access_key: Secret,
    /// How long that service may take to answer, and for a part of 8 MiB, seconds.
    pub answer_s: u64,
    /// Longest file, bytes.
    pub size_bytes_max: u64,
    /// Types that are taken, as their bytes show them: `image/png` or `image/*`.
    pub types: Vec<String>,
    /// Most uploads that one user may have begun and not finished.
    pub uploads_per_user: u32,
    /// An upload that is not finished this long after it began is given up, seconds.
    pub upload_expires_s: u64,
    /// A file that belongs to no message and is no avatar is deleted this long after it was last uploaded or named,
    /// seconds.
    pub unreferenced_s: u64,
}

impl Default for BlobsConfig {
    fn default() -> Self {
        const TYPES: &[&str] = &[
            "image/*",
            "audio/*",
            "video/*",
            "text/plain",
            "application/pdf",
            "application/zip",
            "application/vnd.openxmlformats-officedocument.*",
            "application/vnd.oasis.opendocument.*",
            "application/octet-stream",
        ];
        Self {
            url: String::new(),
            endpoint: String::new(),
            region: "us-east-1".to_owned(),
            access_key_id: String::new(),
            secret_access_key: Secret::default(),
            answer_s: 30,
            size_bytes_max: 100 << 20,
            types: TYPES.iter().copied().map(str::to_owned).collect(),
            uploads_per_user: 16,
            upload_expires_s: 24 * 3_600,
            unreferenced_s: 24 * 3_600,
        }
    }
}

/// A text that is never shown: not in logs, not by `konvert config print`.
#[derive(Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    pub(super) fn reveal(&self) -> &str {
        &self.0
    }

    fn shown(&self) -> &'static str {
        if self.0.is_empty() { "" } else { "(not shown)" }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.shown(), f)
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.shown().serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_shows_nowhere() {
        let config: BlobsConfig = toml::from_str("secret_access_key = \"hunter2\"").unwrap();
        assert_eq!(config.secret_access_key.reveal(), "hunter2");
        assert!(!format!("{config:?}").contains("hunter2"));
        assert!(!toml::to_string(&config).unwrap().contains("hunter2"));
    }
}
