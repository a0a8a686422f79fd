-- The wall between Exercises and actual warnings. Safe beside the previous release, which writes none of these: its workers serve
-- Exercises alone, since nothing else could be issued.

-- What belongs to one kind and never to the other: senders' addresses and credentials, Temporal namespaces. A process says at its
-- start what it was given, and the key lets nothing belong to both. Marks are keyed hashes: no address or secret can be read here.
create table kind_marks (
  mark text primary key,
  kind text not null check (kind in ('exercise', 'actual')),
  -- The variable that held it last.
  variable text not null,
  used_at timestamptz not null default clock_timestamp()
);

-- What each process said of itself when it started; whether it lives stands in `liveness` under the same name.
create table serving (
  name text primary key,
  kind text not null check (kind in ('exercise', 'actual')),
  part text not null check (part in ('worker', 'web')),
  senders text[] not null,
  namespace text not null,
  public_url text not null,
  started_at timestamptz not null default clock_timestamp()
);

-- A payload that came to a process of the other kind. It was refused; nothing of it was sent or changed.
create table misdirected (
  what text not null check (what in ('cell', 'page')),
  subject bigint not null,
  warning_id int not null,
  kind text not null,
  served text not null,
  times int not null default 1,
  first_at timestamptz not null default clock_timestamp(),
  last_at timestamptz not null default clock_timestamp(),
  primary key (what, subject, served)
);

-- Answers to actual warnings are taken by web processes of their own: while those are away, deadlines of Exercises go on.
alter table intake_outages add column kind text not null default 'exercise' check (kind in ('exercise', 'actual'));
alter table intake_outages drop constraint intake_outages_pkey, add primary key (kind, began_at);

-- A page belongs to a cell of its own warning: the database itself keeps an Exercise's page out of an actual warning's cell.
alter table cells add constraint cells_of_warning unique (id, warning_id);
alter table pages add constraint pages_of_cell foreign key (cell_id, warning_id) references cells (id, warning_id);
alter table pages drop constraint pages_cell_id_fkey;

-- The application may bind a mark and say that it was used, and never move one to the other kind.
revoke update, delete, truncate on kind_marks from fenghuo_app;
grant update (variable, used_at) on kind_marks to fenghuo_app;
revoke delete, truncate on misdirected from fenghuo_app;
