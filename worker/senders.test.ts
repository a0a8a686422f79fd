/** The thread that sends may end by itself, at any moment: whoever waits for it is told, and nothing hangs. */
import { describe, expect, it } from 'vitest';
import { readConfig } from '../config.ts';
import { startSenders, type Senders } from './senders.ts';

const ENVIRONMENT = {
  // Nothing listens there: the thread connects to PostgreSQL at its first page.
  DATABASE_URL: 'postgres://nobody@127.0.0.1:1/nowhere',
  FENGHUO_SECRET: 'a secret of the tests, of no use elsewhere',
};

/** A thread that runs this script instead of ours; `parentPort` is at hand. */
function threadOf(script: string): URL {
  return new URL(`data:text/javascript,import { parentPort } from 'node:worker_threads';${script}`);
}

const READY = `parentPort.postMessage({ kind: 'ready' });`;
const DIES_AT_A_PAGE = `${READY} parentPort.once('message', () => process.exit(1));`;
const FAILS_AT_A_PAGE = `${READY} parentPort.once('message', () => { throw new TypeError('a fault'); });`;

/** Starts the senders; `lines` is their log. */
function start(input: {
  environment?: Record<string, string>;
  entry?: URL;
  lines?: string[];
}): Promise<Senders> {
  const { environment = {}, lines = [] } = input;
  return startSenders({
    config: { ...readConfig({ ...ENVIRONMENT, ...environment }), serves: 'exercise' },
    ...(input.entry ? { entry: input.entry } : {}),
    log: (line) => void lines.push(line),
    onOutcomes: () => undefined,
  });
}

describe('the thread that sends', { timeout: 30_000 }, () => {
  it('does not start where the thread fails before it is ready', async () => {
    const lines: string[] = [];
    // An address, and none that a gateway can be reached by.
    const environment = {
      FENGHUO_GATEWAY_URL: 'ftp://gateway.example',
      FENGHUO_GATEWAY_SECRET: 'a secret of the gateway',
    };
    await expect(start({ environment, lines })).rejects.toThrow('the thread that sends has ended');
    expect(lines).toContainEqual(expect.stringMatching(/^The thread that sends failed: /));
  });

  it('does not start where the thread ends before it is ready, without a word', async () => {
    await expect(start({ entry: threadOf('process.exit(0);') })).rejects.toThrow(
      'the thread that sends has ended',
    );
  });

  it.each([
    ['ends', DIES_AT_A_PAGE, []],
    ['fails', FAILS_AT_A_PAGE, ['The thread that sends failed: TypeError a fault']],
  ])(
    'rejects what is under way, and all after it at once, where the thread %s',
    async (_how, script, log) => {
      const lines: string[] = [];
      const senders = await start({ entry: threadOf(script), lines });
      const underWay = await Promise.allSettled([senders.send('sms', 1), senders.send('email', 2)]);
      expect(underWay.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
      expect(await senders.ended).toBe(false);
      await expect(senders.send('sms', 3)).rejects.toThrow('the thread that sends has ended');
      await senders.close();
      expect(await senders.ended).toBe(false);
      expect(lines).toEqual(log);
    },
  );

  it('says why a page failed, goes on, and ends when it is told to', async () => {
    const lines: string[] = [];
    const senders = await start({ lines });
    for (const channel of ['sms', 'email'] as const)
      await expect(senders.send(channel, 1)).rejects.toMatchObject({ name: 'FenghuoError' });
    await senders.close();
    expect(await senders.ended).toBe(true);
    await expect(senders.send('sms', 1)).rejects.toThrow('the thread that sends has ended');
    expect(lines).not.toContainEqual(expect.stringContaining('failed'));
  });
});
