-- What a city's warning writes by the hundred thousand. Cells are never deleted, and the writers hold the cell's id from its
-- own row: a check of every row against it bought nothing and was half of the time that PostgreSQL took to open 102,500 units
-- (1.5 s, then 0.8 s). It also locked the cell's row for each answer, which the cell's step was just writing.
alter table unit_states drop constraint unit_states_cell_id_fkey;
alter table inbox drop constraint inbox_cell_id_fkey;

-- Behind a bridge a unit reports to another than its superior: who counts its silent units finds them by this.
create index unit_states_reports_to on unit_states (warning_id, reports_to) where reports_to is not null;
