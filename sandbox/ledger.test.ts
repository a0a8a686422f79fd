import { appendFileSync, mkdtempSync, readdirSync, rmSync, truncateSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { perChannel } from '../domain/rules.ts';
import { ledgerMessages, openLedger, readLedger, type LedgerAct, type LedgerMessage } from './ledger.ts';

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'fenghuo-ledger-'));
});

afterEach(() => {
  rmSync(directory, { recursive: true });
});

function message(reference: string, change: Partial<LedgerMessage> = {}): LedgerMessage {
  const [deliveryId = '', attempt = ''] = reference.split('.');
  return {
    channel: 'sms',
    reference,
    deliveryId,
    attempt: Number(attempt),
    warningId: '7',
    address: '+8610020000001',
    messageId: `m${reference}`,
    at: '2026-07-09T00:00:00.000Z',
    bytes: 10,
    step: 'rung 0',
    speed: 1,
    fault: null,
    ...change,
  };
}

const ACT: LedgerAct = {
  type: 'act',
  actId: 'a1',
  warningId: '7',
  deliveryId: '1',
  address: '+8610020000001',
  via: 'sms',
  kind: 'received',
  at: '2026-07-09T00:01:00.000Z',
};

describe('a ledger', () => {
  test('counts by channel, by delivery and by attempt, of one warning or of all', async () => {
    const ledger = openLedger(directory);
    await Promise.all([
      ledger.message(message('1.1')),
      ledger.message(message('1.2', { at: '2026-07-09T00:00:09.000Z' })),
      ledger.message(message('1.2', { at: '2026-07-09T00:00:08.000Z' })),
      ledger.message(message('2.1', { channel: 'email' })),
      ledger.message(message('3.1', { warningId: '8' })),
    ]);
    ledger.close();
    const all = await readLedger(directory);
    expect(all.messages).toMatchObject({ sms: 4, email: 1 });
    const { messages, deliveries, attempts, firstAt, lastAt, tornLines } = await readLedger(directory, {
      warningId: '7',
    });
    expect(messages).toMatchObject({ sms: 3, email: 1 });
    expect([...deliveries]).toEqual([
      ['1', 3],
      ['2', 1],
    ]);
    expect(attempts.get('1.2')).toBe(2);
    expect([firstAt, lastAt, tornLines]).toEqual(['2026-07-09T00:00:00.000Z', '2026-07-09T00:00:09.000Z', 0]);
  });

  test('joins acts with what came of them', async () => {
    const ledger = openLedger(directory);
    await ledger.act(ACT);
    await ledger.act({ ...ACT, actId: 'a2' });
    await ledger.act({ type: 'result', actId: 'a1', at: ACT.at, status: 200 });
    ledger.close();
    expect((await readLedger(directory)).acts).toEqual([
      { ...ACT, status: 200 },
      { ...ACT, actId: 'a2', status: null },
    ]);
  });

  test('can be read when the promise of a line has resolved, before it is closed', async () => {
    const ledger = openLedger(directory);
    await ledger.message(message('1.1'));
    expect((await readLedger(directory)).messages.sms).toBe(1);
    ledger.close();
  });

  test('writes what waits when it is closed, and refuses lines afterwards', async () => {
    const ledger = openLedger(directory);
    const written = ledger.message(message('1.1'));
    ledger.close();
    await written;
    expect((await readLedger(directory)).messages.sms).toBe(1);
    await expect(ledger.message(message('2.1'))).rejects.toThrow('closed');
  });

  test('is taken up again, also behind a torn line', async () => {
    const first = openLedger(directory);
    await first.message(message('1.1'));
    await first.message(message('2.1'));
    first.close();
    const file = path.join(
      directory,
      readdirSync(directory).find((name) => name.startsWith('messages')) ?? '',
    );
    truncateSync(file, statSync(file).size - 7);
    expect((await readLedger(directory)).tornLines).toBe(1);
    const second = openLedger(directory);
    await second.message(message('3.1'));
    second.close();
    const { deliveries, tornLines } = await readLedger(directory);
    expect([[...deliveries.keys()], tornLines]).toEqual([['1', '3'], 1]);
  });

  test('passes over what is no line of its own, and counts it', async () => {
    const ledger = openLedger(directory);
    ledger.close();
    appendFileSync(path.join(directory, 'messages.jsonl'), 'nonsense\n');
    expect((await readLedger(directory)).tornLines).toBe(1);
  });

  test('that was never opened is empty', async () => {
    const { messages, acts } = await readLedger(path.join(directory, 'nowhere'));
    expect([messages, acts]).toEqual([perChannel(() => 0), []]);
  });

  test('keeps order and every line over many chunks and turns of the event loop', async () => {
    const ledger = openLedger(directory);
    const count = 20_000;
    let last: Promise<void> | null = null;
    for (let index = 0; index < count; index++) {
      last = ledger.message(message(`${index}.1`, { step: '组'.repeat(index % 50) }));
      if (index % 1_000 === 0) await last;
    }
    await last;
    let expected = 0;
    for await (const entry of ledgerMessages(directory)) expect(entry?.deliveryId).toBe(String(expected++));
    expect(expected).toBe(count);
    ledger.close();
  });
});
