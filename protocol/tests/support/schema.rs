//! The schema as data, for tests that hold something else against it: its messages with their fields, its enums with
//! their values as they are written in JSON.

use std::collections::BTreeMap;

/// A field of a message.
#[derive(Debug, Clone)]
pub struct Field {
    /// Its name, which is its key in MessagePack and JSON.
    pub name: String,
    /// The name of the message or enum it holds, if it holds one.
    pub of: Option<String>,
}

/// Messages and enums by name.
#[derive(Debug)]
pub struct Schema {
    /// Fields of each message, in the order of the schema.
    pub messages: BTreeMap<String, Vec<Field>>,
    /// Values of each enum in their JSON form.
    pub enums: BTreeMap<String, Vec<String>>,
}

impl Schema {
    /// Reads `konvert.proto`.
    pub fn read() -> Self {
        let files = protox::compile(["konvert.proto"], [env!("CARGO_MANIFEST_DIR")]).expect("the schema compiles");
        let file = &files.file[0];
        let last = |path: &str| path.rsplit('.').next().expect("split gives a part").to_owned();
        let messages = file.message_type.iter().map(|message| {
            let fields = message
                .field
                .iter()
                .map(|field| Field { name: field.name().to_owned(), of: field.type_name.as_deref().map(last) });
            (message.name().to_owned(), fields.collect())
        });
        let enums = file.enum_type.iter().map(|kind| {
            // MODE_E2EE → e2ee: the prefix is the part that all values of an enum share.
            let names: Vec<_> = kind.value.iter().map(|value| value.name()).collect();
            let prefix = names[0].find('_').expect("values carry a prefix") + 1;
            (kind.name().to_owned(), names.iter().map(|name| name[prefix..].to_ascii_lowercase()).collect())
        });
        Self { messages: messages.collect(), enums: enums.collect() }
    }
}
