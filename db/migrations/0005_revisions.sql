-- A warning never changes: an update is a new warning that takes the place of another. Safe beside the previous release, which
-- writes none of these and sees a superseded warning as one that is not open.
alter table warnings
  -- The warning whose place this one takes: issue → update → update is a chain, and each link has one successor at most.
  add column supersedes_id int references warnings (id),
  -- The first warning of the same hazard about the same places: repeated warnings are one incident.
  add column incident_id int references warnings (id),
  -- Its name in the world, as in CAP: no space, comma, `<` or `&`. Null where nobody outside has heard of it.
  add column identifier text check (identifier !~ '[ ,<&]'),
  -- What those told will read should it turn out to be false: written, and released, with the warning.
  add column correction_zh text,
  add column correction_en text,
  -- It was false, and ended by its correction.
  add column retracted boolean not null default false;
create unique index warnings_supersedes on warnings (supersedes_id);
create unique index warnings_identifier on warnings (identifier);
create index warnings_incident on warnings (incident_id);

alter table warnings drop constraint warnings_status_check;
alter table warnings add constraint warnings_status_check check (status in ('open', 'cancelled', 'expired', 'superseded'));

alter table pages drop constraint pages_purpose_check;
alter table pages add constraint pages_purpose_check check (purpose in ('rung', 'bridge notice', 'digest', 'end report',
  'household', 'cancel notice', 'done reminder', 'door to door', 'change notice'));
