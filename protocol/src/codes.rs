//! Error numbers and close codes, each from one table. The tables in PROTOCOL.md are compared with these by a test.
//! Numbers are never reused.

macro_rules! error_codes {
    ($($variant:ident = $number:literal, $name:literal, $temporary:literal, $meaning:literal;)+) => {
        /// A numbered error. Ranges: 1xx the frame, 2xx who you are, 3xx the room and your rights, 4xx the content,
        /// 5xx limits, 6xx the server, 7xx requests to the REST interface.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum ErrorCode {
            $(#[doc = $meaning] $variant,)+
        }

        impl ErrorCode {
            /// Every error, in rising order of number.
            pub const ALL: &'static [ErrorCode] = &[$(ErrorCode::$variant,)+];

            /// The stable number.
            pub fn number(self) -> u32 {
                match self { $(Self::$variant => $number,)+ }
            }

            /// The stable name.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// Whether the same command may succeed later.
            pub fn is_temporary(self) -> bool {
                match self { $(Self::$variant => $temporary,)+ }
            }

            /// What it means and what to do.
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$variant => $meaning,)+ }
            }
        }
    };
}

error_codes! {
    BadCommand = 100, "bad_command", false, "The frame has no body, or a field that is missing or impossible. Correct the command.";
    IdRequired = 101, "id_required", false, "Only signal, read and ping may have the id zero. Choose a non-zero id.";
    NotConnected = 102, "not_connected", false, "The first frame must be `connect`.";
    AlreadyConnected = 103, "already_connected", false, "`connect` came a second time. Use `refresh` to change the token.";
    BadToken = 200, "bad_token", false, "The token is malformed, wrongly signed, or meant for somebody else. Get a new one.";
    TokenExpired = 201, "token_expired", false, "The token has ended. Get a new one.";
    GuestsNotAllowed = 202, "guests_not_allowed", false, "A token is needed: this server lets no guests in.";
    OtherUser = 203, "other_user", false, "A refresh must name the user who is connected.";
    Revoked = 204, "revoked", false, "This sign-in was ended, or the user is blocked or deleted. Sign in again.";
    SessionEnded = 205, "session_ended", false, "There is no such session, or it has ended. Connect and resume from your positions.";
    OriginNotAllowed = 206, "origin_not_allowed", false, "Pages of this origin may not connect. The operator allows origins in gateway.origins.";
    UnknownRoom = 300, "unknown_room", false, "There is no such room, or you may not know of it.";
    NotAllowed = 301, "not_allowed", false, "The token does not grant this in the room.";
    NotSubscribed = 302, "not_subscribed", false, "Subscribe to the room first.";
    Trimmed = 303, "trimmed", false, "Messages after the position were removed by retention. Restart from `first_offset`, which comes with the error.";
    EpochChanged = 304, "epoch_changed", false, "The room's history was rewritten. Forget what you have and restart from `first_offset`, which comes with the error.";
    AheadOfLog = 305, "ahead_of_log", false, "The position is beyond the end of the room. Restart from the position that comes with the error.";
    ModeMismatch = 306, "mode_mismatch", false, "The room exists with another mode, and a mode never changes. Use another room.";
    BadName = 400, "bad_name", false, "A room name, message id or guest name breaks the rules for names.";
    PayloadTooLarge = 401, "payload_too_large", false, "The payload is over the limit told at connect. Send less.";
    DuplicateConflict = 402, "duplicate_conflict", false, "This message id was used before with another content; the position is the original's. Choose a new id.";
    Conflict = 403, "conflict", false, "The room is not at the expected position; its position comes with the error. Read on and try again.";
    BadRelation = 404, "bad_relation", false, "The target does not exist, is erased or trimmed, or cannot be related to like this.";
    NotSealed = 405, "not_sealed", false, "The room is end-to-end encrypted and takes MLS messages only.";
    Sealed = 406, "sealed", false, "The room is readable by the server and takes no MLS messages.";
    TooManyRooms = 500, "too_many_rooms", false, "The connection is subscribed to as many rooms as allowed. Unsubscribe from one first.";
    RateLimited = 501, "rate_limited", true, "Too fast. Wait `retry_after_ms` and try again.";
    TooManyFrames = 502, "too_many_frames", false, "More frames in one message than allowed; those beyond the limit were not looked at.";
    QuotaExceeded = 503, "quota_exceeded", true, "Your quota is used up until `retry_after_ms` have passed; /api/user-limits tells what is left.";
    Overloaded = 600, "overloaded", true, "The server has more to store than it can. Wait `retry_after_ms` and try again with the same message id.";
    ReadOnly = 601, "read_only", true, "The server cannot store now; reading goes on. Its operator finds the reason in /api/health.";
    Unknown = 602, "unknown_outcome", true, "The message may or may not be stored. Try again with the same message id.";
    Damaged = 603, "damaged", false, "The stored messages asked for are damaged and are not served. Its operator finds details in /api/health.";
    ShuttingDown = 604, "shutting_down", true, "The server is draining. Connect again and repeat.";
    Unreadable = 605, "unreadable", true, "The disk did not give what is stored. Wait `retry_after_ms` and try again; its operator finds details in the log.";
    Internal = 606, "internal", true, "Something failed here that should not. The operator finds details in the log.";
    Unavailable = 607, "unavailable", true, "Accounts and dialogs are out of reach for a while. Wait `retry_after_ms` and try again; its operator finds the reason in /api/health.";
    BadRequest = 700, "bad_request", false, "The request is not what this path takes; the text says what to correct.";
    NotFound = 701, "not_found", false, "There is nothing here that you may know of.";
    MethodNotAllowed = 702, "method_not_allowed", false, "This path does not take this method; the `allow` header tells which it takes.";
    BodyTooLarge = 703, "body_too_large", false, "The body is longer than this path takes.";
    UnsupportedType = 704, "unsupported_type", false, "The body must be of the type that the documentation names, mostly application/json.";
    Unauthorized = 710, "unauthorized", false, "Send a token: `Authorization: Bearer …`.";
    Forbidden = 711, "forbidden", false, "Your role or your place does not allow this.";
    WrongCredentials = 712, "wrong_credentials", false, "The login or the password is wrong.";
    LoginTaken = 713, "login_taken", false, "Somebody has this login already. Choose another.";
    WeakPassword = 714, "weak_password", false, "The password is too easy to guess; the text says how to make it better.";
    TokenReused = 715, "token_reused", false, "This refresh token was used before, so somebody else may have it: the sign-in has been ended. Sign in again.";
    Exists = 720, "exists", false, "It exists already.";
    NotPossible = 721, "not_possible", false, "This cannot be done to it in its present state; the text says why.";
    InviteEnded = 722, "invite_ended", false, "The invite has expired, was used up or taken back. Ask for a new one.";
    TypeNotAllowed = 730, "type_not_allowed", false, "Files of this type are not taken here.";
    OffsetMismatch = 731, "offset_mismatch", false, "The upload stands elsewhere; ask with HEAD and go on from there.";
    HashMismatch = 732, "hash_mismatch", false, "What arrived does not have the hash that was announced. Upload it anew.";
    PieceDamaged = 733, "piece_damaged", true, "This piece of an upload does not have the checksum that came with it; nothing of it was kept. Send it again.";
    UploadVersion = 734, "upload_version", false, "Uploads are spoken of by tus 1.0.0: send `Tus-Resumable: 1.0.0`.";
    NoSuchRange = 735, "no_such_range", false, "The file has no such bytes; `Content-Range` tells how long it is.";
}

/// What a client should do after a close, told by the range of the code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CloseAdvice {
    /// 4000–4199: connect again at once, with jitter, and resume.
    Resume,
    /// 4200–4399: connect again later, backing off.
    Later,
    /// 4400–4599: do not connect again with the same token and behaviour.
    Stop,
}

macro_rules! close_codes {
    ($($variant:ident = $number:literal, $name:literal, $meaning:literal;)+) => {
        /// A numbered reason for closing a connection. The range tells what to do, see [`CloseAdvice`].
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum CloseCode {
            $(#[doc = $meaning] $variant,)+
        }

        impl CloseCode {
            /// Every close code, in rising order of number.
            pub const ALL: &'static [CloseCode] = &[$(CloseCode::$variant,)+];

            /// The number in the WebSocket close frame.
            pub fn number(self) -> u16 {
                match self { $(Self::$variant => $number,)+ }
            }

            /// The stable name, also the reason text of the close frame.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// What it means and what to do.
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$variant => $meaning,)+ }
            }
        }
    };
}

close_codes! {
    Draining = 4000, "draining", "The server shuts down or restarts. Wait `reconnect_after_ms` of the closing push, connect, resume.";
    SlowConsumer = 4001, "slow_consumer", "You read more slowly than your rooms speak; what was not sent was dropped from memory. Connect and resume from the log.";
    HeartbeatTimeout = 4002, "heartbeat_timeout", "Nothing was heard from you for two heartbeats and five seconds.";
    TokenEnded = 4003, "token_ended", "The token ended and was not refreshed. Connect with a new one and resume.";
    Overloaded = 4200, "overloaded", "The server has as many connections as it can hold.";
    TooManyConnections = 4201, "too_many_connections", "This user has as many connections as allowed.";
    BadFrame = 4400, "bad_frame", "A message could not be decoded in the negotiated encoding.";
    NotAuthenticated = 4401, "not_authenticated", "The first frame was not a valid `connect`; the error before this close says why.";
    ConnectTimeout = 4402, "connect_timeout", "No `connect` within the time allowed.";
    Revoked = 4403, "revoked", "The access was taken away.";
    MessageTooLarge = 4404, "message_too_large", "A WebSocket message or frame was over the limit told at connect.";
    Flood = 4406, "flood", "Far too many commands, fragments or control frames.";
}

impl CloseCode {
    /// What a client should do after this close.
    pub fn advice(self) -> CloseAdvice {
        CloseAdvice::of(self.number()).unwrap_or(CloseAdvice::Later)
    }
}

impl CloseAdvice {
    /// The advice of any close code, also of one that this version does not know; `None` outside Konvert's ranges.
    pub fn of(code: u16) -> Option<Self> {
        match code {
            4000..=4199 => Some(Self::Resume),
            4200..=4399 => Some(Self::Later),
            4400..=4599 => Some(Self::Stop),
            _ => None,
        }
    }
}

impl crate::v1::Error {
    /// An error with the table's text.
    pub fn new(code: ErrorCode) -> Self {
        Self::because(code, code.meaning())
    }

    /// An error with a text of its own, which should say what to do.
    pub fn because(code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            code: code.number(),
            name: code.name().to_owned(),
            message: message.into(),
            temporary: code.is_temporary(),
            ..Self::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_rise_and_names_are_unique() {
        let errors: Vec<_> = ErrorCode::ALL.iter().map(|code| code.number()).collect();
        assert!(errors.is_sorted_by(|a, b| a < b), "{errors:?}");
        let closes: Vec<_> = CloseCode::ALL.iter().map(|code| code.number()).collect();
        assert!(closes.is_sorted_by(|a, b| a < b), "{closes:?}");
        let mut names: Vec<_> = ErrorCode::ALL.iter().map(|code| code.name()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), ErrorCode::ALL.len());
    }

    #[test]
    fn every_close_code_is_in_a_range_with_advice() {
        for code in CloseCode::ALL {
            assert!(CloseAdvice::of(code.number()).is_some(), "{code:?}");
        }
    }
}
