//! The schema as data, for tests that hold something else against it: messages with their fields, enums with their
//! values as they are written in JSON, and the comments of all.

#![allow(dead_code, reason = "each test that includes this uses its own part")]

use std::collections::{BTreeMap, HashMap};

use protox::prost_reflect::prost_types::FileDescriptorProto;
use protox::prost_reflect::prost_types::field_descriptor_proto::{Label, Type};

/// A message.
#[derive(Debug)]
pub struct Message {
    /// What the schema says about it.
    pub comment: String,
    /// In the order of the schema.
    pub fields: Vec<Field>,
}

/// A field of a message.
#[derive(Debug)]
pub struct Field {
    /// Its number in Protobuf.
    pub number: i32,
    /// Its name, which is its key in MessagePack and JSON.
    pub name: String,
    /// Its type for people: `string`, `repeated Member`.
    pub kind: String,
    /// The name of the message or enum it holds, if it holds one.
    pub of: Option<String>,
    /// What the schema says about it.
    pub comment: String,
}

/// An enum.
#[derive(Debug)]
pub struct Enum {
    /// What the schema says about it.
    pub comment: String,
    /// Number, JSON form and comment of each value.
    pub values: Vec<(i32, String, String)>,
}

/// Everything `konvert.proto` defines.
#[derive(Debug)]
pub struct Schema {
    /// Names of messages and enums as they stand in the file.
    pub order: Vec<String>,
    /// Messages by name.
    pub messages: BTreeMap<String, Message>,
    /// Enums by name.
    pub enums: BTreeMap<String, Enum>,
}

impl Schema {
    /// Reads `konvert.proto`.
    pub fn read() -> Self {
        let mut compiler = protox::Compiler::new([env!("CARGO_MANIFEST_DIR")]).expect("the crate has a directory");
        compiler.include_source_info(true).open_file("konvert.proto").expect("the schema compiles");
        let files = compiler.file_descriptor_set();
        let file = &files.file[0];
        let notes = Notes::of(file);
        let messages =
            (0..file.message_type.len()).map(|i| (file.message_type[i].name().to_owned(), message(file, i, &notes)));
        let enums = (0..file.enum_type.len()).map(|i| (file.enum_type[i].name().to_owned(), values(file, i, &notes)));
        let mut order: Vec<_> =
            file.message_type.iter().enumerate().map(|(i, m)| (notes.line(&[4, i]), m.name())).collect();
        order.extend(file.enum_type.iter().enumerate().map(|(i, e)| (notes.line(&[5, i]), e.name())));
        order.sort_unstable();
        let order = order.into_iter().map(|(_, name)| name.to_owned()).collect();
        Self { order, messages: messages.collect(), enums: enums.collect() }
    }
}

fn message(file: &FileDescriptorProto, index: usize, notes: &Notes) -> Message {
    let fields = file.message_type[index].field.iter().enumerate().map(|(i, field)| {
        let of = field.type_name.as_deref().and_then(|path| path.rsplit('.').next()).map(str::to_owned);
        let kind = of.clone().unwrap_or_else(|| scalar(field.r#type()).to_owned());
        let repeated = if field.label() == Label::Repeated { "repeated " } else { "" };
        Field {
            number: field.number(),
            name: field.name().to_owned(),
            kind: format!("{repeated}{kind}"),
            of,
            comment: notes.comment(&[4, index, 2, i]),
        }
    });
    Message { comment: notes.comment(&[4, index]), fields: fields.collect() }
}

fn values(file: &FileDescriptorProto, index: usize, notes: &Notes) -> Enum {
    let values = &file.enum_type[index].value;
    // MODE_E2EE → e2ee: the values of an enum share a prefix.
    let prefix = values[0].name().find('_').expect("values carry a prefix") + 1;
    let values = values.iter().enumerate().map(|(i, value)| {
        (value.number(), value.name()[prefix..].to_ascii_lowercase(), notes.comment(&[5, index, 2, i]))
    });
    Enum { comment: notes.comment(&[5, index]), values: values.collect() }
}

fn scalar(kind: Type) -> &'static str {
    match kind {
        Type::Uint32 => "uint32",
        Type::Uint64 => "uint64",
        Type::Bool => "bool",
        Type::Bytes => "bytes",
        Type::String => "string",
        other => panic!("{other:?}: not used by the schema so far"),
    }
}

/// Line and comment of everything in the file, by its path as `SourceCodeInfo` numbers it.
struct Notes(HashMap<Vec<usize>, (i32, String)>);

impl Notes {
    fn of(file: &FileDescriptorProto) -> Self {
        let locations = file.source_code_info.iter().flat_map(|info| &info.location).map(|at| {
            let path = at.path.iter().map(|&part| part as usize).collect();
            let comment: Vec<_> = at.leading_comments().split_whitespace().collect();
            (path, (at.span[0], comment.join(" ")))
        });
        Self(locations.collect())
    }

    fn line(&self, path: &[usize]) -> i32 {
        self.0[path].0
    }

    fn comment(&self, path: &[usize]) -> String {
        self.0[path].1.clone()
    }
}
