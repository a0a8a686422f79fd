/** Who gives way to whom on this machine's processors. */
import { readFileSync, writeFileSync } from 'node:fs';
import { getPriority, setPriority } from 'node:os';

/**
 * Lets other processes run before this one, and before what it starts from here on. `niceness` is a nice value, 0 to 19. One that
 * gives way further already stays so, also where it could raise itself. Where this is not to be had, nothing changes: it is speed only.
 */
export function giveWay(pid: number, niceness: number): void {
  for (const lower of [lowerProcess, giveWayAsSession]) {
    try {
      lower(pid, niceness);
    } catch {
      // Speed only.
    }
  }
}

function lowerProcess(pid: number, niceness: number): void {
  setPriority(pid, Math.max(niceness, getPriority(pid)));
}

/**
 * Linux shares its processors between sessions before it looks at processes, where neither containers nor services divide them. Our
 * supervisor gives each process a session of its own, which inherits nothing of its parent's. That of a terminal is left alone: it
 * would stay behind when we have ended.
 */
function giveWayAsSession(pid: number, niceness: number): void {
  if (sessionOf(pid) !== pid) return;
  const file = `/proc/${pid}/autogroup`;
  const now = Number(/ nice (-?\d+)/.exec(readFileSync(file, 'utf8'))?.[1] ?? 0);
  if (now < niceness) writeFileSync(file, String(niceness));
}

/** By its leader's number: the sixth field of /proc/PID/stat, of which the second is a name in brackets that may hold anything. */
function sessionOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[3]);
}
