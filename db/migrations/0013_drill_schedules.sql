-- Drills by a schedule. Temporal keeps the times; what is to be played, and what came of each time, stands here. In a drill's own schema
-- both tables stay empty. Safe beside the previous release, which knows neither.

create table drill_schedules (
  -- Shown as DS3.
  id int generated always as identity primary key,
  scenario text not null,
  -- The text of its file when the schedule was made: drills of one schedule are of one story, and can be compared.
  story text not null,
  -- Five fields, by the clock of Asia/Shanghai.
  cron text not null,
  speed real not null check (speed between 1 and 3600),
  -- Null: each drill takes its day's.
  seed int,
  created_at timestamptz not null default clock_timestamp(),
  created_by text,
  removed_at timestamptz
);

-- One line for each time that came, whatever became of it. The key is why one time never gives two drills.
create table drill_occasions (
  schedule_id int not null references drill_schedules (id),
  due_at timestamptz not null,
  primary key (schedule_id, due_at),
  drill_id int unique references drills (id),
  -- Why there was no drill.
  skipped text check (skipped in ('actual warning', 'too late', 'still running', 'not playable')),
  fault text,
  at timestamptz not null default clock_timestamp(),
  check ((drill_id is null) <> (skipped is null))
);

revoke delete on drill_schedules from fenghuo_app;
revoke update, delete on drill_occasions from fenghuo_app;
