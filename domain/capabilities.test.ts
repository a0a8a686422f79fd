import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import {
  answerRules,
  capabilitiesSchema,
  capabilityRefusal,
  mayHoldLink,
  profileOf,
  type Capabilities,
} from './capabilities.ts';

const text = readFileSync(new URL('../scenarios/capabilities.yaml', import.meta.url), 'utf8');
const shipped = capabilitiesSchema.parse(parse(text));

const MAINLAND = '+8613900000000';
const ABROAD = '+12025550101';

describe('the shipped profiles', () => {
  test('know every sender, each line with source and date', () => {
    expect(Object.keys(shipped.senders).sort()).toEqual([
      'chat-robot',
      'loudspeaker',
      'ntfy',
      'sms-gateway',
      'smtp',
      'twilio-sms',
      'twilio-voice',
      'voice-gateway',
    ]);
    for (const { profiles } of Object.values(shipped.senders))
      for (const { source, date } of profiles)
        expect([source.length > 5, Date.parse(date) > 0]).toEqual([true, true]);
  });

  test.each([
    ['twilio-sms', MAINLAND, 'other-sender'],
    ['twilio-sms', ABROAD, null],
    ['twilio-voice', MAINLAND, 'other-sender'],
    ['twilio-voice', ABROAD, null],
    ['sms-gateway', MAINLAND, null],
    ['voice-gateway', MAINLAND, null],
    ['smtp', 'chen@village.example', null],
    ['a sender that nobody knows', MAINLAND, null],
  ])('%s to %s: %s', (sender, address, refusal) => {
    expect(capabilityRefusal(shipped, { id: sender, byTemplate: sender.endsWith('gateway') }, address)).toBe(
      refusal,
    );
  });

  test('for the mainland an answer comes back by the gateways and by mail, and by nothing else', () => {
    const by = (senders: string[], channel: string) =>
      answerRules(shipped, senders)
        .filter((rule) => rule.channel === channel && MAINLAND.startsWith(rule.prefix))
        .sort((one, other) => other.prefix.length - one.prefix.length)[0]?.answers;
    expect(by(['sms-gateway'], 'sms')).toBe(true);
    expect(by(['twilio-sms'], 'sms')).toBe(false);
    expect(by(['twilio-sms', 'sms-gateway'], 'sms')).toBe(true);
    expect(by(['voice-gateway'], 'voice')).toBe(true);
    expect(by(['twilio-voice'], 'voice')).toBe(false);
    expect(by(['smtp'], 'email')).toBe(true);
    expect(by(['loudspeaker'], 'loudspeaker')).toBe(false);
    expect(by(['chat-robot'], 'chat')).toBe(false);
    expect(by(['ntfy'], 'push')).toBe(true);
    expect(by(['sms-gateway'], 'voice')).toBeUndefined();
  });
});

test('the longest code that fits decides', () => {
  const line = { ...shipped.senders['twilio-sms']?.profiles[1], links: false };
  const profiles = ['*', '+1', '+1202'].map((country) => ({ ...line, country }));
  const some = { senders: { x: { channel: 'sms', profiles } } } as unknown as Capabilities;
  const countries = [ABROAD, '+13125550101', MAINLAND].map(
    (address) => profileOf(some, 'x', address)?.country,
  );
  expect(countries).toEqual(['+1202', '+1', '*']);
});

test.each([
  [
    'a country twice',
    (draft: Capabilities) => draft.senders['smtp']?.profiles.push(...draft.senders['smtp'].profiles),
  ],
  ['no line for the rest', (draft: Capabilities) => draft.senders['sms-gateway']?.profiles.pop()],
  [
    'a line without source',
    (draft: Capabilities) => Object.assign(draft.senders['smtp']?.profiles[0] ?? {}, { source: '' }),
  ],
  [
    'an unknown word',
    (draft: Capabilities) => Object.assign(draft.senders['smtp']?.profiles[0] ?? {}, { twoWays: true }),
  ],
])('%s is refused', (_name, spoil) => {
  const draft = structuredClone(shipped);
  spoil(draft);
  expect(capabilitiesSchema.safeParse(draft).success).toBe(false);
});

test.each([
  ['smtp', 'chen@village.example', true],
  ['ntfy', 'topic_1', true],
  ['twilio-sms', ABROAD, true],
  ['twilio-sms', MAINLAND, false],
  ['sms-gateway', MAINLAND, false],
  // Everybody in the group reads it.
  ['chat-robot', MAINLAND, false],
  ['loudspeaker', 'horn-7', false],
  ['a sender that nobody knows', ABROAD, false],
])('%s to %s may hold the link of an answer page: %s', (sender, address, may) => {
  expect(mayHoldLink(shipped, sender, address)).toBe(may);
});
