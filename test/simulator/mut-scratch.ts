import { runSeed } from './simulation.ts';
import { MUTANTS } from './mutants.ts';
Error.stackTraceLimit = 0;
for (const m of MUTANTS) {
  const t = performance.now();
  let found = '';
  let s = 1;
  for (; s <= 240 && !found; s++) {
    try {
      const r = await runSeed(s, m.options);
      const v = r.violations.find((x) => m.breaks.includes(x.invariant));
      if (v) found = `${v.invariant} ${v.what}`;
    } catch (e) {
      found = 'THREW ' + e;
    }
  }
  console.log(s - 1, Math.round(performance.now() - t), m.name, '->', found || 'NOT FOUND');
}
