import { Simulation } from './simulation.ts';
import { worldOf } from './world.ts';
const seed = Number(process.argv[2]);
const sim = new Simulation(worldOf(seed), {});
const r = await sim.run();
for (const v of r.violations) console.log(v.invariant, v.what, v.at - sim.world.data.startAt);
const db = (sim as any).memory;
const q = process.argv[3];
if (q?.startsWith('u')) {
  const u = Number(q.slice(1));
  console.log(
    db.warning,
    db.units.get(u),
    db.answers
      .filter((a: any) => a.unitId === u)
      .map((a: any) => ({
        ...a,
        at: a.at - sim.world.data.startAt,
        c: a.committedAt - sim.world.data.startAt,
      })),
  );
}
if (q?.startsWith('p')) {
  const p = Number(q.slice(1));
  console.log([...db.deliveries.values()].filter((d: any) => d.recipientId === p && d.audience === 'people'));
  console.log(
    [...db.keys].filter(([k]: any) => k.endsWith('|' + p)),
    sim.world.data.posts.filter((x) => x.personId === p),
  );
  console.log(
    [...db.pages.values()]
      .filter((g: any) => g.audience === 'people' && g.members.some((m: any) => m.recipientId === p))
      .map((g: any) => ({
        id: g.pageId,
        cell: g.cellId,
        p: g.purpose,
        s: g.step,
        ch: g.channel,
        m: g.members.filter((m: any) => m.recipientId === p),
        claims: db.claims.get(g.pageId),
      })),
  );
}
