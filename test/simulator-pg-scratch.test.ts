import { afterAll, beforeAll, it } from 'vitest';
import type { Database } from '../db/database.ts';
import { openVirtualDatabase, plantWorld, PostgresBackend } from './simulator/postgres-backend.ts';
import { Simulation } from './simulator/simulation.ts';
import { worldOf } from './simulator/world.ts';
let database: Database;
beforeAll(async () => { database = await openVirtualDatabase(process.env['DATABASE_URL']!, 'test_simulator_pg_scratch'); });
afterAll(() => database.close());
function trace(sim: any) {
  const log: string[] = [];
  const b = sim.backend; const t0 = sim.world.data.startAt;
  const w = (name: string, f: any) => async (...a: any[]) => { const at = sim.scheduler.now - t0; const show = name === 'step' ? [a[0]] : name === 'settle' ? [a[0]] : a; const i = log.push(`${at} ${name} ${JSON.stringify(show)}`) - 1; const r = await f(...a); if (name === 'ring') log.push('view ' + JSON.stringify(b.cells().map((c: any) => ({ ...c, nextDeadline: c.nextDeadline && c.nextDeadline - t0, steppedAt: c.steppedAt && c.steppedAt - t0, rungAt: c.rungAt && c.rungAt - t0 })))); log.push(`${sim.scheduler.now - t0} ${name} -> ${JSON.stringify(r)}`); return r; };
  const { steps, pages } = b;
  b.steps = (p: any) => { const s = steps.call(b, p); return { step: w('step', s.step) }; };
  b.pages = (p: any) => { const s = pages.call(b, p); return { claim: w('claim', s.claim), abandoned: w('abandoned', s.abandoned), settle: w('settle', s.settle) }; };
  const ring = b.ring.bind(b); b.ring = (p: any) => w('ring', () => ring(p))(); 
  return log;
}
it('x', async () => {
  const world = worldOf(Number(process.env['SIM_SEED']), { pauseShare: 0 });
  const a: any = new Simulation(world, {}); const la = trace(a); await a.run();
  await plantWorld(database, world);
  const b: any = new Simulation(world, { backend: (_w, link) => new PostgresBackend(database, world, link) }); const lb = trace(b); await b.run();
  const canon = (v: any): any => Array.isArray(v) ? v.map(canon) : v && typeof v === 'object' ? Object.fromEntries(Object.keys(v).sort().map((k) => [k, canon(v[k])])) : v;
  const sort = (s: string | undefined) => { if (!s) return ''; const m = /^(.*?) (\[.*|\{.*|null)$/.exec(s); if (!m) return s; const v = JSON.parse(m[2]!); delete v?.tiers; if (v?.slice) delete v.slice.warning; if (Array.isArray(v)) for (const x of v) if (x?.warning) delete x.warning; return m[1] + JSON.stringify(canon(v)); };
  for (let i = 0; i < Math.max(la.length, lb.length); i++) if (sort(la[i]!) !== sort(lb[i]!)) { console.log('DIFF at', i, la.length); for (let j = Math.max(0, i - 4); j < i + 3; j++) console.log('M', sort(la[j]), '\nP', sort(lb[j])); break; }
}, 100000);
