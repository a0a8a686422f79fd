-- People with authority, and the rule that an actual warning needs two of them. PostgreSQL itself refuses what breaks it, whoever
-- asks: the same rule as domain/authority.ts, kept by triggers. Exercises need none of this. Safe beside the previous release,
-- which issues Exercises only.
--
-- Refusals carry SQLSTATE FH403; their message is the code under which operations/ says what to do.

create function refuse_act(code text, said text default '') returns void language plpgsql as $$
begin
  raise exception using errcode = 'FH403', message = code, detail = said;
end $$;

-- The highest first.
create function level_rank(level text) returns int language sql immutable as $$
  select array_position(array['red', 'orange', 'yellow', 'blue'], level)
$$;

-- Not a table: nobody widens a role by writing a row.
create function role_permits(role text, action text) returns boolean language sql immutable as $$
  select coalesce(action = any (case role
    when 'author' then array['draft', 'publish', 'cancel']
    when 'reviewer' then array['review']
    when 'releaser' then array['draft', 'review', 'release', 'publish', 'cancel', 'retract', 'emergency']
    when 'duty officer' then array['draft', 'publish', 'cancel', 'retract', 'emergency', 'read numbers']
    when 'auditor' then array['read numbers', 'audit']
  end), false)
$$;

-- ── who ─────────────────────────────────────────────────────────────────────────────────────────────────────

create table operators (
  id int generated always as identity primary key,
  name text not null check (name <> ''),
  -- Who this is among the people: nobody stands on both sides of a release by having two names.
  person_id bigint references people (id),
  -- Where drafts that wait are told of; without it, the person's address.
  email text,
  -- Hands out authority, and therefore has none.
  administrator boolean not null default false,
  added_at timestamptz not null default clock_timestamp(),
  added_by int references operators (id),
  revoked_at timestamptz
);
create unique index operators_name on operators (name) where revoked_at is null;
create unique index operators_person on operators (person_id) where revoked_at is null;

-- What somebody may do: a role, in a unit and all below it, up to a level, for some hazards or (null) all.
create table grants (
  id int generated always as identity primary key,
  operator_id int not null references operators (id),
  role text not null check (role in ('author', 'reviewer', 'releaser', 'duty officer', 'auditor')),
  area_id int not null references units (id),
  highest_level text not null check (level_rank(highest_level) is not null),
  hazards text[] check (cardinality(hazards) > 0),
  granted_at timestamptz not null default clock_timestamp(),
  granted_by int not null references operators (id),
  revoked_at timestamptz,
  revoked_by int references operators (id)
);
create index grants_operator on grants (operator_id) where revoked_at is null;

-- A token is random and long, so that its plain hash gives nothing away; the token itself is shown once and stored nowhere.
create table operator_tokens (
  id int generated always as identity primary key,
  operator_id int not null references operators (id),
  hash bytea not null unique check (length(hash) = 32),
  issued_at timestamptz not null default clock_timestamp(),
  issued_by int references operators (id),
  expires_at timestamptz not null check (expires_at > issued_at),
  revoked_at timestamptz,
  last_used_at timestamptz
);
create index operator_tokens_operator on operator_tokens (operator_id);

create function administers(operator int) returns boolean language sql stable as $$
  select exists (select from operators where id = operator and administrator and revoked_at is null)
$$;

-- May `operator` do `action` to a warning of this level and hazard in all of these units? What is null or unknown is refused.
create function may_act(operator int, action text, area_unit_ids int[], at_level text, of_hazard text) returns boolean
language sql stable as $$
  select coalesce(cardinality(area_unit_ids) > 0
    and exists (select from operators o where o.id = operator and o.revoked_at is null)
    and not exists (
      select from unnest(area_unit_ids) as area (unit_id) left join units u on u.id = area.unit_id
      where not exists (
        select from grants g
        where g.operator_id = operator and g.revoked_at is null and role_permits(g.role, action)
          and g.area_id = any (u.path)
          and level_rank(g.highest_level) <= level_rank(at_level)
          and (g.hazards is null or of_hazard = any (g.hazards)))), false)
$$;

-- Nobody acts under a name whose token they do not have: whoever writes a row that names an operator has shown that operator's token
-- in this transaction (`set local fenghuo.token`). To be able to write to these tables is not enough.
create function shows_token(operator int) returns boolean language sql stable as $$
  select exists (select from operator_tokens t join operators o on o.id = t.operator_id
    where t.operator_id = operator and t.hash = sha256(convert_to(current_setting('fenghuo.token', true), 'UTF8'))
      and t.revoked_at is null and t.expires_at > clock_timestamp() and o.revoked_at is null)
$$;

create function require_token(operator int) returns void language plpgsql as $$
begin
  if not shows_token(operator) then perform refuse_act('token-not-shown'); end if;
end $$;

-- True where an administrator has shown their token.
create function administrator_acts() returns boolean language sql stable as $$
  select exists (select from operators where administrator and shows_token(id))
$$;

-- The first administrator comes from nobody, and only where none could still log in. Of two at once the second waits, and is refused.
create function require_no_administrator() returns void language plpgsql as $$
begin
  perform pg_advisory_xact_lock(hashtext('first operator'), hashtext(current_schema()));
  if exists (
    select from operators o join operator_tokens t on t.operator_id = o.id
    where o.administrator and o.revoked_at is null and t.revoked_at is null and t.expires_at > clock_timestamp()) then
    perform refuse_act('not-first-operator');
  end if;
end $$;

create function guard_operator() returns trigger language plpgsql as $$
begin
  if tg_op = 'UPDATE' then
    if new.administrator <> old.administrator or new.id <> old.id or new.added_by is distinct from old.added_by
       or (old.revoked_at is not null and new.revoked_at is distinct from old.revoked_at) then
      perform refuse_act('operator-fixed');
    end if;
    if new.revoked_at is distinct from old.revoked_at and not administrator_acts() then
      perform refuse_act('not-administrator');
    end if;
    return new;
  end if;
  new.added_at := clock_timestamp();
  if new.added_by is not null then
    if not administers(new.added_by) then perform refuse_act('not-administrator'); end if;
    perform require_token(new.added_by);
  else
    if not new.administrator then perform refuse_act('not-first-operator'); end if;
    perform require_no_administrator();
  end if;
  return new;
end $$;
create trigger guard_operator before insert or update on operators for each row execute function guard_operator();

create function guard_grant() returns trigger language plpgsql as $$
begin
  if tg_op = 'UPDATE' then
    if to_jsonb(new) - array['revoked_at', 'revoked_by'] <> to_jsonb(old) - array['revoked_at', 'revoked_by']
       or old.revoked_at is not null or not administers(new.revoked_by) then
      perform refuse_act('grant-fixed');
    end if;
    perform require_token(new.revoked_by);
    return new;
  end if;
  if not administers(new.granted_by) then perform refuse_act('not-administrator'); end if;
  perform require_token(new.granted_by);
  new.granted_at := clock_timestamp();
  if exists (select from operators where id = new.operator_id and (administrator or revoked_at is not null)) then
    perform refuse_act('administrator-has-no-authority');
  end if;
  return new;
end $$;
create trigger guard_grant before insert or update on grants for each row execute function guard_grant();

-- A token is given by its operator or by an administrator, each on showing a token of their own; taken back likewise.
create function guard_token() returns trigger language plpgsql as $$
begin
  if tg_op = 'UPDATE' then
    if to_jsonb(new) - array['revoked_at', 'last_used_at'] <> to_jsonb(old) - array['revoked_at', 'last_used_at']
       or (old.revoked_at is not null and new.revoked_at is distinct from old.revoked_at) then
      perform refuse_act('token-fixed');
    end if;
    if new.revoked_at is distinct from old.revoked_at and not shows_token(new.operator_id) and not administrator_acts()
       and exists (select from operators where id = new.operator_id and revoked_at is null) then
      perform refuse_act('token-not-shown');
    end if;
    return new;
  end if;
  new.issued_at := clock_timestamp();
  if new.expires_at > new.issued_at + interval '367 days' or new.revoked_at is not null then perform refuse_act('token-fixed'); end if;
  if new.issued_by is null then
    if not administers(new.operator_id) then perform refuse_act('not-first-operator'); end if;
    perform require_no_administrator();
  else
    if new.issued_by <> new.operator_id and not administers(new.issued_by) then perform refuse_act('not-administrator'); end if;
    perform require_token(new.issued_by);
  end if;
  return new;
end $$;
create trigger guard_token before insert or update on operator_tokens for each row execute function guard_token();

-- ── what is to be released ──────────────────────────────────────────────────────────────────────────────────

create table drafts (
  id int generated always as identity primary key,
  act text not null check (act in ('issue', 'update', 'cancel')),
  status text not null default 'waiting' check (status in ('waiting', 'published', 'rejected', 'withdrawn', 'not sent')),
  -- The clock of whoever must decide runs from here, through all edits.
  written_at timestamptz not null default clock_timestamp(),
  ended_at timestamptz,
  ended_by int references operators (id),
  end_reason text,
  -- The warning that came of it, or that it ended.
  warning_id int references warnings (id) deferrable initially deferred
);
create index drafts_waiting on drafts (written_at) where status = 'waiting';

-- What is said, to whom, by which channels, until when: an edit is a new version with a new hash. `content` is the canonical JSON
-- of operations/drafts.ts as it was hashed, byte by byte.
create table draft_versions (
  draft_id int not null references drafts (id),
  version int not null,
  hash text not null,
  content text not null,
  author_id int not null references operators (id),
  written_at timestamptz not null default clock_timestamp(),
  primary key (draft_id, version),
  unique (draft_id, version, hash),
  check (hash = encode(sha256(convert_to(content, 'UTF8')), 'hex')),
  check (level_rank(content::jsonb ->> 'level') is not null)
);

create table approvals (
  id int generated always as identity primary key,
  draft_id int not null,
  version int not null,
  hash text not null,
  step text not null check (step in ('review', 'release')),
  operator_id int not null references operators (id),
  at timestamptz not null default clock_timestamp(),
  valid_until timestamptz not null default 'infinity',
  foreign key (draft_id, version, hash) references draft_versions (draft_id, version, hash)
);
create index approvals_draft on approvals (draft_id);

-- The word on which an actual warning goes out or ends; used once.
create table releases (
  id int generated always as identity primary key,
  act text not null check (act in ('issue', 'update', 'cancel', 'retract')),
  draft_id int unique references drafts (id),
  version int,
  hash text,
  -- The warning that is updated or ended.
  target_id int references warnings (id),
  author_id int not null references operators (id),
  reviewer_id int references operators (id),
  releaser_id int references operators (id),
  publisher_id int not null references operators (id),
  -- Why one person alone, in an emergency or to take back what was false: looked at afterwards by somebody else.
  emergency_reason text check (emergency_reason <> ''),
  at timestamptz not null default clock_timestamp(),
  valid_until timestamptz not null default 'infinity',
  used_at timestamptz,
  constraint author_is_not_releaser check (author_id <> releaser_id and author_id <> reviewer_id),
  constraint two_persons_or_emergency check (
    (emergency_reason is null) = (releaser_id is not null) and (releaser_id is null) = (reviewer_id is null)),
  check ((act = 'retract') = (draft_id is null) and (draft_id is null) = (hash is null)),
  foreign key (draft_id, version, hash) references draft_versions (draft_id, version, hash)
);
create index releases_target on releases (target_id);

-- Somebody else looked at what one person did alone, and says so.
create table after_reviews (
  release_id int primary key references releases (id),
  operator_id int not null references operators (id),
  verdict text not null check (verdict in ('justified', 'not justified')),
  finding text not null check (finding <> ''),
  at timestamptz not null default clock_timestamp()
);

-- Decided not to send, because: with a draft or without.
create table decisions (
  id int generated always as identity primary key,
  draft_id int references drafts (id),
  hazard text not null,
  level text not null check (level_rank(level) is not null),
  area_ids int[] not null check (cardinality(area_ids) > 0),
  operator_id int not null references operators (id),
  reason text not null check (reason <> ''),
  at timestamptz not null default clock_timestamp()
);

-- Who was told of a draft that waits, or of an after-review that is due, and how often.
create table operator_pages (
  subject text not null,
  operator_id int not null references operators (id),
  times int not null default 1,
  at timestamptz not null default clock_timestamp(),
  primary key (subject, operator_id)
);

-- ── the rule ────────────────────────────────────────────────────────────────────────────────────────────────

-- What an act concerns: an update or cancel concerns the places and the level of the warning before as well, so that nobody
-- lifts a red warning by way of a blue one.
create function scope_of(content jsonb, out area_ids int[], out level text, out hazard text) language sql stable as $$
  select
    array(select jsonb_array_elements_text(content -> 'areaIds')::int
      union select unit_id from warning_areas where warning_id = (content ->> 'supersedesId')::int),
    (select known from (values (content ->> 'level'), ((select w.level from warnings w where w.id = (content ->> 'supersedesId')::int)))
       as both_levels (known) where known is not null order by level_rank(known) limit 1),
    content ->> 'hazard'
$$;

create function may_act_on(operator int, action text, content jsonb) returns boolean language sql stable as $$
  select may_act(operator, action, s.area_ids, s.level, s.hazard) from scope_of(content) s
$$;

-- The newest version of a draft that still waits; the draft stays locked until the transaction ends, so that of two windows one wins.
create function lock_waiting_draft(draft int) returns draft_versions language plpgsql as $$
declare
  found_status text;
  newest draft_versions;
begin
  select status into found_status from drafts where id = draft for update;
  if found_status is null then perform refuse_act('no-such-draft'); end if;
  if found_status <> 'waiting' then perform refuse_act('draft-ended', found_status); end if;
  select * into newest from draft_versions where draft_id = draft order by version desc limit 1;
  return newest;
end $$;

create function guard_draft_version() returns trigger language plpgsql as $$
declare
  newest draft_versions := lock_waiting_draft(new.draft_id);
  said jsonb := new.content::jsonb;
  wanted text := (select act from drafts where id = new.draft_id);
  before warnings;
begin
  new.version := coalesce(newest.version, 0) + 1;
  new.written_at := clock_timestamp();
  if said ->> 'act' is distinct from wanted then perform refuse_act('draft-act'); end if;
  if (wanted = 'issue') <> (said ->> 'supersedesId' is null) then perform refuse_act('draft-act'); end if;
  if wanted <> 'issue' then
    select * into before from warnings where id = (said ->> 'supersedesId')::int;
    if before.kind is distinct from 'actual' or before.hazard is distinct from said ->> 'hazard' then
      perform refuse_act('draft-act');
    end if;
  end if;
  perform require_token(new.author_id);
  if not may_act_on(new.author_id, case wanted when 'cancel' then 'cancel' else 'draft' end, said) then
    perform refuse_act('no-authority');
  end if;
  return new;
end $$;
create trigger guard_draft_version before insert on draft_versions for each row execute function guard_draft_version();

-- Author of any version: who has written at a draft releases nothing of it, under no name.
create function has_written(operator int, draft int) returns boolean language sql stable as $$
  select exists (
    select from draft_versions v join operators writer on writer.id = v.author_id join operators one on one.id = operator
    where v.draft_id = draft and (writer.id = one.id or writer.person_id = one.person_id))
$$;

create function guard_approval() returns trigger language plpgsql as $$
declare
  newest draft_versions := lock_waiting_draft(new.draft_id);
begin
  perform require_token(new.operator_id);
  if new.version <> newest.version or new.hash <> newest.hash then perform refuse_act('draft-changed'); end if;
  if has_written(new.operator_id, new.draft_id) then perform refuse_act('self-approval'); end if;
  if not may_act_on(new.operator_id, new.step, newest.content::jsonb) then perform refuse_act('no-authority'); end if;
  new.at := clock_timestamp();
  new.valid_until := new.at + interval '15 minutes';
  return new;
end $$;
create trigger guard_approval before insert on approvals for each row execute function guard_approval();

-- Until when this step of a version stands by this operator's word.
create function approved_until(newest draft_versions, of_step text, by_operator int) returns timestamptz language plpgsql stable as $$
declare
  until timestamptz := (select max(valid_until) from approvals where draft_id = newest.draft_id and version = newest.version
    and hash = newest.hash and step = of_step and operator_id = by_operator);
begin
  if until is null then perform refuse_act('not-approved', of_step); end if;
  if until <= clock_timestamp() then perform refuse_act('approval-expired', of_step); end if;
  if not may_act_on(by_operator, of_step, newest.content::jsonb) then perform refuse_act('no-authority'); end if;
  return until;
end $$;

create function guard_release() returns trigger language plpgsql as $$
declare
  newest draft_versions;
  target warnings;
  areas int[];
begin
  perform require_token(new.publisher_id);
  new.at := clock_timestamp();
  new.used_at := null;
  if new.act = 'retract' then
    select * into target from warnings where id = new.target_id for update;
    areas := array(select unit_id from warning_areas where warning_id = new.target_id);
    if target.kind is distinct from 'actual' or target.status <> 'open' then perform refuse_act('not-open'); end if;
    if new.publisher_id <> new.author_id or not may_act(new.author_id, 'retract', areas, target.level, target.hazard) then
      perform refuse_act('no-authority');
    end if;
    new.valid_until := new.at + interval '1 minute';
    return new;
  end if;
  newest := lock_waiting_draft(new.draft_id);
  if new.version <> newest.version or new.hash <> newest.hash then perform refuse_act('draft-changed'); end if;
  new.author_id := newest.author_id;
  new.act := newest.content::jsonb ->> 'act';
  new.target_id := (newest.content::jsonb ->> 'supersedesId')::int;
  if new.emergency_reason is null then
    if has_written(new.releaser_id, new.draft_id) or has_written(new.reviewer_id, new.draft_id) then
      perform refuse_act('self-approval');
    end if;
    new.valid_until := least(approved_until(newest, 'review', new.reviewer_id), approved_until(newest, 'release', new.releaser_id));
    if not may_act_on(new.publisher_id, 'publish', newest.content::jsonb) then perform refuse_act('no-authority'); end if;
    return new;
  end if;
  if not may_act_on(new.publisher_id, 'emergency', newest.content::jsonb) then perform refuse_act('no-authority'); end if;
  -- Of two emergencies of one person at once, the second sees the first.
  perform from operators where id = new.publisher_id for no key update;
  if exists (
    select from releases r where r.publisher_id = new.publisher_id and r.emergency_reason is not null
      and not exists (select from after_reviews a where a.release_id = r.id)) then
    perform refuse_act('after-review-open');
  end if;
  new.valid_until := new.at + interval '1 minute';
  return new;
end $$;
create trigger guard_release before insert on releases for each row execute function guard_release();

create function guard_after_review() returns trigger language plpgsql as $$
declare
  release releases;
  target warnings;
  areas int[];
begin
  perform require_token(new.operator_id);
  select * into release from releases where id = new.release_id;
  if release.emergency_reason is null then perform refuse_act('nothing-to-review'); end if;
  if new.operator_id in (release.author_id, release.publisher_id) or exists (
    select from operators one join operators other on other.person_id = one.person_id
    where one.id = new.operator_id and other.id in (release.author_id, release.publisher_id)) then
    perform refuse_act('self-approval');
  end if;
  if release.draft_id is not null then
    if not may_act_on(new.operator_id, 'release', (select content::jsonb from draft_versions
      where draft_id = release.draft_id and version = release.version)) then perform refuse_act('no-authority'); end if;
  else
    select * into target from warnings where id = release.target_id;
    areas := array(select unit_id from warning_areas where warning_id = release.target_id);
    if not may_act(new.operator_id, 'release', areas, target.level, target.hazard) then perform refuse_act('no-authority'); end if;
  end if;
  new.at := clock_timestamp();
  return new;
end $$;
create trigger guard_after_review before insert on after_reviews for each row execute function guard_after_review();

create function guard_decision() returns trigger language plpgsql as $$
begin
  perform require_token(new.operator_id);
  if not may_act(new.operator_id, 'draft', new.area_ids, new.level, new.hazard)
     and not may_act(new.operator_id, 'release', new.area_ids, new.level, new.hazard) then
    perform refuse_act('no-authority');
  end if;
  new.at := clock_timestamp();
  return new;
end $$;
create trigger guard_decision before insert on decisions for each row execute function guard_decision();

-- A draft waits when it is written, and ends once: by what was published of it, or by the word of somebody with the right.
create function guard_draft() returns trigger language plpgsql as $$
declare
  said jsonb;
begin
  if tg_op = 'INSERT' then
    if new.status <> 'waiting' then perform refuse_act('draft-ended', new.status); end if;
    new.written_at := clock_timestamp();
    return new;
  end if;
  if old.status <> 'waiting' or new.act <> old.act or new.written_at <> old.written_at
     or (new.status = 'published') <> exists (select from releases where draft_id = new.id and used_at is not null) then
    perform refuse_act('draft-ended', old.status);
  end if;
  if new.status in ('waiting', 'published') then return new; end if;
  if new.warning_id is not null or coalesce(new.end_reason, '') = '' then perform refuse_act('draft-ended', old.status); end if;
  perform require_token(new.ended_by);
  select content::jsonb into said from draft_versions where draft_id = new.id order by version desc limit 1;
  if not exists (
    select from unnest(case new.status when 'rejected' then array['review', 'release'] when 'withdrawn' then array['draft', 'cancel']
      else array['draft', 'release'] end) as acts (action) where may_act_on(new.ended_by, action, said)) then
    perform refuse_act('no-authority');
  end if;
  return new;
end $$;
create trigger guard_draft before insert or update on drafts for each row execute function guard_draft();

create function guard_use() returns trigger language plpgsql as $$
begin
  if to_jsonb(new) - 'used_at' <> to_jsonb(old) - 'used_at' or old.used_at is not null then perform refuse_act('append-only'); end if;
  return new;
end $$;
create trigger guard_use before update on releases for each row execute function guard_use();

create function append_only() returns trigger language plpgsql as $$
begin
  perform refuse_act('append-only', tg_table_name);
end $$;
create trigger append_only before update or delete on draft_versions for each row execute function append_only();
create trigger append_only before update or delete on approvals for each row execute function append_only();
create trigger append_only before update or delete on after_reviews for each row execute function append_only();
create trigger append_only before update or delete on decisions for each row execute function append_only();
create trigger append_only before delete on releases for each row execute function append_only();
create trigger append_only before delete on drafts for each row execute function append_only();
create trigger append_only before delete on grants for each row execute function append_only();
create trigger append_only before delete on operators for each row execute function append_only();

-- ── warnings ────────────────────────────────────────────────────────────────────────────────────────────────

alter table warnings add column release_id int references releases (id);
create unique index warnings_release on warnings (release_id);

create function use_release(release int) returns releases language plpgsql as $$
declare
  taken releases;
begin
  update releases set used_at = clock_timestamp()
  where id = release and used_at is null and valid_until > clock_timestamp() returning * into taken;
  if not found then
    select * into taken from releases where id = release;
    perform refuse_act(case when taken.id is null then 'not-released' when taken.used_at is not null then 'release-used'
      else 'approval-expired' end);
  end if;
  return taken;
end $$;

-- The row is compared with what was released column by column: the hash binds the approval to the text, this the text to the row.
create function guard_actual_warning() returns trigger language plpgsql as $$
declare
  release releases;
  said jsonb;
begin
  if new.kind <> 'actual' then
    if new.release_id is not null then perform refuse_act('not-released'); end if;
    return new;
  end if;
  release := use_release(new.release_id);
  said := (select content::jsonb from draft_versions where draft_id = release.draft_id and version = release.version);
  if release.act not in ('issue', 'update') or new.status <> 'open' or new.speed <> 1
     or row (new.hazard, new.level, new.issuer, new.text_zh, new.text_en) is distinct from
        row (said ->> 'hazard', said ->> 'level', said ->> 'issuer', said ->> 'textZh', said ->> 'textEn')
     or row (new.correction_zh, new.correction_en, new.identifier, new.supersedes_id) is distinct from
        row (said ->> 'correctionZh', said ->> 'correctionEn', said ->> 'identifier', (said ->> 'supersedesId')::int)
     or new.rules is distinct from said -> 'rules'
     or new.expires_at is distinct from 'epoch'::timestamptz + (said ->> 'expiresAt')::float8 * interval '1 millisecond'
  then
    perform refuse_act('not-what-was-released');
  end if;
  update drafts set status = 'published', ended_at = clock_timestamp(), ended_by = release.publisher_id, warning_id = new.id
  where id = release.draft_id;
  return new;
end $$;

-- The areas are written after the warning: they are compared when the transaction ends.
create function guard_actual_areas() returns trigger language plpgsql as $$
declare
  number int := (coalesce(to_jsonb(new), to_jsonb(old)) ->> case tg_table_name when 'warnings' then 'id' else 'warning_id' end)::int;
  said jsonb := (select v.content::jsonb from warnings w join releases r on r.id = w.release_id
    join draft_versions v on v.draft_id = r.draft_id and v.version = r.version where w.id = number and w.kind = 'actual');
begin
  if said is not null and array(select unit_id from warning_areas where warning_id = number order by 1)
     is distinct from array(select distinct jsonb_array_elements_text(said -> 'areaIds')::int order by 1) then
    perform refuse_act('not-what-was-released', 'areas');
  end if;
  return null;
end $$;

-- A warning never changes, and ends only by its time, by what takes its place, or by somebody's released word.
create function guard_actual_end() returns trigger language plpgsql as $$
declare
  release releases;
  said jsonb;
  -- What ends with it, once.
  ending text[] := array['status', 'ended_at', 'end_reason', 'retracted', 'end_text_zh', 'end_text_en'];
begin
  if new.status = old.status or old.status <> 'open' then ending := '{}'; end if;
  if to_jsonb(new) - ending <> to_jsonb(old) - ending
     or (new.status <> 'cancelled' and (new.retracted or coalesce(new.end_reason, new.end_text_zh, new.end_text_en) is not null)) then
    perform refuse_act('not-what-was-released');
  end if;
  if new.status = old.status then return new; end if;
  if new.status = 'expired' and old.expires_at > clock_timestamp() then perform refuse_act('not-released'); end if;
  if new.status = 'cancelled' then
    release := use_release((select id from releases where target_id = new.id and used_at is null
      and act = case when new.retracted then 'retract' else 'cancel' end order by id desc limit 1));
    -- What is said at the end was released as well: with the cancel, or as the correction with the warning itself.
    select content::jsonb into said from draft_versions where draft_id = release.draft_id and version = release.version;
    if row (new.end_text_zh, new.end_text_en) is distinct from
       row (case release.act when 'cancel' then said ->> 'textZh' else old.correction_zh end,
            case release.act when 'cancel' then said ->> 'textEn' else old.correction_en end) then
      perform refuse_act('not-what-was-released');
    end if;
    update drafts set status = 'published', ended_at = clock_timestamp(), ended_by = release.publisher_id, warning_id = new.id
    where id = release.draft_id;
  end if;
  return new;
end $$;

create function guard_actual_superseded() returns trigger language plpgsql as $$
begin
  if not exists (select from warnings where supersedes_id = new.id and kind = 'actual') then perform refuse_act('not-released'); end if;
  return null;
end $$;

create trigger guard_actual_warning before insert on warnings for each row execute function guard_actual_warning();
create trigger guard_actual_end before update on warnings for each row when (old.kind = 'actual' or new.kind = 'actual')
  execute function guard_actual_end();
create trigger guard_actual_delete before delete on warnings for each row when (old.kind = 'actual') execute function append_only();
create constraint trigger guard_actual_areas after insert on warnings deferrable initially deferred
  for each row when (new.kind = 'actual') execute function guard_actual_areas();
create constraint trigger guard_actual_areas after insert or update or delete on warning_areas deferrable initially deferred
  for each row execute function guard_actual_areas();
create constraint trigger guard_actual_superseded after update on warnings deferrable initially deferred
  for each row when (new.kind = 'actual' and new.status = 'superseded' and old.status <> 'superseded')
  execute function guard_actual_superseded();

-- These run with the rights of whoever made them, on the tables of this schema: neither a role that may write little nor a
-- temporary table of the same name gets around them.
do $$
declare
  name text;
begin
  foreach name in array array[
    'shows_token(int)', 'require_token(int)', 'administrator_acts()', 'require_no_administrator()',
    'may_act(int, text, int[], text, text)', 'administers(int)', 'scope_of(jsonb)', 'may_act_on(int, text, jsonb)',
    'lock_waiting_draft(int)', 'has_written(int, int)', 'use_release(int)', 'approved_until(draft_versions, text, int)',
    'guard_operator()', 'guard_grant()', 'guard_token()', 'guard_draft_version()', 'guard_approval()', 'guard_release()',
    'guard_after_review()', 'guard_decision()', 'guard_draft()', 'guard_use()', 'guard_actual_warning()', 'guard_actual_areas()',
    'guard_actual_end()', 'guard_actual_superseded()', 'append_only()'] loop
    execute format('alter function %s security definer set search_path = %I, pg_temp', name, current_schema());
  end loop;
  -- Only its triggers use a release up.
  revoke execute on function use_release(int) from public;
end $$;
