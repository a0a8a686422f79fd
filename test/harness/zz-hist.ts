import { difference, PROPERTIES } from './cascade-properties.ts';
import { plainRunning, randomRunning, runCascade } from './virtual-cascade.ts';
import { worldOf } from './world.ts';
const N = Number(process.argv[2] ?? 1000);
const cov = new Map<string, number>(); let units = 0;
const hits = new Map<string, [number, string]>();
const hit = (n: string, w: string) => {
  const h = hits.get(n);
  if (h) h[0]++;
  else hits.set(n, [1, w]);
};
for (let seed = 1; seed <= N; seed++) {
  const world = worldOf(seed);
  const plain = runCascade(world, plainRunning(world));
  for (const p of PROPERTIES) {
    const f = p.check(plain);
    if (f) hit(p.name, `${seed} ${world.manner} ${f}`);
  }
  for (const [id, l] of plain.lives) { for (const t of l.path) { const m = t.replace(/^\d+ /,'').replace(/tells \d+/,'tells X').replace(/to \d+/,'to X'); cov.set(m, (cov.get(m)??0)+1);} units++; void id; }
  { const w = runCascade(world, randomRunning(world, seed * 7, true)); for (const p of PROPERTIES) { const f = p.check(w); if (f) hit('WILD '+p.name, `${seed} ${world.manner} ${f}`); } }
  for (let k = 0; k < 3; k++) {
    const o = runCascade(world, randomRunning(world, seed * 3 + k));
    const d = difference(plain, o);
    if (d) {
      hit('SAME PATHS ' + world.manner, `${seed}/${k} ${d}`);
      break;
    }
  }
}
for (const [n, [c, w]] of hits) console.log(c, n, '—', w.slice(0, 900));

console.log('units', units); for (const [k, v] of [...cov].sort()) console.log(v, k);
