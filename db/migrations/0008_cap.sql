-- CAP messages from others: who sends them, what came, what became of it, what we said back; and the shapes of units, for areas
-- that come as polygons. Safe beside the previous release, which knows none of these tables.

create table cap_senders (
  -- As CAP writes it.
  sender text primary key check (sender !~ '[\s,<&]' and sender <> ''),
  name text,
  -- PEM. The signature is checked against this, never against a certificate inside the message; null where they do not sign.
  public_key text,
  -- Where Ack and Error go; null where they want none.
  reply_url text,
  added_at timestamptz not null default clock_timestamp()
);

create table cap_messages (
  id bigint generated always as identity primary key,
  sha256 bytea not null unique check (length(sha256) = 32),
  -- As it came; null where it was too long to be kept.
  raw bytea,
  -- A file's name, or the address it was fetched from.
  origin text not null,
  sender text,
  identifier text,
  -- As written: references repeat this very text.
  sent text,
  status text,
  msg_type text,
  verdict text not null check (verdict in ('refused', 'held', 'recorded', 'issued', 'updated', 'cancelled', 'drafted')),
  -- Codes with their places and values (domain/cap/findings.ts).
  findings jsonb not null,
  warning_id int references warnings (id),
  draft_id int references drafts (id),
  received_at timestamptz not null default clock_timestamp(),
  judged_at timestamptz not null default clock_timestamp()
);
-- The same message twice is one, however it is written. Refused ones do not count: a forged one must not block the true one.
create unique index cap_messages_once on cap_messages (sender, identifier, sent) where verdict not in ('refused', 'held');
create index cap_messages_named on cap_messages (sender, identifier);
create index cap_messages_warning on cap_messages (warning_id);

create table cap_feeds (
  url text primary key,
  etag text,
  last_modified text,
  polled_at timestamptz
);

-- What a feed announced; it stays until it was fetched and judged, over restarts.
create table cap_entries (
  feed_url text not null references cap_feeds (url),
  key text not null,
  link text not null,
  attempts int not null default 0,
  settled_at timestamptz,
  fault text,
  seen_at timestamptz not null default clock_timestamp(),
  primary key (feed_url, key)
);
create index cap_entries_open on cap_entries (feed_url, seen_at) where settled_at is null;

-- Ack and Error on their way back: written with the verdict, posted afterwards.
create table cap_replies (
  id bigint generated always as identity primary key,
  message_id bigint not null references cap_messages (id),
  msg_type text not null check (msg_type in ('Ack', 'Error')),
  url text not null,
  body text not null,
  written_at timestamptz not null default clock_timestamp(),
  attempts int not null default 0,
  next_at timestamptz not null default clock_timestamp(),
  sent_at timestamptz,
  given_up_at timestamptz,
  fault text,
  unique (message_id, msg_type)
);
create index cap_replies_due on cap_replies (next_at) where sent_at is null and given_up_at is null;

create table unit_shapes (
  unit_id int primary key references units (id) on delete cascade,
  -- Polygons of rings of [longitude, latitude], closed, as in GeoJSON's MultiPolygon.
  shape jsonb not null,
  west float8 not null,
  south float8 not null,
  east float8 not null,
  north float8 not null
);
