/**
 * Recorded histories of the cell workflow still replay: a deploy may meet each of them in the middle. A workflow that was
 * changed, even a little, does not, so the test can fail. `npm run record-histories` makes them.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { DefaultLogger, Runtime, Worker, type WorkflowBundleWithSourceMap } from '@temporalio/worker';
import { beforeAll, describe, expect, it } from 'vitest';
import { workflowBundle } from '../worker/worker.ts';

type Recorded = { name: string; workflowId: string; history: { events: HistoryEvent[] } };
/** An event's attributes stand under its own name: `timerStartedEventAttributes`. */
type HistoryEvent = Record<string, unknown>;

const FOLDER = new URL('./histories/', import.meta.url);
const recorded: Recorded[] = readdirSync(FOLDER).map((file) => ({
  name: file.replace(/\.json$/, ''),
  ...(JSON.parse(readFileSync(new URL(file, FOLDER), 'utf8')) as Omit<Recorded, 'name'>),
}));

let bundle: WorkflowBundleWithSourceMap;
beforeAll(async () => {
  // What does not replay is what the tests ask for; nobody needs to read it again and again.
  Runtime.install({
    logger: new DefaultLogger('ERROR'),
    telemetryOptions: { logging: { filter: 'ERROR', forward: {} } },
  });
  bundle = await workflowBundle();
});

/** What went wrong with each history; empty where all replayed. */
async function faults(code: string): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  const histories = recorded.map(({ name, history }) => ({ workflowId: name, history }));
  for await (const result of Worker.runReplayHistories({ workflowBundle: { code } }, histories))
    if (result.error) found[result.workflowId] = result.error.name;
  return found;
}

const countOf = ({ history }: Recorded, event: string) =>
  history.events.filter((one) => `${event}EventAttributes` in one).length;
const named = (name: string) => {
  const one = recorded.find((other) => other.name === name);
  if (!one) throw new RangeError(`there is no history ${name}`);
  return one;
};

describe('recorded histories', () => {
  it('are finished ones and unfinished ones, a retried page, and a run that left for a new one', () => {
    expect(countOf(named('finished'), 'workflowExecutionCompleted')).toBe(1);
    expect(countOf(named('continued-as-new'), 'workflowExecutionContinuedAsNew')).toBe(1);
    const open = named('unfinished');
    expect(countOf(open, 'activityTaskScheduled')).toBeGreaterThan(countOf(open, 'activityTaskCompleted'));
    expect(countOf(open, 'timerStarted')).toBeGreaterThan(
      countOf(open, 'timerFired') + countOf(open, 'timerCanceled'),
    );
    expect(JSON.stringify(named('cancelled-after-a-retried-page').history)).toContain('"lastFailure"');
  });

  it('hold nobody’s name, number, address or machine', () => {
    for (const { name, history } of recorded) {
      const text = JSON.stringify(history, (key, value: unknown) =>
        key === 'data' && typeof value === 'string' ? Buffer.from(value, 'base64').toString() : value,
      );
      expect(text, name).not.toMatch(/\d@\w|\.example\b|\+86100|[城区一二][01]\b|node_modules|file:\/\//);
      expect(new Set(text.match(/"identity":"[^"]*"/g))).toEqual(new Set(['"identity":"worker"']));
    }
  });

  it('replay with the workflow of today', async () => {
    expect(await faults(bundle.code)).toEqual({});
  });

  it.each<[string, string, string]>([
    [
      'waits before its first step',
      'const result = await this.ports.step({',
      'await this.ports.sleep(10); const result = await this.ports.step({',
    ],
    ['sends no page', 'this.ports.sendPage(page)', '({ ended: true, againInMs: 0, sent: 0 })'],
    ['steps twice', 'this.note(result);', 'this.note(await this.ports.step({ withCounts: false }));'],
    ['never waits', 'if (!result.more) await', 'if (false) await'],
  ])('do not replay with a workflow that %s', async (_what, from, to) => {
    const changed = bundle.code.replace(from, to);
    expect(changed).not.toBe(bundle.code);
    const found = await faults(changed);
    expect(Object.keys(found)).not.toEqual([]);
    expect(new Set(Object.values(found))).toEqual(new Set(['DeterminismViolationError']));
  });
});
