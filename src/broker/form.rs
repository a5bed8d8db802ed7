//! How a frame is laid out for those who get it. Knows the encodings and that there are two ways to carry them, not what
//! carries them.

use konvert_protocol::Encoding;

/// One of the forms that a frame is given to subscribers in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Form {
    /// A message of a socket.
    Message(Encoding),
    /// An event of a stream: JSON.
    Event,
}

impl Form {
    /// All forms; the place of each is [`Form::index`].
    pub const ALL: [Form; 4] = [
        Form::Message(Encoding::Protobuf),
        Form::Message(Encoding::Msgpack),
        Form::Message(Encoding::Json),
        Form::Event,
    ];

    /// Place in [`Form::ALL`].
    pub fn index(self) -> usize {
        match self {
            Self::Message(encoding) => encoding.index(),
            Self::Event => Encoding::ALL.len(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_its_place() {
        assert!(Form::ALL.iter().enumerate().all(|(place, form)| form.index() == place));
    }
}
