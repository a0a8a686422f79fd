-- Who is on duty is told in place of the holder and answers like one: every answer asks which duties its person has. Safe beside the
-- previous release, which only reads rosters by unit.
create index duties_person on duties (person_id, until_at);

-- What a provider has, has not passed on yet as far as we know, and is needed no more: asked for back by the worker, so often at
-- most, and what came of it. The previous release writes none of it and lets such messages go out.
create table recalls (
  delivery_id bigint not null,
  attempt smallint not null,
  sender text not null,
  provider_id text not null,
  -- Why it is needed no more: 'answered', or how its warning ended.
  because text not null,
  due_at timestamptz not null default clock_timestamp(),
  tries smallint not null default 0,
  -- 'recalled': it never goes out. 'too late': it has. 'unknown': the provider never said.
  outcome text check (outcome in ('recalled', 'too late', 'unknown')),
  ended_at timestamptz,
  primary key (delivery_id, attempt)
);
create index recalls_due on recalls (due_at) where outcome is null;

-- Ended warnings of which nothing more can be found that should be asked for back.
create table recalled_warnings (
  warning_id int primary key references warnings (id),
  at timestamptz not null default clock_timestamp()
);

-- How often a text went to an address within a day, of senders whose country limits it.
create table repeats (
  sender text not null,
  address text not null,
  digest bytea not null,
  at timestamptz not null default clock_timestamp()
);
create index repeats_address on repeats (sender, address);
