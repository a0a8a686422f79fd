/** Cells with mail. */

/**
 * The cells with mail, and a null behind the last, as a part of `with recursive`. They are found by hopping through the inbox's
 * index, so a flood of answers makes nobody slow who looks for them.
 */
export const MAILED = `mailed (cell_id) as (
       (select cell_id from inbox order by cell_id limit 1)
       union all
       select (select i.cell_id from inbox i where i.cell_id > m.cell_id order by i.cell_id limit 1)
       from mailed m where m.cell_id is not null
     )`;
