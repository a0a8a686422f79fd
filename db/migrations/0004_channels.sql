-- Every way to reach a person, and what is heard of it. Safe beside the previous release, which writes none of the new columns.

-- The second stage of an answer: when a unit first said that it was done, and when its superior heard that it was not in time.
alter table unit_states add column done_at timestamptz, add column overdue_at timestamptz;

-- Which sender of a channel carried a message: a channel may have several.
alter table deliveries add column sender text;

-- An address that cannot be used any more for its channel, and why: 'bad-contact', 'opted-out', 'landline'. Nothing is sent to
-- it until it changes or its person opts in again. `proven_at`: when somebody last provably had it in their hand.
alter table person_channels add column fault text check (fault in ('bad-contact', 'opted-out', 'landline')),
  add column fault_at timestamptz,
  add column proven_at timestamptz,
  -- When a provider was last asked whether it can be reached.
  add column asked_at timestamptz;
alter table households add column fault text check (fault in ('bad-contact', 'opted-out', 'landline')),
  add column fault_at timestamptz,
  add column proven_at timestamptz;

-- What providers reported of a message after they had taken it, each state once: repeated and reordered reports change nothing.
-- They name delivery and attempt, so one that comes before our own row finds its place all the same.
create table receipts (
  delivery_id bigint not null,
  attempt smallint not null,
  state text not null check (state in ('accepted', 'queued', 'sending', 'sent', 'delivered', 'undelivered', 'failed', 'read')),
  -- The provider's code, and the result class it stands for; null where all is well.
  code text,
  class text,
  sender text not null,
  provider_id text,
  at timestamptz not null default clock_timestamp(),
  primary key (delivery_id, attempt, state)
);

-- Deliveries that a receipt made their unit give up: each moves it on once, whatever is reported of its later attempts.
create table receipt_exhaustions (
  delivery_id bigint primary key,
  at timestamptz not null default clock_timestamp()
);

-- One person, several warnings: a delivery that went along with another warning's message to the same person.
create table combined (
  delivery_id bigint primary key,
  into_id bigint not null
);
create index combined_into on combined (into_id);

-- Senders: their rate and their health, over all workers.
create table senders (
  id text primary key,
  channel text not null,
  -- Messages (of SMS: parts) a second; null where there is no limit.
  per_second double precision check (per_second > 0),
  -- GCRA: the theoretical arrival time of the next one.
  next_free timestamptz not null default clock_timestamp(),
  -- Messages of this level (0 is red) wait for their turn; until this moment those below leave it to them.
  waiting_level smallint,
  waiting_until timestamptz,
  -- The provider asked for less: half the rate until this moment.
  slowed_until timestamptz,
  -- The circuit: nothing is sent before this moment, and after it one probe, for as long as there is a reason. `failures`: how
  -- often in a row it was closed.
  closed_until timestamptz,
  closed_reason text,
  failures int not null default 0,
  changed_at timestamptz not null default clock_timestamp()
);

-- Everything stands still, by somebody's word, until it is resumed.
create table pauses (
  id int generated always as identity primary key,
  began_at timestamptz not null default clock_timestamp(),
  began_by text not null,
  reason text not null,
  ended_at timestamptz,
  ended_by text
);
create unique index pauses_open on pauses ((true)) where ended_at is null;

-- Telephoning by hand: who took which unit of which warning, until when, and what came of it.
create table calls (
  id bigint generated always as identity primary key,
  warning_id int not null references warnings (id),
  unit_id int not null references units (id),
  person_id bigint references people (id),
  officer text not null,
  taken_at timestamptz not null default clock_timestamp(),
  taken_until timestamptz not null,
  outcome text check (outcome in ('received', 'done', 'cannot act', 'no answer', 'wrong number', 'given back')),
  ended_at timestamptz
);
create index calls_warning on calls (warning_id, unit_id);
create unique index calls_open on calls (warning_id, unit_id) where outcome is null;

-- Who stands for a post at which hours; outside of them its holder does.
create table duties (
  id bigint generated always as identity primary key,
  unit_id int not null references units (id),
  rank smallint not null check (rank >= 0),
  person_id bigint not null references people (id),
  from_at timestamptz not null,
  until_at timestamptz not null check (until_at > from_at)
);
create index duties_unit on duties (unit_id, from_at);

alter table answers drop constraint answers_via_check;
alter table answers add constraint answers_via_check check (via in ('page', 'gateway', 'command', 'voice', 'twilio', 'desk'));

alter table pages drop constraint pages_purpose_check;
alter table pages add constraint pages_purpose_check check (purpose in ('rung', 'bridge notice', 'digest', 'end report',
  'household', 'cancel notice', 'done reminder', 'door to door'));

-- What is said back to somebody who wrote: bounded, so that two machines never talk to each other without end.
create table reply_backs (
  address text not null,
  at timestamptz not null default clock_timestamp()
);
create index reply_backs_address on reply_backs (address, at);

-- An answer page asks for the other open warnings of its reader: among all warnings ever issued they are few.
create index warnings_open on warnings (id) where status = 'open';
