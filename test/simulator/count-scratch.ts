import { Scheduler } from './scheduler.ts';
import { Link } from './connection.ts';
import { runSeed } from './simulation.ts';
const c: Record<string, number> = {};
const orig = Scheduler.prototype.at;
Scheduler.prototype.at = function (at: number, run: () => void) {
  const st = new Error().stack!.split('\n');
  const l = st
    .slice(2)
    .find((x) => !x.includes('scheduler.ts'))!
    .trim()
    .replace(/.*simulator\//, '');
  c[l] = (c[l] ?? 0) + 1;
  return orig.call(this, at, run);
};
const open = Link.prototype.open;
const u: Record<string, number> = {};
Link.prototype.open = function (p: any, use: any) {
  u[use] = (u[use] ?? 0) + 1;
  return open.call(this, p, use);
};
let led = 0;
const N = 100;
for (let s = 1; s <= N; s++) led += (await runSeed(s)).ledger.length;
console.log(
  Object.entries(c)
    .sort((a, b) => b[1] - a[1])
    .slice(0, 25)
    .map(([k, v]) => `${v / N} ${k}`)
    .join('\n'),
  u,
  led / N,
);
