-- Log-in by OpenID Connect. A log-in service is an operator that may do one thing: give a token for at most twelve hours to an operator
-- whom an administrator has linked to a subject of the service's issuer. PostgreSQL holds it to that, and writes each log-in into the
-- record itself. See docs/adr/0034. Safe beside the previous release, which makes no log-in service and lists one as an operator without
-- grants.

-- The issuer whose word this log-in service carries; null for everybody else.
alter table operators add column login_issuer text,
  add constraint login_service_is_no_administrator check (login_issuer is null or login_issuer <> '' and not administrator);

-- Who an operator is at a provider. Of two operators nobody can be both.
create table operator_identities (
  id int generated always as identity primary key,
  operator_id int not null references operators (id),
  issuer text not null check (issuer <> ''),
  subject text not null check (subject <> ''),
  linked_at timestamptz not null default clock_timestamp(),
  linked_by int not null references operators (id),
  unlinked_at timestamptz,
  unlinked_by int references operators (id)
);
create unique index operator_identities_subject on operator_identities (issuer, subject) where unlinked_at is null;
create index operator_identities_operator on operator_identities (operator_id) where unlinked_at is null;

-- By whom a token's holder was known; null where somebody handed the token out.
alter table operator_tokens add column identity_id int references operator_identities (id);
create index operator_tokens_identity on operator_tokens (identity_id) where identity_id is not null;

create function guard_identity() returns trigger language plpgsql as $$
declare
  whom operators;
begin
  if tg_op = 'UPDATE' then
    if to_jsonb(new) - array['unlinked_at', 'unlinked_by'] <> to_jsonb(old) - array['unlinked_at', 'unlinked_by']
       or old.unlinked_at is not null or new.unlinked_at is null or not administers(new.unlinked_by) then
      perform refuse_act('identity-fixed');
    end if;
    perform require_token(new.unlinked_by);
    return new;
  end if;
  if not administers(new.linked_by) then perform refuse_act('not-administrator'); end if;
  perform require_token(new.linked_by);
  select * into whom from operators where id = new.operator_id;
  if whom.administrator or whom.login_issuer is not null or whom.revoked_at is not null then
    perform refuse_act('not-to-be-linked');
  end if;
  new.linked_at := clock_timestamp();
  new.unlinked_at := null;
  new.unlinked_by := null;
  return new;
end $$;
create trigger guard_identity before insert or update on operator_identities for each row execute function guard_identity();
create trigger append_only before delete on operator_identities for each row execute function append_only();

-- A token that a log-in service gives. Service and identity stay locked until the transaction ends: who takes either back waits for
-- this token and ends it as well, or this sees that it is over.
create function require_login(given operator_tokens) returns void language plpgsql as $$
declare
  service operators;
  identity operator_identities;
  whom operators;
begin
  select * into service from operators where id = given.issued_by for share;
  perform require_token(service.id);
  select * into identity from operator_identities where id = given.identity_id for share;
  if identity.operator_id is distinct from given.operator_id or identity.unlinked_at is not null
     or identity.issuer is distinct from service.login_issuer then
    perform refuse_act('not-linked');
  end if;
  select * into whom from operators where id = given.operator_id;
  if whom.administrator or whom.login_issuer is not null or whom.revoked_at is not null then perform refuse_act('not-linked'); end if;
  if given.expires_at > given.issued_at + interval '12 hours' then perform refuse_act('token-fixed'); end if;
end $$;

-- True where the token that was shown came from a log-in service: who holds it makes no longer one of it.
create function shows_login() returns boolean language sql stable as $$
  select exists (select from operator_tokens
    where hash = sha256(convert_to(current_setting('fenghuo.token', true), 'UTF8')) and identity_id is not null)
$$;

-- As in 0007, and what a log-in service may.
create or replace function guard_token() returns trigger language plpgsql as $$
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
  if exists (select from operators where id = new.issued_by and login_issuer is not null) then
    perform require_login(new);
    return new;
  end if;
  if new.identity_id is not null then perform refuse_act('not-login-service'); end if;
  if new.issued_by is null then
    if not administers(new.operator_id) then perform refuse_act('not-first-operator'); end if;
    perform require_no_administrator();
  else
    if new.issued_by <> new.operator_id and not administers(new.issued_by) then perform refuse_act('not-administrator'); end if;
    perform require_token(new.issued_by);
    if shows_login() then perform refuse_act('login-makes-no-token'); end if;
  end if;
  return new;
end $$;

-- As in 0007; and what makes a log-in service stays as it was made.
create or replace function guard_operator() returns trigger language plpgsql as $$
begin
  if tg_op = 'UPDATE' then
    if new.administrator <> old.administrator or new.id <> old.id or new.added_by is distinct from old.added_by
       or new.login_issuer is distinct from old.login_issuer
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

-- As in 0007; a log-in service has no authority either.
create or replace function guard_grant() returns trigger language plpgsql as $$
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
  if exists (select from operators where id = new.operator_id and login_issuer is not null) then
    perform refuse_act('login-service-has-no-authority');
  end if;
  if exists (select from operators where id = new.operator_id and (administrator or revoked_at is not null)) then
    perform refuse_act('administrator-has-no-authority');
  end if;
  return new;
end $$;

-- Each log-in is on record, whoever wrote the token's row.
create function audit_login() returns trigger language plpgsql as $$
begin
  insert into audit (chain, kind, actor, body)
  select 'acts', 'login', service.name, json_build_object('operator', whom.name, 'issuer', i.issuer, 'subject', i.subject,
    'until', to_char(new.expires_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'))
  from operator_identities i join operators whom on whom.id = i.operator_id join operators service on service.id = new.issued_by
  where i.id = new.identity_id;
  return null;
end $$;
create trigger audit_login after insert on operator_tokens for each row when (new.identity_id is not null)
  execute function audit_login();

revoke update, delete, truncate on operator_identities from fenghuo_app;
grant update (unlinked_at, unlinked_by) on operator_identities to fenghuo_app;

-- With the rights of whoever made them, on the tables of this schema: as in 0007, and to be said again of what is replaced.
do $$
declare
  name text;
begin
  foreach name in array array['guard_identity()', 'require_login(operator_tokens)', 'shows_login()', 'guard_token()', 'guard_operator()',
    'guard_grant()', 'audit_login()'] loop
    execute format('alter function %s security definer set search_path = %I, pg_temp', name, current_schema());
  end loop;
end $$;
