/** Codes of mainland carriers, row by row. */
import { describe, expect, it, test } from 'vitest';
import { classOf, type ResultClass } from '../domain/results.ts';
import { gatewayReceipt, receiptClass } from './gateway-receipts.ts';

describe('an SMS that failed with', () => {
  test.each<[code: string, reason: ResultClass]>([
    ['UNDELIV', 'handset-off'],
    ['UNDELIVRD', 'handset-off'],
    ['MK:0000', 'bad-contact'],
    ['MK:0001', 'bad-contact'],
    ['MK00001', 'bad-contact'],
    ['MK:0012', 'bad-contact'],
    ['MK:0003', 'bad-contact'],
    ['MK:0004', 'handset-off'],
    ['MK:0010', 'handset-off'],
    ['MK:0024', 'handset-off'],
    ['MK:0029', 'handset-off'],
    ['MN:0001', 'handset-off'],
    ['MN00013', 'handset-off'],
    ['MI:0013', 'handset-off'],
    ['MI:0010', 'bad-contact'],
    ['IC:0001', 'handset-off'],
    ['MK: 0017 ', 'mailbox-full'],
    ['MC:0055', 'mailbox-full'],
    ['MC:0055_006', 'mailbox-full'],
    ['EXPIRED', 'validity-passed'],
    ['MI00000', 'validity-passed'],
    ['REJECTD', 'rejected'],
    ['DELETED', 'carrier-unknown'],
    ['UNKNOWN ', 'carrier-unknown'],
    ['MC:0001', 'carrier-unknown'],
    ['MC:0151', 'carrier-unknown'],
    ['MC00151', 'carrier-unknown'],
    ['ERR_NUM', 'bad-contact'],
    ['ERR_NUM_006', 'bad-contact'],
    ['XL:169', 'bad-contact'],
    ['1', 'bad-contact'],
    ['24', 'bad-contact'],
    ['12', 'handset-off'],
    ['5', 'handset-off'],
    ['MX:0012', 'opted-out'],
    ['TUIDING', 'opted-out'],
    ['unsubscribe', 'opted-out'],
    ['MX:0011', 'other-sender'],
    ['BWLIST', 'other-sender'],
    ['BWLIST _006', 'other-sender'],
    ['DB:0141', 'other-sender'],
    ['DB00144', 'other-sender'],
    ['black', 'other-sender'],
    ['NOROUTE', 'other-sender'],
    ['KEYWORD', 'filtered'],
    ['KEYWORDS', 'filtered'],
    ['ID:0076', 'filtered'],
    ['TC:0007', 'filtered'],
    ['SIGFAIL', 'config'],
    ['MX:0003', 'throttled'],
    ['BEYONDD', 'throttled'],
    ['MB:1042', 'throttled'],
    ['CA:0054', 'carrier-unknown'],
    ['一个新的代码', 'carrier-unknown'],
  ])('%s: %s', (code, reason) => {
    expect(receiptClass('sms-gateway', code)).toBe(reason);
  });
});

describe('a call that failed with', () => {
  test.each<[code: string, reason: ResultClass]>([
    ['1', 'handset-off'],
    ['2', 'not-answered'],
    ['3', 'handset-off'],
    ['4', 'handset-off'],
    ['5', 'not-answered'],
    ['6', 'handset-off'],
    ['7', 'handset-off'],
    ['8', 'bad-contact'],
    ['9', 'temporary'],
    ['10', 'not-answered'],
    ['11', 'not-answered'],
    ['12', 'other-sender'],
    ['13', 'handset-off'],
    ['15', 'bad-contact'],
    ['16', 'not-answered'],
    ['17', 'bad-contact'],
    ['18', 'temporary'],
    ['19', 'rejected'],
    ['20', 'not-answered'],
    ['VOICEMAIL', 'not-answered'],
  ])('%s: %s', (code, reason) => {
    expect(receiptClass('voice-gateway', code)).toBe(reason);
  });
});

it('marks no number by a code that may mean a handset that is off', () => {
  for (const code of ['UNDELIV', 'MN:0001', 'MI:0011', 'EXPIRED', 'REJECTD', '12'])
    expect(classOf(receiptClass('sms-gateway', code))?.address).toBeUndefined();
});

describe('a report', () => {
  const report = {
    id: 'r1',
    reference: '1048576.2',
    state: 'undelivered',
    code: 'MK:0001',
    sender: 'sms-gateway',
  } as const;

  it('is a receipt of delivery and attempt', () => {
    expect(gatewayReceipt(report)).toEqual({
      deliveryId: 1_048_576,
      attempt: 2,
      state: 'undelivered',
      code: 'MK:0001',
      reason: 'bad-contact',
      sender: 'sms-gateway',
      providerId: null,
    });
  });

  it('of what went well has no class', () => {
    expect(gatewayReceipt({ ...report, state: 'delivered', code: 'DELIVRD' })).toMatchObject({
      code: null,
      reason: null,
    });
    expect(gatewayReceipt({ ...report, state: 'sent', code: null })).toMatchObject({
      code: null,
      reason: null,
    });
  });

  it.each([{ state: 'DELIVRD' }, { state: '' }, { reference: 'back.7' }, { reference: '7' }])(
    'is none with %j',
    (change) => {
      expect(gatewayReceipt({ ...report, ...change })).toBeNull();
    },
  );
});
