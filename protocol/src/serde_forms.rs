//! How bytes and enums look in MessagePack and JSON. MessagePack carries bytes as `bin`; JSON, which has none, as the
//! text itself when it is UTF-8 and as `{"base64": "…"}` otherwise. Enums travel by their lower-case name without prefix.

/// Whether a field may be left out: absent means default in every encoding.
pub(crate) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// Bytes: `bin` in MessagePack; text or `{"base64": …}` in JSON.
pub(crate) mod payload {
    use std::fmt;

    use base64::{Engine, engine::general_purpose::STANDARD};
    use bytes::Bytes;
    use serde::de::{Error, MapAccess, Visitor};
    use serde::ser::SerializeMap;
    use serde::{Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(value: &Bytes, serializer: S) -> Result<S::Ok, S::Error> {
        if !serializer.is_human_readable() {
            return serializer.serialize_bytes(value);
        }
        match std::str::from_utf8(value) {
            Ok(text) => serializer.serialize_str(text),
            Err(_) => {
                let mut map = serializer.serialize_map(Some(1))?;
                map.serialize_entry("base64", &STANDARD.encode(value))?;
                map.end()
            }
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Bytes, D::Error> {
        deserializer.deserialize_any(PayloadVisitor)
    }

    struct PayloadVisitor;

    impl<'de> Visitor<'de> for PayloadVisitor {
        type Value = Bytes;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("bytes, a string, or {\"base64\": \"…\"}")
        }

        fn visit_bytes<E: Error>(self, value: &[u8]) -> Result<Bytes, E> {
            Ok(Bytes::copy_from_slice(value))
        }

        fn visit_byte_buf<E: Error>(self, value: Vec<u8>) -> Result<Bytes, E> {
            Ok(value.into())
        }

        fn visit_str<E: Error>(self, value: &str) -> Result<Bytes, E> {
            Ok(Bytes::copy_from_slice(value.as_bytes()))
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Bytes, A::Error> {
            let Some((key, value)) = map.next_entry::<String, String>()? else {
                return Err(A::Error::custom("an empty map where bytes were expected"));
            };
            if key != "base64" || map.next_key::<String>()?.is_some() {
                return Err(A::Error::custom("bytes as a map have the one key `base64`"));
            }
            STANDARD.decode(value).map(Bytes::from).map_err(A::Error::custom)
        }
    }
}

/// One module per enum of the schema: its lower-case name without the prefix, e.g. `KIND_SERVICE` ⇄ `"service"`.
macro_rules! named_enum {
    ($module:ident, $type:ty, $prefix:literal) => {
        pub(crate) mod $module {
            use serde::{Deserialize, Deserializer, Serializer, de::Error};

            pub(crate) fn serialize<S: Serializer>(value: &i32, serializer: S) -> Result<S::Ok, S::Error> {
                let known = <$type>::try_from(*value).unwrap_or_default();
                let name = known.as_str_name().trim_start_matches($prefix).to_ascii_lowercase();
                serializer.serialize_str(&name)
            }

            pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i32, D::Error> {
                let name = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                <$type>::from_str_name(&format!("{}{}", $prefix, name.to_ascii_uppercase()))
                    .map(|known| known as i32)
                    .ok_or_else(|| D::Error::custom(format!("{name:?} is not a {}", stringify!($module))))
            }
        }
    };
}

named_enum!(mode, crate::v1::Mode, "MODE_");
named_enum!(kind, crate::v1::Kind, "KIND_");
named_enum!(relation_kind, crate::v1::RelationKind, "RELATION_");
named_enum!(direction, crate::v1::Direction, "DIRECTION_");
