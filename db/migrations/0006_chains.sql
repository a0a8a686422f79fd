-- What a chain of revisions has to remember beside 0005. Safe beside the previous release, which writes none of these.
alter table warnings
  -- The first warning of its chain; null in the first itself. Whoever holds an old link or number finds the newest by it.
  add column chain_id int references warnings (id),
  -- Of an update: whether those who have answered its predecessor must answer anew (domain/revisions.ts).
  add column asks_again boolean,
  -- What a cancel says instead of the standing words.
  add column end_text_zh text,
  add column end_text_en text;
create index warnings_chain on warnings (chain_id) where chain_id is not null;

-- An answer to the predecessor that stands for the warning that took its place: the answer it is a copy of.
alter table answers add column carried_from bigint;
create unique index answers_carried on answers (carried_from) where carried_from is not null;
