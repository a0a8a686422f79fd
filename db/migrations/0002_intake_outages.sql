-- When answers could not be taken: no web process had shown a sign of life for some seconds (db/liveness.ts). The first to
-- come back writes the row; an outage that still lasts is seen by the age of the last sign. Deadlines are extended by these
-- times, so that nobody is chased for our delay. Safe beside the previous release, which neither writes nor reads it.
create table intake_outages (
  began_at timestamptz primary key,
  ended_at timestamptz not null,
  check (ended_at > began_at)
);
