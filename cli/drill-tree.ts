/** Which tree a rehearsal is played on: the file of units, with people made up, or units and people of the database. */
import type { Register } from '../domain/rehearsal/register.ts';
import { readRegister } from '../operations/rehearsal-tree.ts';
import type { Grow } from '../operations/rehearsals.ts';
import type { Context } from './context.ts';

export async function treeOf(
  context: Context,
  { tree, units }: { tree?: 'csv' | 'database'; units?: string },
): Promise<{ register: Register; grow?: Grow }> {
  if (tree !== 'database') return { register: await readRegister(units) };
  const { readDatabaseTree } = await import('../operations/rehearsal-database.ts');
  return readDatabaseTree(await context.database());
}
