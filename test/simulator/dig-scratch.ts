import { Simulation } from './simulation.ts';
import { worldOf } from './world.ts';
Error.stackTraceLimit = 0;
const seed = Number(process.argv[2]);
const sim = new Simulation(worldOf(seed), {});
const r = await sim.run();
for (const v of r.violations) console.log(v.invariant, v.what, v.at - sim.world.data.startAt);
const db = (sim as any).memory;
const t0 = sim.world.data.startAt;
console.log(
  db.warning.status,
  db.warning.expiresAt - t0,
  'calm',
  (sim as any).faults.calmAt - t0,
  r.virtualMs,
  r.faults,
);
console.log(
  'inbox',
  db.inbox.size,
  [...db.inbox.values()].slice(0, 3),
  'pages open',
  [...db.pages.values()]
    .filter((p: any) => p.endedAt === null)
    .map((p: any) => ({ ...p, members: p.members, claims: db.claims.get(p.pageId) }))
    .slice(0, 5),
  'cells',
  [...db.cells.values()],
  'retries',
  db.retries.size,
  [...db.retries.values()].slice(0, 3),
  'pages',
  db.pages.size,
  'deliv',
  db.deliveries.size,
);
console.log([...db.deliveries.values()].slice(-4));
