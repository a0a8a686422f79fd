-- Drills: scenarios played on the real stack, each in a schema of its own with all migrations. One set of migrations serves both:
-- `drills` is used in the live schema, `drill_scenes` and `drill_gaps` in that of a drill. Safe beside the previous release, which
-- knows none of these tables.

create table drills (
  -- Shown as DR12.
  id int generated always as identity primary key,
  -- The scenario as it was checked, and the text of its file.
  scenario jsonb not null,
  story text not null,
  seed int not null,
  speed real not null check (speed between 1 and 3600),
  rule_pack jsonb not null,
  -- The units that its timeline names.
  area_ids int[] not null check (cardinality(area_ids) > 0),
  -- Schema, and role that logs in to it; null once both were removed.
  schema_name text unique,
  -- What it is doing. Whether somebody conducts it right now is known by a lock.
  status text not null default 'preparing'
    check (status in ('preparing', 'running', 'stopping', 'stopped', 'ended', 'failed')),
  created_at timestamptz not null default clock_timestamp(),
  -- The first instant of its story.
  started_at timestamptz,
  ended_at timestamptz,
  -- Somebody wants it to be over: whoever conducts it ends its warnings, and everybody who was told hears of it.
  stop_asked_at timestamptz,
  stop_reason text,
  -- Why it failed.
  fault text,
  report jsonb
);

-- Which events of the timeline have been played: written in the transaction of what they did, so each is played once.
create table drill_scenes (
  event int primary key,
  -- The warning that it issued or ended.
  warning_id int not null references warnings (id),
  at timestamptz not null default clock_timestamp()
);

-- Times in which the drill's processes did not live; its clock stood still.
create table drill_gaps (
  from_at timestamptz primary key,
  until_at timestamptz not null check (until_at > from_at)
);

revoke delete on drills from fenghuo_app;
revoke update, delete on drill_scenes, drill_gaps from fenghuo_app;

-- Whoever agreed to be told for real in a drill, and on what day; in the schema of that drill the same rows once more: there nobody else
-- is real. `stopped_at`: when they wrote STOP meanwhile; another drill asks them again first.
create table drill_participants (
  drill_id int not null,
  person_id bigint not null,
  agreed_on date not null,
  stopped_at timestamptz,
  primary key (drill_id, person_id)
);

-- One account reaches such people, at one rate: only one drill at a time has any.
alter table drills add column with_people boolean not null default false;
create unique index one_drill_with_people on drills (with_people) where with_people and ended_at is null;

-- The account's addresses and credentials belong to drills, and to no kind of warning.
alter table kind_marks drop constraint kind_marks_kind_check,
  add constraint kind_marks_kind_check check (kind in ('exercise', 'actual', 'drill'));

revoke delete on drill_participants from fenghuo_app;
