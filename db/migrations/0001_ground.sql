-- The ground: the tree and its people, warnings, and the tables by which one cascade runs.
-- One truth: what a unit is, what was sent and who answered stands here and nowhere else; Temporal holds ids only.

-- Counts every restore from a backup; it is part of workflow ids, so that a restored database never meets old workflows.
create table installation (
  only_row boolean primary key default true check (only_row),
  incarnation int not null default 1
);
insert into installation default values;

-- ── the tree and its people ─────────────────────────────────────────────────────────────────────────────────

create table units (
  id int generated always as identity primary key,
  -- 12 digits for administrative divisions; groups append digits; null where a unit has no code.
  code text unique,
  name text not null,
  tier text not null,
  parent_id int references units (id),
  -- From the root down to this unit itself: makes "inside this area" one array test.
  path int[] not null,
  -- The root of the cell that carries this unit.
  cell_unit_id int not null,
  synthetic boolean not null default false
);
create index units_parent on units (parent_id);
create index units_name on units (name);
create index units_path on units using gin (path);

create table people (
  id bigint generated always as identity primary key,
  -- The key of imports: a staff number, else the phone, else the e-mail address.
  reference text not null unique,
  name text not null,
  language text not null default 'zh' check (language in ('zh', 'en')),
  -- Made by the generator: live channels refuse them.
  synthetic boolean not null default false
);

create table person_channels (
  person_id bigint not null references people (id) on delete cascade,
  channel text not null,
  address text not null,
  primary key (person_id, channel)
);
create index person_channels_address on person_channels (address);

-- Who stands for a unit, and since when: a warning takes the posts as they were held when it was issued.
create table posts (
  id bigint generated always as identity primary key,
  unit_id int not null references units (id),
  person_id bigint not null references people (id),
  title text not null,
  -- 0 is the principal, n the n-th deputy.
  rank smallint not null check (rank >= 0),
  held_from timestamptz not null default clock_timestamp(),
  held_until timestamptz
);
create index posts_unit on posts (unit_id);
create index posts_person on posts (person_id);

create table households (
  id bigint generated always as identity primary key,
  unit_id int not null references units (id),
  name text not null,
  channel text not null,
  address text not null,
  language text not null default 'zh' check (language in ('zh', 'en')),
  synthetic boolean not null default false
);
create index households_unit on households (unit_id);
create index households_address on households (address);

-- ── warnings ────────────────────────────────────────────────────────────────────────────────────────────────

create table rule_packs (
  id text not null,
  version int not null,
  body jsonb not null,
  primary key (id, version)
);

create table warnings (
  id int generated always as identity primary key,
  revision int not null default 1,
  kind text not null check (kind in ('exercise', 'actual')),
  hazard text not null,
  level text not null,
  issuer text not null,
  text_zh text not null,
  text_en text not null,
  status text not null default 'open' check (status in ('open', 'cancelled', 'expired')),
  issued_at timestamptz not null default clock_timestamp(),
  expires_at timestamptz not null,
  ended_at timestamptz,
  end_reason text,
  -- Exercises may run faster than life; an actual warning never.
  speed real not null default 1 check (speed = 1 or kind = 'exercise'),
  -- The level's rules as they were at issue, in milliseconds.
  rules jsonb not null,
  check (expires_at > issued_at)
);

create table warning_areas (
  warning_id int not null references warnings (id),
  unit_id int not null references units (id),
  primary key (warning_id, unit_id)
);

-- ── the cascade ─────────────────────────────────────────────────────────────────────────────────────────────

create table cells (
  id bigint generated always as identity primary key,
  warning_id int not null references warnings (id),
  unit_id int not null references units (id),
  status text not null default 'open' check (status in ('open', 'closed')),
  next_deadline timestamptz,
  stepped_at timestamptz,
  rung_at timestamptz,
  steps int not null default 0,
  -- After a cancel: those not provably unsent have their pages with the all-clear.
  notices_written boolean not null default false,
  unique (warning_id, unit_id)
) with (fillfactor = 50);
create index cells_open on cells (next_deadline) where status = 'open';

-- Letters that wait for a cell. A step deletes what it took, in the transaction that writes what follows from it:
-- never a cursor, because a lower id can commit after a higher one was read.
create table inbox (
  id bigint generated always as identity primary key,
  cell_id bigint not null references cells (id),
  -- Null for letters to the cell itself: settled, cancelled.
  unit_id int,
  -- The order in which a step takes letters: what stops a send comes before what causes one.
  priority smallint not null,
  body json not null,
  at timestamptz not null default clock_timestamp()
);
create index inbox_cell on inbox (cell_id, priority, id);
create index inbox_unit on inbox (cell_id, unit_id);

create table unit_states (
  warning_id int not null,
  unit_id int not null,
  cell_id bigint not null references cells (id),
  tier text not null,
  status text not null,
  ended text,
  faulty boolean not null default false,
  opened_at timestamptz,
  told_at timestamptz,
  answered_at timestamptz,
  silent_at timestamptz,
  rung smallint not null,
  -- Set behind a bridge: whom this unit reports to instead of its silent superior.
  reports_to int,
  next_at timestamptz,
  -- The whole of domain/unit.ts UnitState; the columns beside it are for reading.
  state json not null,
  primary key (warning_id, unit_id)
) with (fillfactor = 70);
create index unit_states_due on unit_states (cell_id, next_at);

-- Up to 1,000 recipients of one send by one channel, fixed when written: delivery ids are page id × 1024 + place.
create table pages (
  id bigint generated always as identity primary key,
  cell_id bigint not null references cells (id),
  warning_id int not null,
  revision int not null,
  purpose text not null check (purpose in ('rung', 'bridge notice', 'digest', 'end report', 'household', 'cancel notice')),
  -- The rung of the ladder; for digests and bridge notices their number.
  step smallint not null,
  channel text not null,
  audience text not null check (audience in ('people', 'households')),
  size int not null check (size between 1 and 1000),
  recipients bigint[] not null,
  unit_ids int[] not null,
  -- Null on a first attempt; else which earlier delivery each place repeats, and the attempt's number.
  delivery_ids bigint[],
  attempts smallint[],
  written_at timestamptz not null default clock_timestamp(),
  ended_at timestamptz
);
create index pages_open on pages (cell_id) where ended_at is null;
create index pages_warning on pages (warning_id);

-- A slice of a page that one attempt may send until its lease runs out. Nobody else touches it before.
create table claims (
  page_id bigint not null references pages (id),
  first int not null,
  size int not null,
  lease_until timestamptz not null,
  claimed_at timestamptz not null default clock_timestamp(),
  settled_at timestamptz,
  primary key (page_id, first)
);

-- What came of each attempt; written once, never changed.
create table deliveries (
  id bigint not null,
  attempt smallint not null,
  page_id bigint not null,
  warning_id int not null,
  cell_id bigint not null,
  unit_id int not null,
  recipient_id bigint not null,
  audience text not null,
  purpose text not null,
  step smallint not null,
  channel text not null,
  outcome text not null check (outcome in ('handed off', 'merged', 'failed', 'later', 'unknown', 'dropped')),
  reason text,
  provider_id text,
  -- This attempt was made although an earlier one may have arrived.
  possible_duplicate boolean not null default false,
  at timestamptz not null,
  primary key (id, attempt)
);
create index deliveries_unit on deliveries (warning_id, unit_id);
create index deliveries_page on deliveries (page_id);

-- One message per person, revision, rung and channel, whatever posts and cells: only for people of several posts.
create table message_keys (
  warning_id int not null,
  revision int not null,
  purpose text not null,
  step smallint not null,
  channel text not null,
  person_id bigint not null,
  delivery_id bigint not null,
  outcome text,
  at timestamptz,
  primary key (warning_id, revision, purpose, step, channel, person_id)
);

-- Attempts to be made again; a step writes a new page for them when they are due.
create table retries (
  delivery_id bigint not null,
  attempt smallint not null,
  cell_id bigint not null references cells (id),
  page_id bigint not null references pages (id),
  unit_id int not null,
  recipient_id bigint not null,
  due_at timestamptz not null,
  primary key (delivery_id, attempt)
);
create index retries_due on retries (cell_id, due_at);

-- ── answers ─────────────────────────────────────────────────────────────────────────────────────────────────

-- A named person's act. Append-only.
create table answers (
  id bigint generated always as identity primary key,
  warning_id int not null references warnings (id),
  unit_id int not null references units (id),
  person_id bigint references people (id),
  household_id bigint references households (id),
  kind text not null check (kind in ('received', 'done', 'cannot act')),
  done_count int,
  via text not null check (via in ('page', 'gateway', 'command')),
  delivery_id bigint,
  vouched_by text,
  how text,
  at timestamptz not null default clock_timestamp(),
  check (num_nonnulls(person_id, household_id, vouched_by) >= 1)
);
create index answers_unit on answers (warning_id, unit_id);

-- Wrong numbers entered for a link: five, and the link takes no more.
create table answer_tries (
  delivery_id bigint primary key,
  tries int not null
);

-- Replies that came in by a gateway, once each.
create table replies (
  provider_id text primary key,
  at timestamptz not null default clock_timestamp(),
  verdict text not null
);

-- ── keeping watch ───────────────────────────────────────────────────────────────────────────────────────────

create table dead_letters (
  id bigint generated always as identity primary key,
  cell_id bigint not null,
  unit_id int,
  body json not null,
  reason text not null,
  at timestamptz not null default clock_timestamp()
);

-- What each step took, with its time: with the rules, the whole input of every transition.
create table audit (
  id bigint generated always as identity primary key,
  cell_id bigint not null,
  at timestamptz not null,
  body json not null
);
create index audit_cell on audit (cell_id, id);

create table liveness (
  name text primary key,
  at timestamptz not null
);
