import { runSeed } from '/work/main/test/simulator/simulation.ts';
Error.stackTraceLimit = 0;
const from = Number(process.argv[2]),
  n = Number(process.argv[3]);
const t0 = performance.now();
let ev = 0,
  vms = 0,
  bad = 0;
const faults: Record<string, number> = {};
const kinds: Record<string, number> = {};
const ex: Record<string, number[]> = {};
let latest = 0,
  locks = 0;
for (let s = from; s < from + n; s++) {
  const t1 = performance.now();
  const r = await runSeed(s);
  const dt = performance.now() - t1;
  if (dt > 500) console.log('slow', s, Math.round(dt), r.events, r.virtualMs / 60000);
  ev += r.events;
  vms += r.virtualMs;
  latest = Math.max(latest, r.latestMs);
  locks += r.lockTimeouts;
  for (const [k, v] of Object.entries(r.faults)) faults[k] = (faults[k] ?? 0) + v;
  if (r.violations.length) bad++;
  for (const k of new Set(r.violations.map((v) => `${v.invariant} ${v.what.replace(/\d+/g, 'N')}`))) {
    kinds[k] = (kinds[k] ?? 0) + 1;
    (ex[k] ??= []).push(s);
  }
}
const ms = performance.now() - t0;
const cpu = process.cpuUsage();
console.log('cpu ms/seed', (cpu.user + cpu.system) / 1000 / n);
console.log({
  n,
  bad,
  msPerSeed: ms / n,
  eventsPerSeed: ev / n,
  usPerEvent: (ms * 1000) / ev,
  virtualMin: vms / n / 60000,
  latest,
  locks,
});
console.log(faults);
for (const [k, v] of Object.entries(kinds)
  .sort((a, b) => b[1] - a[1])
  .slice(0, 30))
  console.log(v, k, ex[k]!.slice(0, 5).join(','));
