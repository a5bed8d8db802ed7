//! Turns `konvert.proto` into Rust types without needing `protoc`, and gives every message but the two frames the
//! serde attributes that make MessagePack and JSON follow the same schema: a missing field is its default, and a
//! default is not written.

use std::error::Error;

use prost_build::Config;
use protox::prost_reflect::prost_types::field_descriptor_proto::Type;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=konvert.proto");
    let mut compiler = protox::Compiler::new(["."])?;
    compiler.include_source_info(true).open_file("konvert.proto")?;
    let schema = compiler.file_descriptor_set();

    let mut config = Config::new();
    config.bytes(["."]);

    for message in &schema.file[0].message_type {
        let name = message.name();
        // Frames hold a oneof whose name is the key on the wire; `frame.rs` writes their serde by hand.
        if name.ends_with("Frame") {
            continue;
        }
        let path = format!(".konvert.v1.{name}");
        config.message_attribute(&path, "#[derive(serde::Serialize, serde::Deserialize)] #[serde(default)]");
        for field in &message.field {
            let with = match field.r#type() {
                Type::Bytes => Some("crate::serde_forms::payload".to_owned()),
                Type::Enum => {
                    let kind = field.type_name().rsplit('.').next().unwrap_or_default();
                    Some(format!("crate::serde_forms::{}", snake(kind)))
                }
                _ => None,
            };
            let with = with.map(|path| format!(", with = \"{path}\"")).unwrap_or_default();
            config.field_attribute(
                format!("{path}.{}", field.name()),
                format!("#[serde(skip_serializing_if = \"crate::serde_forms::is_default\"{with})]"),
            );
        }
    }
    config.compile_fds(schema)?;
    Ok(())
}

/// `RelationKind` → `relation_kind`.
fn snake(name: &str) -> String {
    let mut out = String::new();
    for (i, c) in name.char_indices() {
        if c.is_uppercase() && i > 0 {
            out.push('_');
        }
        out.extend(c.to_lowercase());
    }
    out
}
