/** When a process has its turn on the processors: nice values of itself and, where the kernel shares by sessions, of its session. */
import { readFile } from 'node:fs/promises';

/** The higher, the later. */
export async function turnOf(pid: number): Promise<number[]> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  // The 19th field; the second is a name in brackets that may hold anything.
  const own = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[16]);
  const group = await readFile(`/proc/${pid}/autogroup`, 'utf8').catch(() => null);
  return group === null ? [own] : [own, Number(/ nice (-?\d+)/.exec(group)?.[1])];
}
