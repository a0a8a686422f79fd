/** CPU that processes have used, with their children, as Linux counts it; nothing where there is no /proc. */
import { readdir, readFile } from 'node:fs/promises';

/** USER_HZ: what /proc counts in, the same on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100;

/** Seconds by name: those of the process, its living children, and its children that have ended. */
export async function cpuSeconds(pids: Record<string, number | null>): Promise<Record<string, number>> {
  const processes = new Map<number, { parent: number; seconds: number }>();
  for (const entry of await readdir('/proc').catch(() => [])) {
    if (!/^\d+$/.test(entry)) continue;
    const stat = await readFile(`/proc/${entry}/stat`, 'utf8').catch(() => '');
    // The name in the second field may hold blanks and brackets; fields are counted from behind it.
    const fields = stat
      .slice(stat.lastIndexOf(')') + 2)
      .split(' ')
      .map(Number);
    const [, parent = 0] = fields;
    const ticks = fields.slice(11, 15).reduce((sum, part) => sum + part, 0);
    processes.set(Number(entry), { parent, seconds: ticks / TICKS_PER_SECOND });
  }
  const total = (pid: number): number =>
    (processes.get(pid)?.seconds ?? 0) +
    [...processes].filter(([, { parent }]) => parent === pid).reduce((sum, [child]) => sum + total(child), 0);
  return Object.fromEntries(
    Object.entries(pids).flatMap(([name, pid]) =>
      pid !== null && processes.has(pid) ? [[name, total(pid)]] : [],
    ),
  );
}

/** What was used between two readings. */
export function cpuBetween(
  before: Record<string, number>,
  after: Record<string, number>,
): Record<string, number> {
  return Object.fromEntries(
    Object.entries(after).map(([name, seconds]) => [
      name,
      Number((seconds - (before[name] ?? 0)).toFixed(2)),
    ]),
  );
}
