// The schema as a table: what every codec walks through, so that no codec knows a single message by name.
//
// Owns names, numbers and types of fields. A test holds it against `protocol/konvert.proto`.
// Invariant: a wire name and its camel case belong to each other by rule, not by a list.

/** `u` below 2^53, `n` 32 bits, `s` text, `b` yes or no, `y` bytes, `e` one of `values`, `m` a message of type `of`. */
export type Type = "u" | "n" | "s" | "b" | "y" | "e" | "m";

/** One field of a message. */
export interface Field {
  /** Its name on the wire. */
  readonly name: string;
  /** Its name here. */
  readonly key: string;
  readonly number: number;
  readonly type: Type;
  readonly many: boolean;
  /** Lower-case names of an enum; the first is the default. */
  readonly values: readonly string[];
  /** Type of a message; filled in once all are known. */
  of: Shape;
}

/** A message type. */
export interface Shape {
  readonly fields: readonly Field[];
  readonly byName: ReadonlyMap<string, Field>;
  readonly byNumber: ReadonlyMap<number, Field>;
}

const ENUMS: Record<string, readonly string[]> = {
  Kind: ["message", "service"],
  RelationKind: ["none", "reply", "edit", "delete", "reaction", "append"],
  Mode: ["server_readable", "e2ee"],
  Direction: ["forward", "backward"],
};

// One message to a line. Numbers rise by one unless `=` says otherwise; `*` is a list.
const TEXT = `ClientFrame id:n connect:Connect refresh:Refresh subscribe:Subscribe unsubscribe:Room publish:Publish signal:Signal history:History presence:Presence presence_update:PresenceUpdate read:Read ping:Empty
ServerFrame id:n error:Error connected:Connected refreshed:Refreshed subscribed:Subscribed unsubscribed:Room published:Published signaled:Empty history:HistoryPage presence:PresenceState read:ReadMarker pong:Empty message:Message=20 signal:SignalPush presence_diff:PresenceDiff read_marker:ReadMarker room_changed:RoomChanged membership_changed:MembershipChanged token_expiring:TokenExpiring closing:Closing changed:Changed
Position epoch:u offset:u
Connect token:s name:s agent:s rooms:Subscribe* changes:b
Connected session:s user:s name:s time_ms:u heartbeat_ms:n token_expires_ms:u token:s limits:Limits rooms:Subscribed*
Limits payload_bytes:n message_bytes:n frames_per_message:n rooms_per_connection:n publishes_per_second:n signal_bytes:n history_page:n signals_per_second:n
Refresh token:s
Refreshed token_expires_ms:u
Subscribe room:s since:Position last:n presence:b
Subscribed room:s position:Position first_offset:u messages:Message* more:b presence:PresenceState read_offset:u unread:u mode:Mode error:Error
Room room:s
Relation kind:RelationKind offset:u
Publish room:s message_id:s kind:Kind payload:y relation:Relation expected:Position mentions:s* blobs:s*
Published position:Position time_ms:u duplicate:b
Message room:s offset:u sender:s sender_name:s message_id:s time_ms:u kind:Kind relation:Relation payload:y ordinal:u erased:b mentions:s* blobs:s*
Signal room:s payload:y
SignalPush room:s sender:s payload:y
History room:s from:u direction:Direction limit:n
HistoryPage room:s position:Position first_offset:u messages:Message* more:b
Presence room:s users:s*
PresenceUpdate room:s state:y
Member user:s name:s state:y
PresenceState room:s version:u count:u members:Member* count_only:b
PresenceDiff room:s version:u count:u joined:Member* left:s* count_only:b
Read room:s offset:u
ReadMarker room:s user:s offset:u ordinal:u
Empty
RoomChanged room:s position:Position first_offset:u
MembershipChanged room:s allow:s*
TokenExpiring expires_ms:u
Closing code:n reason:s reconnect_after_ms:n
Changed path:s body:y
Error code:n name:s message:s temporary:b retry_after_ms:n position:Position first_offset:u`;

const camel = (name: string) => name.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase());

function table(): ReadonlyMap<string, Shape> {
  const shapes = new Map<string, Shape>();
  const missing: [Field, string][] = [];
  for (const line of TEXT.split("\n")) {
    const [title = "", ...words] = line.split(" ");
    let next = 1;
    const fields = words.map((word) => {
      const [, name = "", kind = "", many, number] = /^(\w+):(\w+)(\*?)=?(\d*)$/.exec(word) ?? [];
      const values = ENUMS[kind];
      const type = (values ? "e" : kind.length === 1 ? kind : "m") as Type;
      if (number) next = Number(number);
      const field = { name, key: camel(name), number: next++, type, many: !!many, values: values ?? [] } as unknown as Field;
      if (type === "m") missing.push([field, kind]);
      return field;
    });
    const byName = new Map(fields.map((field) => [field.name, field]));
    shapes.set(title, { fields, byName, byNumber: new Map(fields.map((field) => [field.number, field])) });
  }
  for (const [field, of] of missing) field.of = shapes.get(of) as Shape;
  return shapes;
}

/** Every message type by its name; types without fields of their own share `Empty`, types of one room share `Room`. */
export const SHAPES = table();
/** What a client sends. */
export const CLIENT = SHAPES.get("ClientFrame") as Shape;
/** What a server sends. */
export const SERVER = SHAPES.get("ServerFrame") as Shape;

const NOTHING = new Uint8Array(0);

/** What an absent field means. */
export function absent(field: Field): unknown {
  if (field.many) return [];
  switch (field.type) {
    case "s":
      return "";
    case "b":
      return false;
    case "y":
      return NOTHING;
    case "e":
      return field.values[0];
    case "m":
      return undefined;
    default:
      return 0;
  }
}

/** A value with every plain field at its default. */
export function blank(shape: Shape): Record<string, unknown> {
  const value: Record<string, unknown> = {};
  for (const field of shape.fields) {
    const start = absent(field);
    if (start !== undefined) value[field.key] = start;
  }
  return value;
}

/** Whether a field is left out when written. */
export const isDefault = (field: Field, value: unknown): boolean =>
  value === undefined ||
  value === null ||
  (field.many || field.type === "y" || field.type === "s"
    ? (value as { length: number }).length === 0
    : field.type !== "m" && (value === 0 || value === false || value === field.values[0]));
