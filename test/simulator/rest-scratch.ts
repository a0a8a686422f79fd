import { Simulation } from './simulation.ts';
import { worldOf } from './world.ts';
Error.stackTraceLimit = 0;
for (const seed of process.argv.slice(2).map(Number)) {
const sim: any = new Simulation(worldOf(seed), {});
const t0 = sim.world.data.startAt; const db = sim.memory;
const r = await sim.run();
console.log('SEED', seed, r.violations.map((v: any) => `${v.invariant} ${v.what} @${v.at - t0}`));
if (r.violations.length) { console.log('calm', sim.faults.calmAt - t0, 'expires', db.warning.expiresAt - t0, db.warning.status, db.warning.endedAt - t0, r.faults);
console.log('runs', [...sim.temporal.runs.values()].map((x: any) => ({ cell: x.cellId, loop: !!x.loop, host: x.host?.name, alive: x.host?.alive, w: x.waiters.length, running: x.loop?.running, st: x.loop?.status })), 'plans', sim.plans, 'pending', sim.people.pending, 'workers', sim.workers.alive.length, 'home', sim.temporal.homeless.length);
console.log('cells', [...db.cells.values()], 'inbox', [...db.inbox.values()].slice(0, 4), 'open', db.open.size, 'retries', db.retries.size, 'openpages', [...db.pages.values()].filter((p: any) => p.endedAt === null)); }
}
