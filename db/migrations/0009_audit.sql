-- The record becomes one that shows tampering: every line of the audit belongs to a chain and holds the hash of itself and of the
-- line before it; what is settled (answers, deliveries, receipts) enters by blocks; seals hold the heads of all chains. And the
-- application works as a role that can neither change nor delete any of it. See docs/adr/0027.
--
-- Safe beside the previous release: its lines are chained like all others, and it may still run as the owner.
-- `deliveries` and `receipts` are rewritten once: on a large installation stop the workers first.

-- ── chains ──────────────────────────────────────────────────────────────────────────────────────────────────

-- cell-7: what the steps of a cell took. acts-12, acts: what people did about a warning, or about none. facts-12: blocks of what
-- is settled. seals: the heads of all these.
alter table audit
  add column chain text,
  add column position bigint,
  add column kind text not null default 'step' check (kind ~ '^[a-z][a-z -]*$'),
  -- Who did it; null where the engine itself did.
  add column actor text,
  add column hash bytea,
  alter column cell_id drop not null,
  alter column at set default clock_timestamp();

-- Where each chain ends. A convenience and no proof: written by the trigger below alone.
create table audit_heads (
  chain text primary key,
  position bigint not null,
  hash bytea not null,
  -- Its place in the newest seal that names it.
  sealed bigint not null default 0
) with (fillfactor = 50);

-- What is hashed of a line, byte for byte as `audit export` writes it: one line of text, without its end.
create function audit_text(previous bytea, line audit) returns text language sql immutable as $$
  select concat_ws(' ', encode(previous, 'hex'), line.chain, line.position,
    to_char(line.at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), to_json(line.kind)::text,
    coalesce(to_json(line.actor)::text, 'null'), line.body::text)
$$;

-- Puts a line at the end of its chain, whatever its writer says of place and hash. The row of `audit_heads` is the chain's lock:
-- two writers of one chain wait for each other, so it never forks.
create function audit_chain() returns trigger language plpgsql as $$
declare head audit_heads;
begin
  new.chain := coalesce('cell-' || new.cell_id, new.chain);
  if position(E'\n' in new.body::text) > 0 then
    new.body := translate(new.body::text, E'\r\n', '  ')::json;
  end if;
  select * into head from audit_heads where chain = new.chain for no key update;
  if not found then
    insert into audit_heads (chain, position, hash) values (new.chain, 0, sha256('')) on conflict do nothing;
    select * into head from audit_heads where chain = new.chain for no key update;
  end if;
  new.position := head.position + 1;
  new.hash := sha256(convert_to(audit_text(head.hash, new), 'UTF8'));
  update audit_heads set position = new.position, hash = new.hash where chain = new.chain;
  return new;
end $$;

-- The lines of earlier releases, in the order in which they were written.
do $$
declare
  line audit;
  head bytea;
  counted bigint := 0;
  last_cell bigint;
begin
  for line in select * from audit order by cell_id, id loop
    if line.cell_id is distinct from last_cell then
      counted := 0;
      head := sha256('');
      last_cell := line.cell_id;
    end if;
    counted := counted + 1;
    line.chain := 'cell-' || line.cell_id;
    line.position := counted;
    line.body := translate(line.body::text, E'\r\n', '  ')::json;
    head := sha256(convert_to(audit_text(head, line), 'UTF8'));
    update audit set chain = line.chain, position = line.position, hash = head, body = line.body where id = line.id;
    insert into audit_heads (chain, position, hash) values (line.chain, line.position, head)
      on conflict (chain) do update set position = excluded.position, hash = excluded.hash;
  end loop;
end $$;

alter table audit alter column chain set not null, alter column position set not null, alter column hash set not null;
create unique index audit_chain_position on audit (chain, position);
create trigger audit_chain before insert on audit for each row execute function audit_chain();

create function refuse_change() returns trigger language plpgsql as $$
begin
  raise exception using errcode = 'insufficient_privilege',
    message = format('%I is append-only: lines are neither changed nor deleted', tg_table_name);
end $$;
create trigger audit_append_only before update or delete or truncate on audit
  for each statement execute function refuse_change();
create trigger audit_heads_kept before delete or truncate on audit_heads
  for each statement execute function refuse_change();

-- ── what is settled ─────────────────────────────────────────────────────────────────────────────────────────

-- The order in which rows were written, for the blocks.
alter table deliveries add column seq bigint generated always as identity;
create unique index deliveries_seq on deliveries (seq);
alter table receipts add column seq bigint generated always as identity;
create unique index receipts_seq on receipts (seq);

-- A warning's own words and how it ended, whoever wrote them. In UTC, so that it can be compared with the row again.
create function audit_warning() returns trigger language plpgsql set timezone = 'UTC' as $$
begin
  if tg_op = 'INSERT' then
    insert into audit (chain, kind, body) values ('acts-' || new.id, 'warning', to_json(new));
  elsif new is distinct from old then
    insert into audit (chain, kind, body)
    values ('acts-' || new.id, 'warning changed', (to_jsonb(new) - 'rules')::json);
  end if;
  return null;
end $$;
set local timezone = 'UTC';
insert into audit (chain, kind, body) select 'acts-' || id, 'warning', to_json(w) from warnings w order by id;
create trigger audit_warning after insert or update on warnings for each row execute function audit_warning();

-- A chain counts as sealed up to where it ends and no further: else its next lines would never be.
create trigger audit_heads_sealed before update of sealed on audit_heads for each row when (new.sealed > new.position)
  execute function refuse_change();

-- A seal is what the next one and the verification begin from: one that nobody could go on from, or that claims facts which are not
-- there, would end both. What it says of chains is for the verification to judge.
create function guard_seal() returns trigger language plpgsql as $$
declare
  facts jsonb := new.body::jsonb -> 'facts';
begin
  if new.kind <> 'seal' or jsonb_typeof(new.body::jsonb -> 'heads') is distinct from 'array'
     or (new.body::jsonb ->> 'incarnation')::int is distinct from (select incarnation from installation)
     or (facts ->> 'answers')::bigint > coalesce((select max(id) from answers), 0) is not false
     or (facts ->> 'deliveries')::bigint > coalesce((select max(seq) from deliveries), 0) is not false
     or (facts ->> 'receipts')::bigint > coalesce((select max(seq) from receipts), 0) is not false then
    raise exception using errcode = 'insufficient_privilege', message = 'this is no seal';
  end if;
  return new;
end $$;
create trigger guard_seal before insert on audit for each row when (new.chain = 'seals') execute function guard_seal();

-- ── anchors ─────────────────────────────────────────────────────────────────────────────────────────────────

-- Which seals were written outside of this database, when and where: so that it is done once, by whichever process comes first.
create table anchors (
  id bigint generated always as identity primary key,
  at timestamptz not null default clock_timestamp(),
  seal bigint not null,
  hash bytea not null,
  written_to text[] not null
);

-- ── the application's role ──────────────────────────────────────────────────────────────────────────────────

-- One role for all databases of a server; many schemas may be migrated at once.
do $$
begin
  if not exists (select from pg_roles where rolname = 'fenghuo_app') then
    create role fenghuo_app nologin;
  end if;
exception
  when duplicate_object or unique_violation then null;
  when insufficient_privilege then
    raise exception 'The role fenghuo_app does not exist and % may not create it.', current_user
      using hint = 'Let an administrator run: create role fenghuo_app nologin; grant fenghuo_app to ' || current_user || ';';
end $$;

do $$
begin
  if not pg_has_role(current_user, 'fenghuo_app', 'member') then
    execute format('grant fenghuo_app to %I', current_user);
  end if;
  execute format('grant usage on schema %I to fenghuo_app', current_schema());
  execute format('grant select, insert, update, delete on all tables in schema %I to fenghuo_app', current_schema());
  execute format('grant usage, select, update on all sequences in schema %I to fenghuo_app', current_schema());
  execute format('alter default privileges in schema %I grant select, insert, update, delete on tables to fenghuo_app',
    current_schema());
  execute format('alter default privileges in schema %I grant usage, select, update on sequences to fenghuo_app',
    current_schema());
end $$;

revoke update, delete, truncate on answers, deliveries, receipts, anchors from fenghuo_app;
revoke insert, update, delete, truncate on audit, audit_heads from fenghuo_app;
grant insert (cell_id, chain, at, kind, actor, body) on audit to fenghuo_app;
grant update (sealed) on audit_heads to fenghuo_app;
-- What people decided stands as it was written; the triggers of 0007 say the same to the owner, as long as they fire.
revoke update, delete, truncate on draft_versions, approvals, releases, after_reviews, decisions from fenghuo_app;
revoke update, delete, truncate on operators, grants, operator_tokens, drafts from fenghuo_app;
grant update (revoked_at) on operators to fenghuo_app;
grant update (revoked_at, revoked_by) on grants to fenghuo_app;
grant update (revoked_at, last_used_at) on operator_tokens to fenghuo_app;
grant update (status, ended_at, ended_by, end_reason) on drafts to fenghuo_app;

-- Statistics are for a table's owner to gather; a bulk import needs them at once.
create function analyze_organisation() returns void language plpgsql as $$
begin
  analyze units, people, person_channels, posts, households;
end $$;

-- With the rights of whoever made them, on the tables of this schema: `pg_temp` last, else a temporary table named `audit_heads`
-- would come before ours.
do $$
declare
  name text;
begin
  foreach name in array array['audit_chain()', 'audit_warning()', 'guard_seal()', 'analyze_organisation()'] loop
    execute format('alter function %s security definer set search_path = %I, pg_temp', name, current_schema());
  end loop;
end $$;
