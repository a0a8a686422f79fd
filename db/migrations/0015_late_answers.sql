-- An answer whose statement began before an update was committed saw the warning open; of a household it left no letter for the cell, and where
-- it committed after the ended cell's step it was not carried to the update. The cell now keeps who was storing answers when its end came
-- (virtual transaction ids), and carries once more when they are gone (activities/step.ts). Safe beside the previous release,
-- which waits for nobody; no table is rewritten.
alter table cells add column answering text[] not null default '{}';

-- Which messages of its own sender a CAP message refers to: what comes after an Update or Cancel that names it goes nowhere. Null for what
-- the previous release took, which overtakes nothing.
alter table cap_messages add column names text[];
create index cap_messages_naming on cap_messages using gin (names) where msg_type in ('Update', 'Cancel');

-- An actual warning is written with nothing but what was released (migration 0007 compares the words): nobody dates it back to who held
-- posts then, hangs it into another chain, gives it an end with it, or asks nothing again of those whom a higher level concerns.
create function guard_actual_beside() returns trigger language plpgsql as $$
declare
  before warnings;
begin
  select * into before from warnings where id = new.supersedes_id;
  if new.issued_at not between clock_timestamp() - interval '1 minute' and clock_timestamp()
     or new.retracted or coalesce(new.end_reason, new.end_text_zh, new.end_text_en, new.ended_at::text) is not null
     or new.revision <> coalesce(before.revision, 0) + 1 or new.chain_id is distinct from coalesce(before.chain_id, before.id)
     or (level_rank(new.level) < level_rank(before.level) and new.asks_again is distinct from true) then
    perform refuse_act('not-what-was-released', 'beside');
  end if;
  return new;
end $$;
create trigger guard_actual_beside before insert on warnings for each row when (new.kind = 'actual')
  execute function guard_actual_beside();
do $$
begin
  execute format('alter function guard_actual_beside() security definer set search_path = %I, pg_temp', current_schema());
end $$;

-- What guards a table is for that table alone. A trigger function runs with its owner's rights: hung on a temporary table of somebody's own it
-- would move the end of a chain without a line, or use a release up without a warning. Triggers that are there fire without this right.
do $$
declare
  guard regprocedure;
begin
  for guard in select p.oid from pg_proc p where p.pronamespace = current_schema()::regnamespace and p.prorettype = 'trigger'::regtype loop
    execute format('revoke execute on function %s from public', guard);
  end loop;
end $$;
